"""What `check_translations.py` finds that would stay English on a page in another language."""

from __future__ import annotations

import re

import pytest
from babel.messages.pofile import read_po

from tests.check_translations import CATALOGUES, collected, every_text, not_collected

IMPORTS = (
    "from flask_babel import gettext as _, lazy_gettext as _l, lazy_ngettext, ngettext, {} as {}\n"
)

# Quotation marks of another kind, and words that only one side of the Atlantic uses.
REFUSED_IN_SPANISH = re.compile('[“”"]|\\b(puls[eaó]r?|ordenador|móvil|comprimidos)\\b')


def found(
    call: str, function: str = "gettext", name: str = "gettext", known: tuple[str, ...] = ()
) -> list[str]:
    return list(not_collected(IMPORTS.format(function, name) + call, set(known)))


@pytest.mark.parametrize(
    "call",
    [
        '_("Yes")',
        '_l("Yes")',
        'ngettext("One", "Many", 2)',
        'lazy_ngettext("One", "Many", 2)',
        'self.ngettext("One", "Many", 2)',
        'N_("Yes")',
    ],
)
def test_every_form_of_call_needs_its_texts_in_the_catalogue(call: str) -> None:
    assert found(call, known=("Yes", "One", "Many")) == []
    assert found(call)
    assert all("is not collected" in message for message in found(call))


@pytest.mark.parametrize(
    "text", ['f"Hello {name}"', '"Hello " + name', '"Yes" if sure else "No"', "2"]
)
def test_a_text_put_together_in_the_call_is_a_fault(text: str) -> None:
    assert found(f"_({text})") == [f"line 2: {text.replace(chr(34), chr(39))} is not collected"]


def test_a_text_that_is_marked_elsewhere_is_none() -> None:
    assert found("_(REASONS[fault])") == []


@pytest.mark.parametrize(
    ("function", "name"),
    [("gettext", "say"), ("lazy_gettext", "later"), ("lazy_ngettext", "_l"), ("ngettext", "_")],
)
def test_a_function_under_a_name_of_which_nothing_is_collected_is_a_fault(
    function: str, name: str
) -> None:
    assert found("", function, name) == [
        f"line 1: {function} is called {name}, a name that is not collected"
    ]


def test_lazy_texts_of_pages_are_collected() -> None:
    assert {"Enter your name", "Enter the patient’s name"} <= every_text(collected())


def test_spanish_pages_have_one_kind_of_quotation_marks_and_no_words_of_one_country() -> None:
    with (CATALOGUES / "es/LC_MESSAGES/messages.po").open("rb") as file:
        interface = [
            text for message in read_po(file) if message.id for text in [message.string or ""]
        ]
    said = [
        text for entry in interface for text in (entry if isinstance(entry, tuple) else (entry,))
    ]
    assert len(said) > 500
    assert [text for text in said if REFUSED_IN_SPANISH.search(text)] == []
