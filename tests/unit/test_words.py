"""Texts that people type, names and dates of birth: what is kept as typed, what is refused."""

from __future__ import annotations

from datetime import date

import pytest

from screening.domain.answers import (
    Fault,
    birth_date_fault,
    name_fault,
    text_fault,
    tidy,
    visit_fault,
    with_faults_shown,
)
from tests.builders import answers_of
from tests.unit.small_book import book

TODAY = date(2026, 3, 14)

# Where the zero-width joiner or non-joiner is part of how a word is spelt.
PERSIAN = "\u0639\u0644\u06cc\u200c\u0631\u0636\u0627"  # Alireza
DEVANAGARI = "\u0936\u094d\u200d\u092f\u093e\u092e"  # Shyam


def own_words(text: str) -> object:
    return answers_of(book(), infection="yes", infection_since=text).value("infection_since")


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("  a rash  ", "a rash"),
        ("Jose\u0301", "Jos\u00e9"),
        ("\u212b", "\u00c5"),
        ("one\r\ntwo\rthree\nfour", "one\ntwo\nthree\nfour"),
        ("\n\n swollen \t lips \r\n", "swollen \t lips"),
        ("UPPER  two spaces", "UPPER  two spaces"),
        ("\uff26\uff55\uff4c\uff4c", "\uff26\uff55\uff4c\uff4c"),
        ("<b>&amp;", "<b>&amp;"),
        (PERSIAN, PERSIAN),
        ("\U0001f469\u200d\u2695\ufe0f", "\U0001f469\u200d\u2695\ufe0f"),
    ],
)
def test_words_are_kept_as_typed_in_one_normal_form(typed: str, kept: str) -> None:
    assert tidy(typed, lines=True) == kept
    assert own_words(typed) == kept


CONTROL = ["\x00", "\x07", "\x08", "\x1b", "\x7f", "\x9f", "\ud800"]


@pytest.mark.parametrize("character", [*CONTROL, "\u0301" * 9], ids=ascii)
def test_control_characters_and_piles_of_marks_are_refused_everywhere_and_can_be_shown(
    character: str,
) -> None:
    text = f"x{character}b"
    assert text_fault(tidy(text, lines=True), 500, lines=True) is Fault.CONTROL_CHARACTER
    assert text_fault(tidy(text), 500) is Fault.CONTROL_CHARACTER
    assert name_fault(tidy(text)) is Fault.CONTROL_CHARACTER
    assert visit_fault(tidy(text)) is Fault.CONTROL_CHARACTER
    assert with_faults_shown(tidy(text)) == "x\ufffdb"


@pytest.mark.parametrize("character", ["\n", "\t"])
def test_line_ends_and_tabs_belong_in_own_words_but_not_in_a_name(character: str) -> None:
    text = f"a{character}b"
    assert text_fault(text, 500, lines=True) is None
    assert name_fault(text) is Fault.CONTROL_CHARACTER
    assert visit_fault(text) is Fault.CONTROL_CHARACTER
    assert tidy(text) == "a b"


@pytest.mark.parametrize("word", [PERSIAN, DEVANAGARI])
def test_joiners_that_scripts_need_are_accepted_everywhere(word: str) -> None:
    assert own_words(word) == word
    assert name_fault(word) is None
    assert visit_fault(word) is None


@pytest.mark.parametrize(
    "name",
    [
        "María José Carreño Quiñones",
        "Zoë Ångström-Łukasiewicz",
        "محمد بن عبد الله",
        PERSIAN,
        "王小明",
        "Дмитрий Иванович Щербаков",
        "अनुष्का शर्मा",
        DEVANAGARI,
        "Γιώργος Παπαδόπουλος",
        "Nguyễn Thị Minh Khai",
        "Siobhán O’Connor",
        "D'Angelo",
        "Sukarno",
        "O",
        "Jean-Luc de la Tour, Jr.",
        "Anna 3rd",
    ],
)
def test_a_name_in_any_script_and_of_any_number_of_words_is_accepted(name: str) -> None:
    assert name_fault(tidy(name)) is None


@pytest.mark.parametrize("typed", ["", "   ", "\n", "\u3000", "\u00a0", "\u200d", "\u0301", "--"])
def test_a_name_of_nothing_is_missing(typed: str) -> None:
    assert name_fault(tidy(typed)) is Fault.MISSING


@pytest.mark.parametrize(
    ("fault_of", "longest"), [(name_fault, 120), (visit_fault, 40)], ids=["name", "visit"]
)
def test_names_and_visit_references_have_a_longest_length(fault_of, longest) -> None:
    assert fault_of(tidy("e\u0301" * longest)) is None
    assert fault_of("é" * (longest + 1)) is Fault.TOO_LONG


def test_own_words_have_a_longest_length_counted_after_tidying() -> None:
    assert own_words(" " * 100 + "e\u0301" * 500 + "\r\n") == "é" * 500
    assert text_fault("x" * 501, 500) is Fault.TOO_LONG


def test_a_visit_reference_may_be_left_out() -> None:
    assert visit_fault("") is None
    assert visit_fault("2026/114-B") is None


@pytest.mark.parametrize(
    ("born", "fault"),
    [
        (date(1988, 3, 12), None),
        (TODAY, None),
        (date(2026, 3, 15), Fault.IN_FUTURE),
        (date(9999, 12, 31), Fault.IN_FUTURE),
        (date(1896, 1, 1), None),
        (date(1895, 12, 31), Fault.TOO_LONG_AGO),
        (date(1, 1, 1), Fault.TOO_LONG_AGO),
        (date(2024, 2, 29), None),
    ],
)
def test_a_date_of_birth_is_neither_in_the_future_nor_too_long_ago(
    born: date, fault: Fault | None
) -> None:
    assert birth_date_fault(born, today=TODAY) is fault
