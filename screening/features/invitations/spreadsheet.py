"""Reading tables as spreadsheets save them: workbooks, and CSV in several encodings."""

import csv
import io
import json
import subprocess
import sys
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from screening.domain.answers import tidy
from screening.domain.unseen import without_unseen

if TYPE_CHECKING:
    # It imports a library, whose memory the server can do without.
    from screening.features.invitations.workbook import Sheet

SEPARATORS = (",", ";", "\t")
MARKS = {BOM_UTF8: "utf-8", BOM_UTF16_LE: "utf-16-le", BOM_UTF16_BE: "utf-16-be"}
# the characters of an empty row, with any separator
_NOTHING = "".join(SEPARATORS) + " \r\n"
_ZIP = b"PK\x03\x04"  # what .xlsx and .ods begin with, and .xls
_OLE = b"\xd0\xcf\x11\xe0"
_PATIENCE = 30  # seconds for a workbook
# characters of a cell, each with its marks: more than any field can have. To compose many more
# would take minutes.
_LETTERS = 1100


class NotReadable(Exception):
    """A file cannot be read as a table. The message is `encoding` or `workbook`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One way to read a file: a sheet of a workbook, or a text with one separator.

    Each row that is not blank has the number that a spreadsheet shows beside it. `broken` is the
    number of the row after which nothing can be read, or 0. `is_guess` tells that the encoding of
    the letters is only likely.
    """

    rows: list[tuple[int, list[str]]]
    sheet: str = ""
    broken: int = 0
    is_guess: bool = False


def read_tables(content: bytes) -> list[Table]:
    """Return each way in which the bytes of a file can be read as a table. Raises NotReadable."""
    if content.startswith((_ZIP, _OLE)):
        return [
            Table(rows=as_seen(sheet["rows"]), sheet=sheet["name"]) for sheet in _sheets(content)
        ]
    text, is_guess = _decoded(content)
    return [_separated(text, separator, is_guess) for separator in SEPARATORS]


def as_seen(rows: Iterable[tuple[int, list[str]]]) -> list[tuple[int, list[str]]]:
    """Return the rows with each cell as a person sees it, without rows that look empty."""
    lines = ((number, [_cell_as_seen(cell) for cell in cells]) for number, cells in rows)
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
        return json.loads(done.stdout)
    except (subprocess.SubprocessError, ValueError) as err:
        raise NotReadable("workbook") from err


def _decoded(content: bytes) -> tuple[str, bool]:
    """Return the text of a file, and whether its encoding is a guess. Raises NotReadable."""
    mark = next((mark for mark in MARKS if content.startswith(mark)), b"")
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
