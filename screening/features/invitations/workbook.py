"""Read a workbook (.xlsx, .xls, .ods) from standard input and write its texts as JSON.

This program runs in a process of its own, with little memory: a small file can expand into more
cells than the machine has memory for. It is started without the rest of the application (see
spreadsheet.py).
"""

import json
import resource
import sys
from datetime import date, datetime, time, timedelta
from io import BytesIO
from typing import TypedDict

from python_calamine import CalamineError, CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum

MEMORY = 1 << 30  # bytes of address space
MOST = 1 << 24  # bytes handed over: the server has to hold them
SECONDS = 10  # of the processor; 5,000 rows take less than one
HALF_A_SECOND = timedelta(seconds=0.5)
UNREADABLE = 3  # the exit code for a file that is no workbook, needs a password, or holds too much


class Sheet(TypedDict):
    """A sheet: its name, and each row that is not empty with its number in the spreadsheet."""

    name: str
    rows: list[tuple[int, list[str]]]


def text(value: object) -> str:
    """Return a cell as text: days in ISO 8601, whole numbers without a decimal point."""
    if isinstance(value, time):  # a part of a day, of which some programs keep few digits
        value = (datetime.combine(date.min, value) + HALF_A_SECOND).time()
    if isinstance(value, datetime):
        value += HALF_A_SECOND
        return value.isoformat(" ", timespec="minutes")
    if isinstance(value, date):
        return value.isoformat()
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def sheets(content: bytes) -> list[Sheet]:
    """Return the visible sheets of a workbook. Raises CalamineError."""
    book = CalamineWorkbook.from_filelike(BytesIO(content))
    visible = list[Sheet]()
    for sheet in book.sheets_metadata:
        if sheet.typ is SheetTypeEnum.WorkSheet and sheet.visible is SheetVisibleEnum.Visible:
            lines = enumerate(
                book.get_sheet_by_name(sheet.name).to_python(skip_empty_area=False), start=1
            )
            rows = [(number, [text(cell) for cell in line]) for number, line in lines]
            visible.append(
                {
                    "name": sheet.name,
                    "rows": [row for row in rows if any(cell.strip() for cell in row[1])],
                }
            )
    return visible


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # it would hold the list in clear
    try:
        texts = json.dumps(sheets(sys.stdin.buffer.read()))
    except CalamineError:
        sys.exit(UNREADABLE)
    if len(texts) > MOST:
        sys.exit(UNREADABLE)
    sys.stdout.write(texts)
