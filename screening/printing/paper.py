"""Papers for patients: the form to fill in with a pen, the leaflet, their own copy.

None shows an outcome.
"""

from functools import lru_cache
from typing import Any

from screening.domain.assessment import Screening
from screening.domain.rules import RuleBook
from screening.printing.pdf import Html, print_page
from screening.printing.renderer_process import Printed
from screening.reports.paper import (
    asked_and_answered,
    date_part_order,
    follow_up_places,
    particulars,
    private_label,
    respondent_choices,
)
from screening.reports.templates import filled_in
from screening.settings import Settings

BLANKS = ("form", "form-large", "leaflet", "leaflet-large")  # the same for everyone
STYLE = "pdf-patient.css"


def blank(kind: str, book: RuleBook, settings: Settings) -> bytes:
    """Return one of BLANKS as a PDF, in the language of the book. Raises PrintingFailed."""
    template, _, size = kind.partition("-")
    html = page(
        f"pdf/{template}.html",
        book,
        settings,
        large=size == "large",
        date_parts=date_part_order(settings.locale(book.language)),
        places={question.id: follow_up_places(question) for question in book.questions},
        who=respondent_choices(book.language).values(),
    )
    return _printed(html(frozenset()))


@lru_cache(maxsize=64)
def _printed(html: str) -> bytes:
    """Return the PDF of a page; it is cached, so that many requests for a blank print it once."""
    return print_page(lambda _missing: html, style=STYLE).content


def copy(
    screening: Screening, book: RuleBook, settings: Settings, *, answers: bool = True
) -> Printed:
    """Return the patient's own record as a PDF in the book's language, with or without the answers.

    Raises PrintingFailed.
    """
    html = page(
        "pdf/copy.html",
        book,
        settings,
        created=screening.submitted_at.isoformat(timespec="seconds"),
        about=particulars(screening, book, settings),
        rows=[
            (wording, answer)
            for _question, wording, answer in asked_and_answered(screening.answers, book)
            if answers
        ],
        private=private_label(book),
    )
    return print_page(html, style=STYLE)


def page(
    template: str, book: RuleBook, settings: Settings, *, large: bool = False, **values: Any
) -> Html:
    """Return a function that fills in the template, given the characters that have no glyph."""
    direction = settings.locale(book.language).text_direction
    values |= {
        "paper": settings.paper,
        "book": book,
        "clinic": settings,
        "direction": direction,
        "large": large,
    }
    return lambda missing: filled_in(template, book.language, missing=missing, **values)
