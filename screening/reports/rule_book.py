"""An edition of the rule book for reading and approval: on a page, and on paper to sign."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from babel import Locale

from screening.domain.rules import BASE_LANGUAGE, RuleBook, Severity
from screening.reports.bidi import has_right_to_left, isolated
from screening.reports.paper import follow_up_places
from screening.reports.summary import label, standing
from screening.settings import Settings

Books = Mapping[str, RuleBook]


def values(books: Books, settings: Settings, *, on: date) -> dict[str, Any]:
    """Return the values of the template of a rule book, as of a day, in the clinic's language."""
    language = settings.clinic_language
    edition = books[BASE_LANGUAGE].edition
    return {
        "books": books,
        "book": books.get(language, books[BASE_LANGUAGE]),
        "edition": edition,
        "places": {
            code: {question.id: follow_up_places(question) for question in book.questions}
            for code, book in books.items()
        },
        "names": {
            code: Locale.parse(code, sep="-").get_display_name(language) or code for code in books
        },
        "labels": {severity: label(severity, language) for severity in Severity},
        "standing": standing(edition, language, on=on, own=_own),
    }


def _own(text: str) -> str:
    return isolated(text) if has_right_to_left(text) else text
