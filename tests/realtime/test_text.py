"""Blank texts, and names that others see."""

import sys
import unicodedata

import pytest

from realtime.wire.errors import Invalid
from realtime.wire.text import checked_name, is_blank


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "\n\t", "\u00a0", "\u200b", "\u2060", "\u00ad", "\ufeff", "\u3164", "\u2800", "\u202e"),
        *("\u115f\u1160", "\uffa0", "\u034f", "\u180e", "\ufe0f", "\U000e0041", "\x07", "\u200b \u2063\n\u2800"),
    ],
)
def test_a_text_that_shows_nothing_is_blank(text: str) -> None:
    assert is_blank(text)


@pytest.mark.parametrize(
    "text",
    [
        "a",
        "\u200ba",
        ".",
        "0",
        "\u0308",
        "👍🏽",
        "👩\u200d👧",
        "1\ufe0f\u20e3",
        "🏴\U000e0067\U000e007f",
        "م",
        "\ue000",
        "\U0001fae8",
    ],
)
def test_a_text_that_shows_anything_is_not_blank(text: str) -> None:
    assert not is_blank(text)


def test_every_letter_digit_punctuation_mark_and_symbol_shows_something() -> None:
    fillers = {"\u115f", "\u1160", "\u3164", "\uffa0", "\u2800"}
    for code in range(sys.maxunicode + 1):
        character = chr(code)
        if unicodedata.category(character)[0] in "LNPS" and character not in fillers:
            assert not is_blank(character), hex(code)


def test_a_name_is_stripped_and_composed() -> None:
    assert checked_name("  Zoe\u0308 \n", field="name", most=64) == "Zo\u00eb"
    assert checked_name(" ", field="name", most=64) == ""


@pytest.mark.parametrize(
    "name",
    [
        "\U0001f469\u200d\U0001f467 Ana",
        "\u0646\u0627\u0645\u200c\u0647\u0627",
        "\u200f\u05e9\u05dc\u05d5\u05dd",
        "O\u2019Neil (she/her)",
        "名前",
    ],
)
def test_names_of_all_scripts_stay_as_they_are(name: str) -> None:
    assert checked_name(name, field="name", most=64) == name


@pytest.mark.parametrize(
    ("name", "why"),
    [
        *((f"a{character}b", "line breaks") for character in "\n\r\t\x00\x85\u2028\u2029\u202a\u202e\u2066\u2069"),
        ("\u200b", "show something"),
        ("\u3164\u2800", "show something"),
        ("x" * 65, "longer than 64"),
        ("\u0958" * 33, "longer than 64"),  # composed, each becomes two code points
    ],
)
def test_a_name_that_misleads_shows_nothing_or_is_too_long_is_refused(name: str, why: str) -> None:
    with pytest.raises(Invalid, match=f"^name: .*{why}"):
        checked_name(name, field="name", most=64)
