"""What texts of people may be: which ones are blank, and what a name may contain."""

import re
import unicodedata

from realtime.wire.errors import Invalid

# Characters that show nothing: white space, controls, and those with Unicode's property Default_Ignorable_Code_Point
# (fillers, joiners, direction marks, variation selectors, tags), besides annotation marks and the empty Braille cell.
_SHOW_NOTHING = (
    "\x00-\x20\x7f-\xa0\xad\u034f\u061c\u115f\u1160\u1680\u17b4\u17b5\u180b-\u180f\u2000-\u200f\u2028-\u202f"
    "\u205f-\u206f\u2800\u3000\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_shown = re.compile(f"[^{_SHOW_NOTHING}]")
# Controls, line separators, and the embeddings, overrides and isolates that change the direction of what follows.
_not_in_names = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def is_blank(text: str) -> bool:
    """Return whether a text shows nothing."""
    return _shown.search(text) is None


def checked_name(name: str, *, field: str, most: int) -> str:
    """Return a name that others see, stripped and in Unicode's normal form C; an empty one stays empty.

    :param field: of the request, for the error.
    :param most: code points.
    :raises Invalid: it has more than one line, controls or changes of direction, shows nothing, or is too long.
    """
    name = unicodedata.normalize("NFC", name.strip())
    if _not_in_names.search(name):
        raise Invalid(**{field: "may have no line breaks, control characters or changes of the text's direction"})
    if name and is_blank(name):
        raise Invalid(**{field: "must show something"})
    if len(name) > most:
        raise Invalid(**{field: f"longer than {most} code points"})
    return name
