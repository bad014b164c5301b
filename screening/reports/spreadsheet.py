"""Tables for spreadsheets (CSV): screenings, and cells that no spreadsheet takes for a formula."""

import csv
import re
from collections.abc import Iterable
from typing import TextIO

from screening.domain.assessment import Assessment, Screening
from screening.domain.rules import RuleBook

# without the mark, a spreadsheet takes a file for one in the machine's own encoding
ENCODING = "utf-8-sig"
FIXED = (
    *("reference", "sent", "language", "patient", "born", "visit", "respondent", "respondent_name"),
    *("paper_date", "typed_by"),
    *("outcome", "findings", "status", "decision", "rule_book", "approved_by"),
)
# The places at which a spreadsheet could begin a cell, whatever its separator, and where a formula
# could begin, or an apostrophe stands, which may be ours.
_HARMFUL = re.compile(r"""^(?=[\t\r\n])|(?:^|(?<=[,;\t\r\n]))(?='|[\s"']*[=+\-@＝＋－＠])""")


def columns(book: RuleBook) -> list[str]:
    """Return the headings of the columns."""
    return [*FIXED, *(item.id for item in book.asked())]


def row(screening: Screening, assessment: Assessment, book: RuleBook) -> dict[str, str]:
    """Return one screening by column, with established answers in place of the patient's."""
    patient = screening.patient
    review = screening.review
    answers = screening.established
    values = {item.id: answers.value(item.id) or "" for item in book.asked()}
    return {
        "reference": screening.reference,
        "sent": screening.submitted_at.isoformat(timespec="seconds"),
        "language": screening.language,
        "patient": patient.name,
        "born": patient.birth_date.isoformat(),
        "visit": patient.visit,
        "respondent": patient.respondent.role if patient.respondent else "",
        "respondent_name": patient.respondent.name if patient.respondent else "",
        "paper_date": patient.paper.filled_in_at.date().isoformat() if patient.paper else "",
        "typed_by": patient.paper.typed_by if patient.paper else "",
        "outcome": assessment.outcome.word,
        "findings": "; ".join(finding.rule for finding in assessment.findings),
        "status": screening.status.value,
        "decision": review.decision.value if review else "",
        "rule_book": f"{book.edition.id} {book.edition.version}",
        "approved_by": "; ".join(
            f"{approval.by} {approval.on.isoformat()}" for approval in book.edition.approvals
        ),
        **{
            asked: "; ".join(value) if isinstance(value, tuple) else value
            for asked, value in values.items()
        },
    }


def write_row(file: TextIO, cells: Iterable[object], *, is_log: bool = False) -> None:
    """Write one line of CSV with harmless cells, which are in quotes unless it `is_log`.

    Needs a file opened with `newline=""`.
    """
    lines = (
        csv.writer(file, lineterminator="\n") if is_log else csv.writer(file, quoting=csv.QUOTE_ALL)
    )
    lines.writerow(harmless(str(cell)) for cell in cells)


def harmless(text: str) -> str:
    """Return the text with an apostrophe before each possible formula.

    A spreadsheet can begin a cell at the beginning of the text, and after a comma, semicolon, tab
    or line break. An apostrophe in such a place gets another one. Removing one apostrophe in each
    of these places therefore restores the text.
    """
    return _HARMFUL.sub("'", text)
