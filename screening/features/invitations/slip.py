"""The slip of an invitation: its link on paper, for the patient."""

from datetime import datetime

import segno
from babel.dates import format_date, format_time
from babel.dates import get_timezone as timezone

from screening.domain.rules import RuleBook
from screening.features.invitations.invitation import Invitation
from screening.printing.paper import STYLE, page
from screening.printing.pdf import print_page
from screening.printing.renderer_process import Printed
from screening.settings import Settings


def printed(
    invitation: Invitation, book: RuleBook, settings: Settings, *, address: str, until: datetime
) -> Printed:
    """Return the slip as a PDF, with the link as QR code and to be typed.

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
    html = page(
        "invitations/slip.html",
        book,
        settings,
        invitation=invitation,
        when=when,
        address=address,
        qr=segno.make(address, error="m", micro=False).png_data_uri(border=4),
        until=format_date(until.astimezone(zone), "long", locale),
    )
    return print_page(html, style=STYLE)
