"""Unquotes cookies in linear time.

Python before 3.11.10 and 3.12.6 takes quadratic time (CVE-2024-7592): some kilobytes of backslashes cost seconds, and
Django reads the cookies of every request. Newer Pythons are left alone. Debian 12 has an older one, so this is needed.
"""

import re
import sys
from http import cookies

_ESCAPED = re.compile(r"\\(?:([0-3][0-7][0-7])|(.))", re.DOTALL)


def unquote(value: str) -> str:
    """Return the value of a cookie without quotes and escapes, as `http.cookies` does."""
    if len(value) < 2 or value[0] != '"' or value[-1] != '"':
        return value
    return _ESCAPED.sub(lambda found: chr(int(found[1], 8)) if found[1] else found[2], value[1:-1])


def read_cookies_in_linear_time() -> None:
    """Replace Python's function if it is the slow one."""
    if sys.version_info < (3, 11, 10) or (3, 12) <= sys.version_info < (3, 12, 6):
        cookies._unquote = unquote  # type: ignore[assignment]
