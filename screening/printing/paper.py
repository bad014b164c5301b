"""What patients get on paper: the form to fill in with a pen, the leaflet, their own copy.

Never an outcome.
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
    """One of BLANKS as a PDF, in the language of the book. Raises PrintingFailed."""
    template, _, size = kind.partition("-")
    parts = date_part_order(settings.locale(book.language))
    places = {one.id: follow_up_places(one) for one in book.questions}
    who = respondent_choices(book.language).values()
    html = page(
        f"pdf/{template}.html",
        book,
        settings,
        large=size == "large",
        date_parts=parts,
        places=places,
        who=who,
    )
    return _printed(html(frozenset()))


@lru_cache(maxsize=64)
def _printed(html: str) -> bytes:
    """Printed once: whoever asks for a blank again and again keeps nobody from printing."""
    return print_page(lambda _missing: html, style=STYLE).content


def copy(
    screening: Screening, book: RuleBook, settings: Settings, *, answers: bool = True
) -> Printed:
    """The patient's own record, with the answers or without, as a PDF in the book's language.

    Raises PrintingFailed.
    """
    html = page(
        "pdf/copy.html",
        book,
        settings,
        created=screening.submitted_at.isoformat(timespec="seconds"),
        about=particulars(screening, book, settings),
        rows=[
            (asked, answer)
            for _question, asked, answer in asked_and_answered(screening.answers, book)
            if answers
        ],
        private=private_label(book),
    )
    return print_page(html, style=STYLE)


def page(
    template: str, book: RuleBook, settings: Settings, *, large: bool = False, **values: Any
) -> Html:
    """A template filled in, once it is known which characters have no glyph."""
    direction = settings.locale(book.language).text_direction
    values |= {
        "paper": settings.paper,
        "book": book,
        "clinic": settings,
        "direction": direction,
        "large": large,
    }
    return lambda missing: filled_in(template, book.language, missing=missing, **values)
