"""What is printed: a template of templates/pdf, filled in, through the press."""

import atexit
import json
import logging
import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import cache, partial
from typing import Any

import segno

from screening.domain.assessment import Assessment, Screening
from screening.domain.rules import RuleBook, Severity
from screening.printing.renderer import Attached, Page
from screening.printing.renderer_process import Press, Printed
from screening.reports import fhir
from screening.reports.summary import AnswerRow, FindingEntry, ReportedAnswer, Summary
from screening.reports.templates import filled_in

_beginning = threading.Lock()  # two threads at once must not make two
log = logging.getLogger("screening")

# from the characters that have no glyph, which are shown by code points
Html = Callable[[frozenset[str]], str]


def press() -> Press:
    """The press of this process."""
    with _beginning:
        return _press()


@cache
def _press() -> Press:
    made = Press(_sample())
    atexit.register(made.close)

    def begin_anew() -> None:
        # A process forked from this one begins with a press of its own: one line is not for two.
        atexit.unregister(made.close)
        made.forget()
        _press.cache_clear()

    os.register_at_fork(after_in_child=begin_anew)
    return made


def _sample() -> Page:
    """A summary such as most are, of nobody."""
    text = "The quick brown fox jumps over the lazy dog 0123456789"
    some: dict[str, Any] = {
        field.name: text for kind in (Summary, FindingEntry, AnswerRow) for field in fields(kind)
    }
    severity = {"outcome": Severity.CAUTION, "severity": Severity.CAUTION}
    whole = (
        some
        | severity
        | {"language": "en", "direction": "ltr", "created": "2026-11-23T10:00:00+00:00"}
    )
    whole |= {
        "reported": (ReportedAnswer(id=text, topic=text, text=text, row=""),),
        "decision": None,
    }
    finding = FindingEntry(**{field.name: whole[field.name] for field in fields(FindingEntry)})
    row = AnswerRow(**{field.name: whole[field.name] for field in fields(AnswerRow)})
    parts = {"findings": (finding,), "entries": (), "checklist": ((text, "F1"),), "answers": (row,)}
    whole |= {"provenance": (text,), "check_code": "0000-0000-0000", **parts}
    summary = Summary(**{field.name: whole[field.name] for field in fields(Summary)})
    attached = Attached(name="sample.json", description=text, content="{}", created=summary.created)
    return Page(
        html=summary_html(summary, paper="A4"),
        style="pdf.css",
        to_be_signed=True,
        attached=attached,
    )


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


def fhir_attachment(
    screening: Screening, assessment: Assessment, books: Mapping[str, RuleBook], *, base: str
) -> Attached:
    """Return the FHIR Bundle as the file that a printed summary carries."""
    made = fhir.bundle(screening, assessment, books, base=base)
    return Attached(
        name="questionnaire-response.json",
        description="The answers and findings as a FHIR R4 Bundle",
        content=json.dumps(made, ensure_ascii=False, separators=(",", ":")),
        created=screening.changed_at.isoformat(timespec="seconds"),
    )
