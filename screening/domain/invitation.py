"""An invitation: one patient, one visit."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from email.utils import parseaddr
from typing import TypeVar
from zoneinfo import ZoneInfo

from screening.domain import answers as said
from screening.domain.answers import Fault, Patient, text_fault, tidy

ADDRESS_LENGTH = 254
LONGEST_DAYS = 90  # for which a link works
FARTHEST = timedelta(days=730)  # an appointment; a later one is a slip of the finger
COLUMNS = ("name", "birth_date", "visit", "appointment", "prescriber", "language", "email")
_NEEDED = ("name", "birth_date")
Read = TypeVar("Read")


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitation:
    """Whom to and what for. `appointment` is in UTC; `email` is where reminders go, if anywhere."""

    patient: Patient
    language: str
    appointment: datetime | None = None
    prescriber: str = ""
    email: str = ""


class InvalidInvitation(Exception):
    """Raised with every fault as `column: what to write`."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults


def is_same(invited: Patient, answering: Patient) -> bool:
    """Whether somebody is who was invited, and for that visit, as far as the three fields tell."""

    def plain(one: Patient) -> tuple[object, ...]:
        return " ".join(one.name.casefold().split()), one.birth_date, one.visit.casefold() if invited.visit else ""

    return plain(invited) == plain(answering)


def is_mailbox(typed: str) -> bool:
    """Whether this is one address to which mail can go, and nothing else."""
    name, address = parseaddr(typed)
    local, _at, domain = address.rpartition("@")
    plain = typed.isascii() and typed.isprintable() and "=?" not in typed and not set(typed) & set(' ,;<>"()')
    return plain and not name and address == typed and bool(local and domain) and len(typed) <= ADDRESS_LENGTH


def last_moment(*, now: datetime, days: int, timezone: str) -> datetime:
    """Until when a link works that is made now: to the end of a day at the clinic, as people read "until" (UTC)."""
    zone = ZoneInfo(timezone)
    following = now.astimezone(zone).date() + timedelta(days=days + 1)
    return datetime.combine(following, time.min, zone).astimezone(UTC) - timedelta(seconds=1)


def appointment_fault(day: date, *, today: date) -> bool:
    """Whether that cannot be the day of an appointment."""
    return not today <= day <= today + FARTHEST


def _appointment(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%d %H:%M")  # noqa: DTZ007 - of the clinic, added by whoever reads it


def _read(read: Callable[[str], Read], text: str, fault: str, faults: list[str]) -> Read | None:
    try:
        return read(text) if text else None
    except ValueError:
        faults.append(fault)
        return None


def read_invitation(row: Mapping[str, str], *, languages: Collection[str], today: date, timezone: str) -> Invitation:
    """Read one row of a table with COLUMNS; all but name and birth_date may be empty or left out.

    Days are written 1988-03-12, times 2027-03-31 14:30 in `timezone`; the first of `languages` is the default. Raises
    InvalidInvitation with every fault.
    """
    given = {column: tidy(row.get(column) or "") for column in COLUMNS}
    faults = [f"{column}: is missing" for column in _NEEDED if not given[column]]
    longest = {"name": said.NAME_LENGTH, "visit": said.VISIT_LENGTH, "prescriber": said.NAME_LENGTH}
    for column, most in longest.items():
        match text_fault(given[column], most):
            case Fault.TOO_LONG:
                faults.append(f"{column}: is longer than {most} letters")
            case Fault.CONTROL_CHARACTER:
                faults.append(f"{column}: has a character that cannot be printed; type it again")
    if given["name"] and said.name_fault(given["name"]) is Fault.MISSING:
        faults.append("name: has no letter")
    born = _read(date.fromisoformat, given["birth_date"], "birth_date: write a day such as 1988-03-12", faults)
    if born is not None and said.birth_date_fault(born, today=today):
        faults.append("birth_date: cannot be a date of birth")
    at = _read(_appointment, given["appointment"], "appointment: write such as 2027-03-31 14:30", faults)
    if at is not None and appointment_fault(at.date(), today=today):
        faults.append("appointment: is in the past or very far away")
    language = given["language"] or next(iter(languages))
    if language not in languages:
        faults.append(f"language: {language} is not offered; write one of {', '.join(languages)}")
    if given["email"] and not is_mailbox(given["email"]):
        faults.append("email: write one address such as name@example.org")
    if faults or born is None:
        raise InvalidInvitation(faults)
    return Invitation(
        patient=Patient(name=given["name"], birth_date=born, visit=given["visit"]),
        language=language,
        appointment=at and at.replace(tzinfo=ZoneInfo(timezone)).astimezone(UTC),
        prescriber=given["prescriber"],
        email=given["email"],
    )
