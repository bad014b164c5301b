"""An edition of the rule book on paper, with lines to sign."""

from datetime import date
from functools import partial

from screening.domain.comparison import Comparison
from screening.printing.paper import STYLE
from screening.printing.pdf import print_page
from screening.reports.rule_book import Books, values
from screening.reports.templates import filled_in
from screening.settings import Settings


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
    html = partial(filled_in, "pdf/rule_book.html", settings.clinic_language, **given)
    return print_page(lambda missing: html(missing=missing), style=STYLE).content
