"""The printed summary: templates/pdf/summary.html through the press."""

import logging
from functools import cache

import segno
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from screening.reports.press import ROOT, Printed, press
from screening.reports.renderer import Attached, Page
from screening.reports.summary import Summary, translations

log = logging.getLogger("screening")


def print_summary(
    summary: Summary, *, paper: str = "A4", attached: Attached | None = None, to_be_signed: bool = False
) -> Printed:
    """The summary as a PDF on `A4` or `Letter` paper. Raises PrintingFailed."""

    def page(missing: frozenset[str]) -> Page:
        html = summary_html(summary, paper=paper, missing=missing)
        return Page(html=html, style="pdf.css", to_be_signed=to_be_signed, attached=attached)

    printed = press().print(page(frozenset()))
    if not printed.missing:
        return printed
    log.warning("a summary has characters without a glyph; their code points are printed")
    return Printed(press().print(page(printed.missing)).content, printed.missing)


def summary_html(summary: Summary, *, paper: str, missing: frozenset[str] = frozenset()) -> str:
    """The HTML that is printed. Everything the patient wrote is escaped; what is `missing` shown by code points."""
    # It holds nothing about the patient.
    address = f"{summary.verify_at}?code={summary.check_code}"
    qr = qr_code(address, f"QR: {address}") if summary.check_code else ""
    environment = _environment(summary.language)
    html = environment.get_template("pdf/summary.html").render(
        summary=summary, paper=paper.lower(), qr=qr, missing=bool(missing)
    )
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
