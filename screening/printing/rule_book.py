"""An edition of the rule book on paper, with space for signatures."""

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
    page_values = values(books, settings, on=on)
    page_values |= {"clinic": settings, "paper": settings.paper, "large": False}
    page_values |= {"comparison": comparison, "needed": needed}
    page_values["direction"] = settings.locale(page_values["book"].language).text_direction
    html = partial(filled_in, "pdf/rule_book.html", settings.clinic_language, **page_values)
    return print_page(lambda missing: html(missing=missing), style=STYLE).content
