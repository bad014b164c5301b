"""A list of patients, read into invitations: rows, faults of cells, and doubles.

Nothing is stored here. A language is added to `headings.toml`; months, days and names of languages
come with Babel.
"""

import re
import tomllib
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_skeleton

from screening.domain import answers as said
from screening.domain.answers import Fault, Patient, UnacceptablePatient, read_patient, text_fault
from screening.domain.mailbox import is_mailbox
from screening.domain.unseen import without_unseen
from screening.features.invitations.dates import (
    Order,
    ShortYear,
    exact_moment,
    order_of,
    readings,
    split_time,
)
from screening.features.invitations.invitation import Invitation, appointment_fault
from screening.features.invitations.spreadsheet import NotReadable, Table, read_tables
from screening.reports.summary import N_
from screening.settings import Settings

MOST = 5000  # rows of one list
FIELDS = {  # of an invitation, by their names on pages
    "name": N_("Patient"),
    "birth_date": N_("Date of birth"),
    "visit": N_("Visit number"),
    "appointment": N_("Appointment"),
    "prescriber": N_("Prescriber"),
    "language": N_("Language"),
    "email": N_("E-mail"),
}
NAMES = ("name", "given_name", "family_name", "second_family_name")  # put together in this order
HEADINGS: Mapping[str, Mapping[str, str]] = tomllib.loads(
    Path(__file__).with_name("headings.toml").read_text(encoding="utf-8")
)
EXAMPLES = {"birth_date": (date(1988, 3, 27), ""), "appointment": (date(2027, 3, 31), " 14:30")}
_HEADINGS_WITHIN = 20  # rows from the top
_JOINERS = re.compile("[\u200c\u200d]")
_LONGEST = {"name": said.NAME_LENGTH, "visit": said.VISIT_LENGTH}


class Words:
    """A sentence with values.

    It is translated when it is shown; then the `values` are filled in.
    """

    def __init__(self, text: str, /, **values: object) -> None:
        self.text = text
        self.values = values

    def __str__(self) -> str:
        """Return the sentence in English."""
        return self.text % self.values


NOT_READABLE = {
    "workbook": N_(
        "This workbook cannot be read: it is damaged, needs a password, or has very many cells. "
        "Save the sheet with the list alone, as CSV."
    ),
    "encoding": N_(
        "The letters of this file cannot be read. "
        "Save it as a workbook (.xlsx), or as CSV in UTF-8."
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A row as it was understood: by FIELDS, with the fault of each cell.

    `double` names the row or invitation that it repeats.
    """

    number: int
    values: Mapping[str, str | date | datetime]
    faults: Mapping[str, Words]
    invitation: Invitation | None
    double: Words | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InvitationList:
    """A list that was read.

    `asked` are days of which only the person knows the order of day and month.
    """

    rows: list[Row] = field(default_factory=list)
    headings: Mapping[str, str] = field(default_factory=dict)
    faults: list[Words] = field(default_factory=list)  # of the list as a whole
    notes: list[Words] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    @property
    def cell_faults(self) -> int:
        """Return the number of cells at fault."""
        return sum(len(row.faults) for row in self.rows)

    @property
    def doubles(self) -> int:
        """Return the number of rows that are not invited because they are doubles."""
        return sum(row.double is not None for row in self.rows)

    def to_invite(self, seed: str) -> dict[str, Invitation]:
        """Return the invitations by the id that their row always has; none if anything is at fault.

        `seed` is a UUID in hexadecimal digits.
        """
        if self.faults or self.asked or self.cell_faults:
            return {}
        return {
            id_of(seed, row.number): row.invitation
            for row in self.rows
            if row.invitation is not None and row.double is None
        }


def id_of(seed: str, number: int) -> str:
    """Return the id of the invitation of a row."""
    return uuid5(UUID(seed), str(number)).hex


def read_list(
    content: bytes, *, settings: Settings, today: date, order: Order | None = None
) -> InvitationList:
    """Read the bytes of a file. `order` is that of day and month where the person has told it."""
    try:
        tables = [table for table in read_tables(content) if table.rows]
    except NotReadable as err:
        return InvitationList(faults=[Words(NOT_READABLE[str(err)])])
    if not tables:
        return InvitationList(
            faults=[Words(N_("This file is empty. Choose the one with the list."))]
        )
    table = max(tables, key=lambda table: _known(_headings(table)))
    invitations = read_table(table, settings=settings, today=today, order=order)
    if table.is_guess and any(not cell.isascii() for _, cells in table.rows for cell in cells):
        text = N_(
            "The file does not say how its letters are stored; they were read as those of Windows. "
            "If a name looks wrong, save the list as a workbook (.xlsx) or as CSV in UTF-8, "
            "and choose that."
        )
        invitations.notes.append(Words(text))
    others = [other.sheet for other in tables if other.sheet and other is not table]
    if others:
        text = N_("Only the sheet “%(sheet)s” was read, not: %(others)s.")
        invitations.notes.append(Words(text, sheet=table.sheet, others=", ".join(others)))
    return invitations


def with_doubles(
    invitations: InvitationList, awaited: Mapping[str, Invitation], seed: str
) -> InvitationList:
    """Return the list with each double marked: same patient and visit as above, or invited.

    `awaited` are the open invitations by id; those that this list itself has made do not count.
    """
    own = {id_of(seed, row.number) for row in invitations.rows}
    invited = {_key(invitation) for id_, invitation in awaited.items() if id_ not in own}
    above = dict[object, int]()
    rows = list[Row]()
    for row in invitations.rows:
        double = None
        if row.invitation is not None:
            same = _key(row.invitation)
            if same in above:
                double = Words(N_("Same patient and visit as row %(row)s"), row=above[same])
            elif same in invited:
                double = Words(N_("This patient is already invited to this visit"))
            above.setdefault(same, row.number)
        rows.append(replace(row, double=double))
    return replace(invitations, rows=rows)


def _key(invitation: Invitation) -> object:
    """Return a value that invitations of the same patient to the same visit share."""
    words = _alike(invitation.patient.name).replace(",", " ").split()
    return (
        tuple(sorted(words)),
        invitation.patient.birth_date,
        _alike(invitation.patient.visit) or invitation.appointment,
    )


def _alike(text: str) -> str:
    """Return the text without case, width of letters, and characters that cannot be seen.

    An older release stored some of those.
    """
    return unicodedata.normalize("NFKC", _JOINERS.sub("", without_unseen(text))).casefold()


def _plain(heading: str) -> str:
    """Return a heading without case, accents, spaces, signs and text in brackets."""
    letters = unicodedata.normalize("NFKD", re.sub(r"\([^()]*\)", "", heading)).casefold()
    return "".join(letter for letter in letters if letter.isalnum())


_FIELD_OF = {
    _plain(words): name
    for language in HEADINGS.values()
    for name, several in language.items()
    for words in (name, *several.split(","))
}


def _headings(table: Table) -> tuple[int, list[str]]:
    """Return the number of the row with the headings, and the field of each column, or ""."""
    rows = [
        [_FIELD_OF.get(_plain(cell), "") for cell in cells]
        for _, cells in table.rows[:_HEADINGS_WITHIN]
    ]
    place = max(range(len(rows)), key=lambda number: len({*rows[number]} - {""}), default=0)
    return place, rows[place] if rows else []


def _known(headings: tuple[int, list[str]]) -> int:
    return len({*headings[1]} - {""})


def read_table(
    table: Table, *, settings: Settings, today: date, order: Order | None
) -> InvitationList:
    """Read a table of texts."""
    place, columns = _headings(table)
    # it is the whole name: the parts would be added to it
    if {"name", "given_name", "family_name"} <= {*columns}:
        columns = ["" if name in NAMES[1:] else name for name in columns]
    written = table.rows[place][1]
    below = table.rows[place + 1 :]
    if faults := _faults_of_headings(columns, written, below, table.broken):
        return InvitationList(faults=faults)
    given = [
        {name: cell for name, cell in zip(columns, cells, strict=False) if name}
        for _, cells in below
    ]
    orders = {
        name: order or order_of(_readings(cells.get(name, ""), settings) for cells in given)
        for name in ("birth_date", "appointment")
    }
    reader = _Reader(settings, today, orders)
    rows = []
    for (number, cells), by_name in zip(below, given, strict=True):
        without_heading = [
            cell
            for place, cell in enumerate(cells)
            if cell and not "".join(written[place : place + 1])
        ]
        rows.append(reader.row(number, by_name, without_heading))
    notes = []
    if unread := [
        heading for name, heading in zip(columns, written, strict=True) if heading and not name
    ]:
        notes.append(
            Words(N_("These columns are not read: %(columns)s."), columns=", ".join(unread))
        )
    headings = {name: heading for name, heading in zip(columns, written, strict=True) if name}
    return InvitationList(rows=rows, headings=headings, notes=notes, asked=reader.asked)


def _faults_of_headings(
    columns: list[str], written: list[str], below: list[tuple[int, list[str]]], broken: int
) -> list[Words]:
    faults = []
    if broken:
        text = N_(
            "Row %(row)s cannot be read: a quotation mark is open or misplaced. "
            "Within a text, write it twice."
        )
        faults.append(Words(text, row=broken))
    for name in sorted(
        {column for column in columns if column and columns.count(column) > 1}, key=columns.index
    ):
        same = [heading for column, heading in zip(columns, written, strict=True) if column == name]
        text = N_("These columns are for the same: %(columns)s. Keep one of them.")
        faults.append(Words(text, columns=", ".join(f"“{heading}”" for heading in same)))
    seen = ", ".join(heading for heading in written if heading)
    if not {*NAMES} & {*columns}:
        text = N_("No column has the patients’ names. Head it “Name”. Found: %(columns)s.")
        faults.append(Words(text, columns=seen))
    if "birth_date" not in columns:
        text = N_("No column has the dates of birth. Head it “Date of birth”. Found: %(columns)s.")
        faults.append(Words(text, columns=seen))
    if not below:
        faults.append(Words(N_("There are no rows below the headings.")))
    if len(below) > MOST:
        text = N_("There are %(rows)s rows. Split the list: %(most)s can be invited at once.")
        faults.append(Words(text, rows=len(below), most=MOST))
    return faults


def _readings(text: str, settings: Settings) -> Mapping[Order, date]:
    try:
        return readings(split_time(text)[0], settings.languages)
    except ValueError:
        return {}


def _words_of(fault: Fault, longest: int) -> Words:
    match fault:
        case Fault.TOO_LONG:
            return Words(N_("Too long: write at most %(most)s letters."), most=longest)
        case Fault.MISSING:
            return Words(N_("A name is needed here: write it."))
        case _:
            return Words(N_("Has a sign that cannot be printed: type it again."))


class _Reader:
    """Reads the rows of one table.

    `orders` has the order of day and month of each column, None if the person has to state it.
    """

    def __init__(self, settings: Settings, today: date, orders: Mapping[str, Order | None]) -> None:
        self.settings = settings
        self.today = today
        self.orders = orders
        self.asked: list[str] = []
        codes = settings.languages
        locales = {code: Locale.parse(code, sep="-") for code in codes}
        self.languages = {
            _plain(str(locale.get_display_name(other))): code
            for code, locale in locales.items()
            for other in locales.values()
        }
        self.languages |= {_plain(code): code for code in codes}

    def row(self, number: int, given: Mapping[str, str], without_heading: list[str]) -> Row:
        faults = dict[str, Words]()
        name = " ".join(given[part] for part in NAMES if given.get(part))
        texts = {column: given.get(column, "") for column in FIELDS} | {"name": name}
        values: dict[str, str | date | datetime] = dict(texts)
        unread = dict[str, Words]()
        born = self._birth_date(texts["birth_date"], unread)
        patient = self._patient(name, born, texts["visit"], faults)
        if fault := text_fault(texts["prescriber"], said.NAME_LENGTH):
            faults["prescriber"] = _words_of(fault, said.NAME_LENGTH)
        faults |= unread
        at = self._appointment(texts["appointment"], given.get("appointment_time", ""), faults)
        values |= {
            name: value
            for name, value in (("birth_date", born), ("appointment", at))
            if value is not None
        }
        said_language = texts["language"] or self.settings.languages[0]
        whole = _plain(said_language)  # such as es-ES
        main = _plain(re.split("[-_]", said_language)[0])
        language = self.languages.get(whole) or self.languages.get(main)
        if language is None:
            text = N_("“%(text)s” is not offered: write one of %(languages)s.")
            faults["language"] = Words(
                text, text=texts["language"], languages=", ".join(self.settings.languages)
            )
        if texts["email"] and not is_mailbox(texts["email"]):
            text = N_(
                "“%(text)s” is not one e-mail address: "
                "write it such as name@example.org, or leave it empty."
            )
            faults["email"] = Words(text, text=texts["email"])
        if without_heading:
            text = N_(
                "“%(text)s” stands below no heading: "
                "give its column one, or put texts with a comma between quotes."
            )
            faults[""] = Words(text, text=without_heading[0])
        invitation = None
        if not faults and patient is not None and language is not None:
            invitation = Invitation(
                patient=patient,
                language=language,
                appointment=at,
                prescriber=texts["prescriber"],
                email=texts["email"],
            )
        return Row(number=number, values=values, faults=faults, invitation=invitation)

    def _example(self, column: str) -> str:
        """Return a day as the clinic writes it; in ISO 8601 where its region is not set."""
        (day, hour) = EXAMPLES[column]
        settings = self.settings
        locale = settings.locale(settings.clinic_language)
        return (
            format_skeleton("yMd", day, locale=locale)
            if settings.clinic_region
            else day.isoformat()
        ) + hour

    def _day(self, column: str, text: str, faults: dict[str, Words]) -> date | None:
        """Return the day in a cell; None after adding its fault to `faults`."""
        try:
            days = readings(text, self.settings.languages)
            order = self.orders[column]
        except ShortYear:
            words = N_("“%(text)s”: which century? Write the year with four digits, such as 1988.")
            faults[column] = Words(words, text=text)
            return None
        except ValueError:
            words = N_("“%(text)s” cannot be read: write it such as %(example)s.")
            faults[column] = Words(words, text=text, example=self._example(column))
            return None
        if len({*days.values()}) == 1 and (order is None or order in days):
            return next(iter(days.values()))
        if order is None:
            self.asked.append(text)
            faults[column] = Words(
                N_("“%(text)s”: day or month first? Say so for the whole list."), text=text
            )
            return None
        if order not in days:
            words = N_("“%(text)s” is no day with the month first, as the others are: correct it.")
            if order is Order.DAY_FIRST:
                words = N_(
                    "“%(text)s” is no day with the day first, as the others are: correct it."
                )
            faults[column] = Words(words, text=text)
            return None
        return days[order]

    def _birth_date(self, text: str, faults: dict[str, Words]) -> date | None:
        if not text:
            words = N_("A date of birth is needed here: write it such as %(example)s.")
            faults["birth_date"] = Words(words, example=self._example("birth_date"))
            return None
        try:
            plain, at = split_time(text)
        except ValueError:
            plain = text
            at = None
        return self._day("birth_date", text if at else plain, faults)

    def _patient(
        self, name: str, born: date | None, visit: str, faults: dict[str, Words]
    ) -> Patient | None:
        """Return the patient of a row; None after adding the faults."""
        try:
            return read_patient(name=name, birth_date=born, visit=visit, today=self.today)
        except UnacceptablePatient as err:
            for column, fault in err.faults.items():
                words = Words(N_("This cannot be a date of birth: check it, above all the year."))
                if column != "birth_date":
                    words = _words_of(fault, _LONGEST[column])
                faults[column] = words
        return None

    def _appointment(self, text: str, time_text: str, faults: dict[str, Words]) -> datetime | None:
        if not text and not time_text:
            return None
        at = exact_moment(text)
        if at is None:
            try:
                plain, clock = split_time(text)
                if clock is None and time_text:
                    more, clock = split_time(time_text)
                    plain = " ".join(filter(None, (plain, more)))
            except ValueError:
                plain = ""
                clock = None
            day = self._day("appointment", plain or text or time_text, faults)
            if day is None:
                return None
            if clock is None:
                words = N_("The appointment needs its time too: write it such as %(example)s.")
                faults["appointment"] = Words(words, example=self._example("appointment"))
                return None
            at = datetime.combine(day, clock, ZoneInfo(self.settings.clinic_timezone))
        if appointment_fault(at.date(), today=self.today):
            faults["appointment"] = Words(N_("This is in the past or very far away: check it."))
        return at.astimezone(UTC)
