"""What is printed: a template of templates/pdf, filled in, through the press."""

import logging
from collections.abc import Callable
from functools import cache
from typing import Any

import segno
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from screening.reports.press import ROOT, Printed, press
from screening.reports.renderer import Attached, Page
from screening.reports.summary import Summary, translations

log = logging.getLogger("screening")

Html = Callable[[frozenset[str]], str]  # from the characters that have no glyph, which are shown by code points


def print_summary(
    summary: Summary, *, paper: str = "A4", attached: Attached | None = None, to_be_signed: bool = False
) -> Printed:
    """The summary as a PDF on `A4` or `Letter` paper. Raises PrintingFailed."""

    def html(missing: frozenset[str]) -> str:
        return summary_html(summary, paper=paper, missing=missing)

    return print_page(html, style="pdf.css", attached=attached, to_be_signed=to_be_signed)


def print_page(html: Html, *, style: str, attached: Attached | None = None, to_be_signed: bool = False) -> Printed:
    """A page as a PDF in this style sheet; printed again where characters have no glyph. Raises PrintingFailed."""

    def page(missing: frozenset[str]) -> Page:
        return Page(html=html(missing), style=style, to_be_signed=to_be_signed, attached=attached)

    printed = press().print(page(frozenset()))
    if not printed.missing:
        return printed
    log.warning("a page has characters without a glyph; their code points are printed")
    return Printed(press().print(page(printed.missing)).content, printed.missing)


def summary_html(summary: Summary, *, paper: str, missing: frozenset[str] = frozenset()) -> str:
    """The HTML that is printed."""
    # It holds nothing about the patient.
    address = f"{summary.verify_at}?code={summary.check_code}"
    qr = qr_code(address, f"QR: {address}") if summary.check_code else ""
    return filled_in("summary", summary.language, paper=paper, missing=missing, summary=summary, qr=qr)


def filled_in(template: str, language: str, *, paper: str, missing: frozenset[str] = frozenset(), **values: Any) -> str:
    """A template in a language. Everything in `values` is escaped; what is `missing` is shown by code points."""
    found = _environment(language).get_template(f"pdf/{template}.html")
    html = found.render(paper=paper.lower(), missing=bool(missing), **values)
    return html.translate({ord(character): f"[U+{ord(character):04X}]" for character in missing})


@cache
def _environment(language: str) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(ROOT / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    environment.install_gettext_translations(translations(language), newstyle=True)  # type: ignore[attr-defined]
    return environment


def qr_code(text: str, title: str) -> str:
    """A QR code as SVG markup, as large as the place it is put into."""
    return segno.make(text, error="m", micro=False).svg_inline(omitsize=True, border=4, light="#fff", title=title)
