"""Shortening of texts: between whole characters as a reader sees them, and to fit a size in bytes."""

import json

import pytest

from notifications.providers.fitting import encoded, fitted, shortened

FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
THUMB = "\U0001f44d\U0001f3fd"
ACCENTED = "e\u0301"


@pytest.mark.parametrize(
    ("text", "most", "result"),
    [
        ("hello", 5, "hello"),
        ("hello", 4, "hel…"),
        ("hello", 1, "…"),
        ("hello", 0, ""),
        ("", 0, ""),
        ("one two", 5, "one…"),
        (f"ab{FAMILY}c", 6, "ab…"),
        (f"ab{FAMILY}cd", 8, f"ab{FAMILY}…"),
        (f"a{THUMB}bc", 3, "a…"),
        (f"a{ACCENTED}bc", 3, "a…"),
        (f"a{ACCENTED}bc", 4, f"a{ACCENTED}…"),
        ("\u0301" * 9, 5, "…"),
    ],
)
def test_a_text_is_shortened_between_visible_characters(text: str, most: int, result: str) -> None:
    assert shortened(text, most) == result


def compose(title: str, body: str | None) -> bytes:
    return encoded({"title": title} if body is None else {"title": title, "body": body})


def read(text: bytes | None) -> dict[str, str]:
    assert text is not None
    value = json.loads(text)
    assert isinstance(value, dict)
    return value


@pytest.mark.parametrize("character", ["a", "é", "漢", "\U0001f600", FAMILY, ACCENTED, '"', "\u0000"])
@pytest.mark.parametrize("most", range(100, 140))
def test_a_fitted_text_uses_all_room_but_one_character(character: str, most: int) -> None:
    text = fitted(compose, "Ana", character * 500, most)
    assert text is not None
    assert len(text) <= most
    assert len(text) > most - len(json.dumps(character).encode()) - len(character.encode())
    assert read(text)["title"] == "Ana"
    assert read(text)["body"].endswith("…")
    assert set(read(text)["body"]) <= set(character) | {"…"}


def test_the_body_is_dropped_before_the_title_is_cut() -> None:
    assert read(fitted(compose, "t" * 60, "b" * 60, 100))["title"] == "t" * 60
    assert read(fitted(compose, "t" * 200, "b" * 200, 100)) == {"title": "t" * 85 + "…"}


def test_a_text_that_fits_is_unchanged() -> None:
    exact = compose("Ana", "hello")
    assert fitted(compose, "Ana", "hello", len(exact)) == exact
    assert fitted(compose, "Ana", "hello", len(exact) - 1) != exact


def test_data_too_long_without_text_cannot_be_fitted() -> None:
    assert fitted(compose, "Ana", "hello", 5) is None


def test_a_lone_surrogate_is_replaced() -> None:
    assert read(encoded({"title": "a\ud83db"})) == {"title": "a?b"}
