"""Parsing of cookies, also of those made to take long."""

import time
from http import cookies

import pytest
from django.http import parse_cookie

import chatsite.asgi  # noqa: F401 - how servers read cookies
from chatsite.server.cookies import unquote


@pytest.mark.parametrize("escaped", ["\\\\", "\\1", '\\"', "\\054"])
def test_a_long_quoted_cookie_is_parsed_fast(escaped: str) -> None:
    begun = time.thread_time()
    parse_cookie(f'a="{escaped * 20_000}"')
    assert time.thread_time() - begun < 0.5


@pytest.mark.parametrize(
    "value", ["", '"', '""', "plain", '"a', 'a"', '"a b"', 'comma, semicolon; "quotes" and \\ äöü\n', "\\", "\x00\x7f"]
)
def test_a_cookie_written_by_python_is_read_back(value: str) -> None:
    _, written = cookies.SimpleCookie().value_encode(value)
    assert unquote(written) == value
