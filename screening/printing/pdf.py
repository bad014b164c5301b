"""Printing of a page: a template is filled in and sent to the renderer."""

import json
import logging
from collections.abc import Callable, Mapping
from functools import partial

import segno

from screening.domain.assessment import Assessment, Screening
from screening.domain.rules import RuleBook
from screening.printing.page import Attached, Page
from screening.printing.renderer_process import Printed, current_renderer
from screening.reports import fhir
from screening.reports.summary import Summary
from screening.reports.templates import filled_in

log = logging.getLogger("screening")

# makes the page, given the characters that have no glyph, which it shows by their code points
Html = Callable[[frozenset[str]], str]


def print_summary(
    summary: Summary,
    *,
    paper: str = "A4",
    attached: Attached | None = None,
    to_be_signed: bool = False,
) -> Printed:
    """Return the summary as a PDF on `A4` or `Letter` paper. Raises PrintingFailed."""
    html = partial(summary_html, summary, paper)
    return print_page(html, style="pdf.css", attached=attached, to_be_signed=to_be_signed)


def print_page(
    html: Html, *, style: str, attached: Attached | None = None, to_be_signed: bool = False
) -> Printed:
    """Return a page as a PDF in this style sheet, printed again if characters have no glyph.

    Raises PrintingFailed.
    """

    def page(missing: frozenset[str]) -> Page:
        return Page(html=html(missing), style=style, to_be_signed=to_be_signed, attached=attached)

    printed = current_renderer().print(page(frozenset()))
    if not printed.missing:
        return printed
    log.warning("a page has characters without a glyph; their code points are printed")
    return Printed(current_renderer().print(page(printed.missing)).content, printed.missing)


def summary_html(summary: Summary, paper: str, missing: frozenset[str] = frozenset()) -> str:
    """Return the HTML of the printed summary."""
    # The address holds nothing about the patient.
    address = f"{summary.verify_at}?code={summary.check_code}"
    qr = ""
    if summary.check_code:
        qr = segno.make(address, error="m", micro=False).png_data_uri(border=4)
    return filled_in(
        "pdf/summary.html",
        summary.language,
        paper=paper,
        missing=missing,
        summary=summary,
        qr=qr,
        address=address,
    )


def fhir_attachment(
    screening: Screening, assessment: Assessment, books: Mapping[str, RuleBook], *, base: str
) -> Attached:
    """Return the FHIR Bundle as the file that a printed summary carries."""
    bundle = fhir.bundle(screening, assessment, books, base=base)
    return Attached(
        name="questionnaire-response.json",
        description="The answers and findings as a FHIR R4 Bundle",
        content=json.dumps(bundle, ensure_ascii=False, separators=(",", ":")),
        created=screening.changed_at.isoformat(timespec="seconds"),
    )
