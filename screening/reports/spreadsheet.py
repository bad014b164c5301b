"""Tables as spreadsheets save and open them: lists that are read, screenings that are written (CSV)."""

import csv
import io
import json
import re
import subprocess
import sys
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from screening.domain.answers import tidy
from screening.domain.assessment import Assessment, Screening
from screening.domain.rules import RuleBook
from screening.domain.unseen import without_unseen

if TYPE_CHECKING:
    # which imports the library that no server needs to hold
    from screening.reports.workbook import Sheet

# without the mark, a spreadsheet takes a file for one in the machine's own encoding
ENCODING = "utf-8-sig"
FIXED = (
    *("reference", "sent", "language", "patient", "born", "visit", "respondent", "respondent_name"),
    *("paper_date", "typed_by"),
    *("outcome", "findings", "status", "decision", "rule_book", "approved_by"),
)
SEPARATORS = (",", ";", "\t")
MARKS = {BOM_UTF8: "utf-8", BOM_UTF16_LE: "utf-16-le", BOM_UTF16_BE: "utf-16-be"}
# what an empty row consists of, whatever separates its cells
_NOTHING = "".join(SEPARATORS) + " \r\n"
_ZIP = b"PK\x03\x04"  # what .xlsx and .ods begin with, and .xls
_OLE = b"\xd0\xcf\x11\xe0"
_PATIENCE = 30  # seconds for a workbook
# of a cell, each with its marks: more than any field can have. Composing many more would take
# minutes
_LETTERS = 1100
# Where a spreadsheet could begin a cell, however it separates them; and there, what it could take
# for a formula or we have put there.
_HARMFUL = re.compile(r"""^(?=[\t\r\n])|(?:^|(?<=[,;\t\r\n]))(?='|[\s"']*[=+\-@＝＋－＠])""")


class NotReadable(Exception):
    """A file is no table that can be read: its "encoding" or the "workbook" is at fault."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One way to read a file: a sheet of a workbook, or a text with one separator.

    Each row in which something is seen has the number that a spreadsheet shows beside it. `broken`
    is the number of the row after which nothing can be read, or 0. `is_guess` tells that the
    encoding of the letters is only likely.
    """

    rows: list[tuple[int, list[str]]]
    sheet: str = ""
    broken: int = 0
    is_guess: bool = False


def read_tables(content: bytes) -> list[Table]:
    """Each way in which the bytes of a file can be read as a table. Raises NotReadable."""
    if content.startswith((_ZIP, _OLE)):
        return [Table(rows=as_seen(one["rows"]), sheet=one["name"]) for one in _sheets(content)]
    text, is_guess = _decoded(content)
    return [_separated(text, separator, is_guess) for separator in SEPARATORS]


def as_seen(rows: Iterable[tuple[int, list[str]]]) -> list[tuple[int, list[str]]]:
    """The rows with each cell in one line, as a person sees it; without those that are empty then."""
    lines = ((number, [_cell_as_seen(one) for one in cells]) for number, cells in rows)
    return [
        (number, cells) for number, cells in lines if any(cell.strip(_NOTHING) for cell in cells)
    ]


def _cell_as_seen(cell: str) -> str:
    return tidy(" ".join(without_unseen(cell)[:_LETTERS].split()))


def _sheets(content: bytes) -> "list[Sheet]":
    program = Path(__file__).with_name("workbook.py")
    try:
        done = subprocess.run(  # noqa: S603 - all of it is ours
            [sys.executable, "-P", "-s", str(program)],
            input=content,
            capture_output=True,
            check=True,
            timeout=_PATIENCE,
            env={"PYTHONUTF8": "1"},
        )
        return json.loads(done.stdout)  # type: ignore[no-any-return]
    except (subprocess.SubprocessError, ValueError) as err:
        raise NotReadable("workbook") from err


def _decoded(content: bytes) -> tuple[str, bool]:
    """The text of a file, and whether its encoding is a guess. Raises NotReadable."""
    mark = next((one for one in MARKS if content.startswith(one)), b"")
    encoding = MARKS.get(mark, "utf-8")
    if not mark and content.count(0) * 10 > len(
        content
    ):  # a Latin letter, digit or line end is two bytes, one of them 0
        encoding = "utf-16-le" if content[1::2].count(0) > content[::2].count(0) else "utf-16-be"
    try:
        return content[len(mark) :].decode(encoding), False
    except UnicodeDecodeError as err:
        if mark or encoding != "utf-8":
            raise NotReadable("encoding") from err
    try:
        return content.decode("cp1252"), True
    except UnicodeDecodeError as err:
        raise NotReadable("encoding") from err


def _separated(text: str, separator: str, is_guess: bool) -> Table:
    rows = list[tuple[int, list[str]]]()
    number = 0
    try:
        for number, cells in enumerate(
            csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True), 1
        ):
            rows.append((number, cells))
        broken = 0
    except csv.Error:
        broken = number + 1
    return Table(rows=as_seen(rows), broken=broken, is_guess=is_guess)


def columns(book: RuleBook) -> list[str]:
    """The head of the table."""
    return [*FIXED, *(item.id for item in book.asked())]


def row(screening: Screening, assessment: Assessment, book: RuleBook) -> dict[str, str]:
    """One screening by column, with what was established since in place of the patient's answers."""
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
            f"{one.by} {one.on.isoformat()}" for one in book.edition.approvals
        ),
        **{
            asked: "; ".join(value) if isinstance(value, tuple) else value
            for asked, value in values.items()
        },
    }


def write_row(file: TextIO, cells: Iterable[object], *, is_log: bool = False) -> None:
    """Write one line of CSV, every cell harmless, and quoted but in a log.

    Needs a file opened with `newline=""`.
    """
    lines = (
        csv.writer(file, lineterminator="\n") if is_log else csv.writer(file, quoting=csv.QUOTE_ALL)
    )
    lines.writerow(harmless(str(one)) for one in cells)


def harmless(text: str) -> str:
    """The text with apostrophes where a spreadsheet could begin a cell with a formula.

    They stand at the beginning, or after a comma, semicolon, tab or line break; an apostrophe that
    stood there before gets another one. So the text comes back when one apostrophe is taken away in
    each of these places.
    """
    return _HARMFUL.sub("'", text)
