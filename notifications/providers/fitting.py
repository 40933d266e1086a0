"""Cuts a text that is too long for a provider: first the body, then the title."""

import json
import unicodedata
from collections.abc import Callable
from typing import Any

# Joins emoji into one; the character after it belongs to the one before it.
JOINER = "\u200d"
ELLIPSIS = "…"
# U+1F3FB to U+1F3FF: skin tones, which change the emoji before them.
_SKIN_TONES = range(0x1F3FB, 0x1F400)


def encoded(value: Any) -> bytes:
    """Return JSON in UTF-8 without spaces. A lone surrogate, which UTF-8 cannot encode, becomes "?"."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")


def shortened(text: str, most: int) -> str:
    """Return at most `most` code points of a text; the last is an ellipsis if something was cut.

    A letter is not separated from its accents, nor an emoji from its parts.
    """
    if len(text) <= most:
        return text
    end = max(0, most - 1)
    while end and (_continues(text[end]) or text[end - 1] == JOINER):
        end -= 1
    return text[:end].rstrip() + ELLIPSIS if most else ""


def fitted(compose: Callable[[str, str | None], bytes], title: str, body: str | None, most: int) -> bytes | None:
    """Return `compose` of as much of title and body as fits into `most` bytes.

    None if it is too long even without any text.
    """
    whole = compose(title, body)
    if len(whole) <= most:
        return whole
    if body and len(compose(title, ELLIPSIS)) <= most:
        return _longest(lambda points: compose(title, shortened(body, points)), len(body), most)
    if len(compose("", None)) > most:
        return None
    return _longest(lambda points: compose(shortened(title, points), None), len(title), most)


def _longest(compose: Callable[[int], bytes], points: int, most: int) -> bytes:
    """Return `compose` of the largest number up to `points` that fits; 0 is known to fit."""
    low, high = 0, points
    while low < high:
        middle = (low + high + 1) // 2
        if len(compose(middle)) <= most:
            low = middle
        else:
            high = middle - 1
    return compose(low)


def _continues(character: str) -> bool:
    """Whether a character belongs to the one before it: accents, variation selectors, joiners, skin tones."""
    return character == JOINER or unicodedata.category(character) in ("Mn", "Mc", "Me") or ord(character) in _SKIN_TONES
