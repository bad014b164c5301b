"""An edition of the rule book for those who read and approve it: on a page, and on paper with lines to sign."""

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
    """Return what the template of the whole book needs, as of a day.

    Labels are in the clinic's language.
    """
    language = settings.clinic_language
    edition = books[BASE_LANGUAGE].edition
    return {
        "books": books,
        "book": books.get(language, books[BASE_LANGUAGE]),
        "edition": edition,
        "places": {
            code: {one.id: follow_up_places(one) for one in book.questions}
            for code, book in books.items()
        },
        "names": {
            code: Locale.parse(code, sep="-").get_display_name(language) or code for code in books
        },
        "labels": {one: label(one, language) for one in Severity},
        "standing": standing(edition, language, on=on, own=_own),
    }


def _own(text: str) -> str:
    return isolated(text) if has_right_to_left(text) else text
