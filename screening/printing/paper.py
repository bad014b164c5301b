"""What patients get on paper: the form to fill in with a pen, the leaflet, their own copy.

Never an outcome.
"""

from datetime import datetime
from functools import lru_cache
from typing import Any

import segno
from babel.dates import format_date, format_time
from babel.dates import get_timezone as timezone

from screening.domain.assessment import Screening
from screening.domain.invitation import Invitation
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
    html = _page(
        template, book, settings, large=size == "large", date_parts=parts, places=places, who=who
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
    html = _page(
        "copy",
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


def slip(
    invitation: Invitation, book: RuleBook, settings: Settings, *, address: str, until: datetime
) -> Printed:
    """What a patient is handed or sent: the link, as QR code and to be typed.

    Raises PrintingFailed.
    """
    locale = settings.locale(book.language)
    zone = timezone(settings.clinic_timezone)
    at = invitation.appointment and invitation.appointment.astimezone(zone)
    when = (
        f"{format_date(at, 'full', locale)}, {format_time(at, 'short', locale=locale)}"
        if at
        else ""
    )
    html = _page(
        "slip",
        book,
        settings,
        invitation=invitation,
        when=when,
        address=address,
        qr=segno.make(address, error="m", micro=False).png_data_uri(border=4),
        until=format_date(until.astimezone(zone), "long", locale),
    )
    return print_page(html, style=STYLE)


def _page(
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
