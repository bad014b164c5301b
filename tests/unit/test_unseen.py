"""Characters that cannot be seen are taken away, except those that shape letters or emoji."""

from __future__ import annotations

import sys
import unicodedata
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from screening.domain.answers import name_fault, text_fault, tidy
from screening.domain.case import read_case
from screening.domain.unseen import without_unseen
from screening.services.people import normal_name
from tests.unit.small_book import books

every_case = settings(deadline=None, derandomize=True, max_examples=300)

DIRECTION = [
    "\u200e",
    "\u200f",
    "\u061c",
    *map(chr, range(0x202A, 0x202F)),
    *map(chr, range(0x2066, 0x206A)),
]
HIDDEN = [
    "\u200b",
    "\u2060",
    "\ufeff",
    "\u00ad",
    "\u034f",
    "\u180e",
    "\u2063",
    "\u206f",
    "\ufff9",
    "\u115f",
    "\u17b4",
]
SELECTORS = ["\ufe00", "\ufe0e", "\ufe0f", "\U000e0100", "\U000e0041", "\U000e007f", "\u180b"]
JOINERS = ["\u200c", "\u200d"]
UNSEEN = [*DIRECTION, *HIDDEN, *SELECTORS]


def numbered(character: str) -> str:
    return f"U+{ord(character):04X}"


@pytest.mark.parametrize("unseen", [*UNSEEN, *JOINERS], ids=numbered)
def test_what_cannot_be_seen_is_taken_out_of_latin_words(unseen: str) -> None:
    assert tidy(f"{unseen}An{unseen}a{unseen} {unseen}Ruiz{unseen}{unseen}") == "Ana Ruiz"
    assert tidy(f"e{unseen}\u0301") == "é"


@pytest.mark.parametrize(
    "unseen", [*UNSEEN, *JOINERS, "\u3164", "\u2800", "\u2028", "\u00a0"], ids=numbered
)
def test_a_text_of_nothing_that_can_be_seen_is_empty(unseen: str) -> None:
    assert tidy(unseen) == tidy(f" {unseen} {unseen}\n", lines=True) == ""


# What was refused when it was tried, and its kind.
TRIALS = [
    ("\u200f\u05d3\u05d5\u05d3 \u05dc\u05d5\u05d9", "\u05d3\u05d5\u05d3 \u05dc\u05d5\u05d9"),
    ("Ana\u200bRuiz", "AnaRuiz"),
    ("since\u200b Monday", "since Monday"),
    (
        "\u0645\u0646\u0630\u200f 3 \u0623\u064a\u0627\u0645",
        "\u0645\u0646\u0630 3 \u0623\u064a\u0627\u0645",
    ),
    ("\ufeffAna", "Ana"),
    ("\u2068Ana\u2069\u202c", "Ana"),
    ("Schmidt\u00adbauer", "Schmidtbauer"),
    ("\u845b\U000e0100\u57ce", "\u845b\u57ce"),
    ("3\ufe0f days", "3 days"),
]


@pytest.mark.parametrize(("typed", "kept"), TRIALS, ids=ascii)
def test_trials_are_accepted_as_they_are_seen(typed: str, kept: str) -> None:
    assert tidy(typed) == kept
    assert name_fault(tidy(typed)) is None
    assert text_fault(tidy(typed, lines=True), 500, lines=True) is None


@pytest.mark.parametrize(
    "separator", ["\r\n", "\r", "\x0b", "\x0c", "\x85", "\u2028", "\u2029"], ids=ascii
)
def test_every_line_end_is_a_line_end(separator: str) -> None:
    assert tidy(f"rash{separator}fever", lines=True) == "rash\nfever"
    assert tidy(f"Ana{separator}Ruiz") == "Ana Ruiz"


@pytest.mark.parametrize("blank", ["\u3164", "\uffa0", "\u2800"], ids=numbered)
def test_a_letter_that_looks_like_a_space_is_one(blank: str) -> None:
    assert tidy(f"Ana{blank}Ruiz{blank}") == "Ana Ruiz"


KEPT = {
    "Persian non-joiner": "\u0639\u0644\u06cc\u200c\u0631\u0636\u0627",
    "Urdu joiner at the end of an abbreviation": "\u0647\u200d",
    "Hindi half letter": "\u0936\u094d\u200d\u092f\u093e\u092e",
    "Hindi visible virama": "\u0915\u094d\u200c\u0937",
    "Bengali ya-phalaa": "\u09b0\u200d\u09cd\u09af",
    "Sinhala rakaransaya": "\u0dc1\u0dca\u200d\u0dbb\u0dd3",
    "Malayalam chillu": "\u0d05\u0d35\u0d28\u0d4d\u200d",
    "Khmer shifter": "\u1794\u17ca\u200c\u17b8",
    "Mongolian variant": "\u182d\u180b\u1820\u180e\u1820",
    "flag of Scotland": "\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f",
    "flag of Chile": "\U0001f1e8\U0001f1f1",
    "rainbow flag": "\U0001f3f3\ufe0f\u200d\U0001f308",
    "health worker": "\U0001f469\U0001f3fd\u200d\u2695\ufe0f",
    "couple with heart": "\U0001f469\u200d\u2764\ufe0f\u200d\U0001f468",
    "family": "\U0001f468\u200d\U0001f469\u200d\U0001f467",
    "broken chain": "\u26d3\ufe0f\u200d\U0001f4a5",
    "key with a digit": "3\ufe0f\u20e3",
    "heart as text": "\u2764\ufe0e",
    "copyright": "\u00a9\ufe0f",
}


@pytest.mark.parametrize("text", KEPT.values(), ids=KEPT.keys())
def test_what_shapes_letters_or_an_emoji_stays(text: str) -> None:
    assert tidy(f"{text} {text}") == f"{text} {text}"
    assert text_fault(text, 500) is None


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("\u0639\u0644\u06cc\u200c \u0631\u0636\u0627", "\u0639\u0644\u06cc \u0631\u0636\u0627"),
        ("\u0639\u200c\u200c\u0644", "\u0639\u200c\u0644"),
        ("\U0001f469\u200d", "\U0001f469"),
        ("a\u200d\U0001f469", "a\U0001f469"),
        ("\U0001f3f4\U000e0067\U000e0062", "\U0001f3f4"),
        (
            "\U0001f3f4"
            + "".join(chr(0xE0000 + ord(letter)) for letter in "hiddenwords")
            + "\U000e007f",
            "\U0001f3f4",
        ),
        ("\u2764\ufe0f\ufe0f", "\u2764\ufe0f"),
        ("\u0e2a\u200c\u0e21", "\u0e2a\u0e21"),
        ("\uae40\u200d\ubbfc", "\uae40\ubbfc"),
    ],
    ids=ascii,
)
def test_what_shapes_nothing_where_it_stands_is_taken_away(typed: str, kept: str) -> None:
    assert tidy(typed) == kept


def test_a_text_is_not_too_long_for_what_cannot_be_seen() -> None:
    assert tidy("\u200bx" * 500 + "\u200b" * 5000) == "x" * 500


def test_a_case_file_is_read_as_it_is_seen() -> None:
    patient = {
        "name": "\ufeffAna\u200b",
        "birth_date": "\u200e1988-03-12\u200f",
        "visit": "V\u00ad1",
    }
    answers: dict[str, Any] = {
        "infection\u200b": "y\u2060es",
        "infection_symptoms": ["fe\u200bver"],
    }
    answers["infection_since"] = "since\u200b Monday"
    content = {"patient": patient, "language": "en\u200e", "answers": answers}
    case = read_case(books(), content, today=date(2026, 3, 14))
    assert (case.patient.name, case.patient.birth_date, case.patient.visit) == (
        "Ana",
        date(1988, 3, 12),
        "V1",
    )
    assert case.answers.value("infection_symptoms") == ("fever",)
    assert case.answers.value("infection_since") == "since Monday"


def test_a_sign_in_name_is_read_as_it_is_seen() -> None:
    assert normal_name("\u200eDr.Ana\u200b\ufeff ") == "dr.ana"


LETTERS = st.characters(categories=["Lu", "Ll", "Lt", "Lo", "Mn", "Mc", "Nd"]).filter(
    lambda letter: without_unseen(letter) == letter
)


@every_case
@given(
    st.lists(
        st.tuples(LETTERS, st.text(st.sampled_from(UNSEEN), max_size=3)), min_size=1, max_size=12
    )
)
def test_letters_of_any_script_with_unseen_characters_strewn_in_are_kept_as_they_are_seen(
    strewn: list[tuple[str, str]],
) -> None:
    # Variants of Mongolian letters are seen.
    strewn = [
        (letter, unseen.replace("\u180b", "").replace("\u180e", "")) for letter, unseen in strewn
    ]
    typed = "".join(map("".join, strewn))
    seen = "".join(letter for letter, _ in strewn)
    assert tidy(typed) == unicodedata.normalize("NFC", seen).strip()
    has_letter = any(unicodedata.category(character)[0] in "LN" for character in seen)
    assert not has_letter or name_fault(tidy(typed)) == name_fault(tidy(seen))


@every_case
@given(
    st.text(
        st.sampled_from(
            [
                *UNSEEN,
                *JOINERS,
                *map(chr, range(0x1F468, 0x1F46A)),
                *"a1\u0639\u0915\u094d\u2764\u20e3 \n",
            ]
        )
    )
)
def test_what_was_cleaned_once_stays_as_it_is(text: str) -> None:
    assert tidy(tidy(text)) == tidy(text)


def test_every_format_character_is_unseen_or_prints() -> None:
    """Those that stay are printed before or around digits, or belong to hieroglyphs."""
    kept = [
        character
        for character in map(chr, range(sys.maxunicode))
        if unicodedata.category(character) == "Cf" and without_unseen(f"a{character}b") != "ab"
    ]
    assert {unicodedata.name(character).split()[0] for character in kept} == {
        "ARABIC",
        "SYRIAC",
        "KAITHI",
        "EGYPTIAN",
    }
