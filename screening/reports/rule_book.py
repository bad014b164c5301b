"""An edition of the rule book for those who read and approve it: on a page, and on paper with lines to sign."""

from collections.abc import Mapping
from datetime import date
from functools import partial
from typing import Any

from babel import Locale

from screening.domain.comparison import Comparison
from screening.domain.rules import BASE_LANGUAGE, RuleBook, Severity
from screening.reports.directions import has_right_to_left, isolated
from screening.reports.paper import STYLE, follow_up_places
from screening.reports.pdf import filled_in, print_page
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


def printed(
    books: Books, comparison: Comparison | None, settings: Settings, *, on: date, needed: int
) -> bytes:
    """Return the edition as a PDF. Raises PrintingFailed."""
    given = values(books, settings, on=on) | {
        "comparison": comparison,
        "needed": needed,
        "paper": settings.paper,
    }
    direction = settings.locale(given["book"].language).text_direction
    given |= {"clinic": settings, "direction": direction, "large": False}
    html = partial(filled_in, "rule_book", settings.clinic_language, **given)
    return print_page(lambda missing: html(missing=missing), style=STYLE).content
