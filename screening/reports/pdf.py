"""What is printed: a template of templates/pdf, filled in, through the press."""

import logging
from collections.abc import Callable
from functools import cache, partial
from typing import Any

import segno
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from screening.reports.directions import with_elements
from screening.reports.press import ROOT, Printed, press
from screening.reports.renderer import Attached, Page
from screening.reports.summary import Summary, translations

NOT_IN_XML = (*range(9), 11, 12, *range(14, 32), 0xFFFE, 0xFFFF)
log = logging.getLogger("screening")

# from the characters that have no glyph, which are shown by code points
Html = Callable[[frozenset[str]], str]


def print_summary(
    summary: Summary,
    *,
    paper: str = "A4",
    attached: Attached | None = None,
    to_be_signed: bool = False,
) -> Printed:
    """The summary as a PDF on `A4` or `Letter` paper. Raises PrintingFailed."""
    html = partial(summary_html, summary, paper)
    return print_page(html, style="pdf.css", attached=attached, to_be_signed=to_be_signed)


def print_page(
    html: Html, *, style: str, attached: Attached | None = None, to_be_signed: bool = False
) -> Printed:
    """A page as a PDF in this style sheet; printed again where characters have no glyph.

    Raises PrintingFailed.
    """

    def page(missing: frozenset[str]) -> Page:
        return Page(html=html(missing), style=style, to_be_signed=to_be_signed, attached=attached)

    printed = press().print(page(frozenset()))
    if not printed.missing:
        return printed
    log.warning("a page has characters without a glyph; their code points are printed")
    return Printed(press().print(page(printed.missing)).content, printed.missing)


def summary_html(summary: Summary, paper: str, missing: frozenset[str] = frozenset()) -> str:
    """The HTML that is printed."""
    # It holds nothing about the patient.
    address = f"{summary.verify_at}?code={summary.check_code}"
    qr = (
        segno.make(address, error="m", micro=False).png_data_uri(border=4)
        if summary.check_code
        else ""
    )
    return filled_in(
        "summary",
        summary.language,
        paper=paper,
        missing=missing,
        summary=summary,
        qr=qr,
        address=address,
    )


def filled_in(
    template: str,
    language: str,
    *,
    paper: str,
    missing: frozenset[str] = frozenset(),
    **values: Any,
) -> str:
    """A template in a language, as HTML and XML at once. Everything in `values` is escaped.

    What is `missing`, or cannot be in XML, is shown by code points.
    """
    found = _environment(language).get_template(f"pdf/{template}.html")
    html = with_elements(found.render(paper=paper.lower(), missing=bool(missing), **values))
    return html.translate({code: f"[U+{code:04X}]" for code in (*NOT_IN_XML, *map(ord, missing))})


def plain_text(template: str, language: str, **values: Any) -> str:
    """Fill in a template in a language. Nothing is escaped."""
    return _environment(language).get_template(template).render(**values)


@cache
def _environment(language: str) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(ROOT / "templates"),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    environment.install_gettext_translations(translations(language), newstyle=True)  # type: ignore[attr-defined]
    return environment
