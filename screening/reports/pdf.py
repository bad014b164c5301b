"""The printed summary: templates/pdf/summary.html through WeasyPrint, which may fetch nothing."""

import atexit
import logging
import threading
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import segno
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from screening.reports import conformance, fonts
from screening.reports.summary import Summary, translations

ROOT = Path(__file__).parent.parent.parent
STYLE = ROOT / "static" / "css" / "pdf.css"

log = logging.getLogger("screening")


class PrintedSummary(NamedTuple):
    """The PDF's bytes, and the characters that have no glyph: the page shows them by their code points."""

    content: bytes
    missing: frozenset[str]


def print_summary(summary: Summary, *, paper: str = "A4") -> PrintedSummary:
    """The summary as a PDF on `A4` or `Letter` paper. Raises CannotPrint where something is not installed."""
    printed = _press().print(summary_html(summary, paper=paper))
    if not printed.missing:
        return printed
    log.warning("a summary has characters without a glyph; their code points are printed")
    again = _press().print(summary_html(summary, paper=paper, missing=printed.missing))
    return PrintedSummary(again.content, printed.missing)


def summary_html(summary: Summary, *, paper: str, missing: frozenset[str] = frozenset()) -> str:
    """The HTML that is printed. Everything the patient wrote is escaped; what is `missing` shown by code points."""
    # For a hand-held scanner; it holds nothing about the patient.
    text = f"{summary.reference} {summary.check_code}"
    qr = qr_code(text, f"QR: {text}") if summary.check_code else ""
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


class CannotPrint(Exception):
    """Something that printing needs is not installed. Says which command installs it."""


class _Press:
    """WeasyPrint with one font configuration and one parsed style sheet, both used for every page printed.

    A new font configuration for each page would take longer and leak memory.
    """

    def __init__(self) -> None:
        fonts.use_own_fonts()
        # Imported here: WeasyPrint reads the font configuration when it is imported, and takes a while.
        try:
            from weasyprint import CSS, HTML
            from weasyprint.text.fonts import FontConfiguration
            from weasyprint.urls import FatalURLFetchingError, URLFetcher
        except OSError as err:
            raise CannotPrint(
                "WeasyPrint does not find Pango; run: apt-get install libpango-1.0-0 libpangoft2-1.0-0"
            ) from err

        class RefuseAll(URLFetcher):  # type: ignore[misc]
            """Fetches nothing. Only this error stops WeasyPrint: others it swallows, and prints without the part."""

            def fetch(self, url: str, headers: Any = None) -> NoReturn:
                raise FatalURLFetchingError(f"a printed page asked for {url[:100]!r}")

        self._html = HTML
        self._refuse = RefuseAll(allowed_protocols=())
        self._fonts = FontConfiguration()
        self._style = CSS(string=STYLE.read_text(encoding="utf-8"), url_fetcher=self._refuse, font_config=self._fonts)
        self._lock = threading.Lock()  # Pango's font maps are not for two threads at once

    def print(self, html: str) -> PrintedSummary:
        """The page as a tagged PDF."""
        with self._lock:
            document = self._html(string=html, url_fetcher=self._refuse, media_type="print").render(
                font_config=self._fonts, stylesheets=[self._style]
            )
            conformance.identify(document)
            content: bytes = document.write_pdf(pdf_variant=conformance.VARIANT, finisher=conformance.repair)
            missing = frozenset(chr(code) for font in document.fonts.values() for code in font.missing)
        return PrintedSummary(content, missing)


@cache
def _press() -> _Press:
    # Let go of Pango's fonts before the interpreter takes itself apart, in whatever order that may be.
    atexit.register(_press.cache_clear)
    return _Press()
