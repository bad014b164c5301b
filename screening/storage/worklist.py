"""The list of screenings by outcome and status, in the memory of each process.

The outcome is sealed in the database, so no index there can sort by it. Each process opens the
sealed states once and then follows the audit log, which records every change of a screening. The
list is never written to a disk.
"""

import json
import sqlite3
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import IntEnum
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Row, func, literal, select, tuple_
from sqlalchemy.orm import Session

from screening.domain.appointment import Appointment
from screening.domain.entries import Status
from screening.domain.rules import Open, Severity
from screening.storage import screenings
from screening.storage.encryption import Keys
from screening.storage.search import folded
from screening.storage.tables import AuditRow, ScreeningRow

# the appointments of screenings, by the first reference of each
Appointments = Callable[[Session, Keys, Collection[str]], Mapping[str, Appointment]]

# the audit actions after which the list changes
CHANGES = ("submitted", "opened", "clarified", "reviewed", "deleted")
PATIENCE = 0.2  # seconds of a page request that are spent on reading screenings not listed yet
PART = 200  # screenings in one query
# rows of a list by time; with more, sorting those that the filter finds takes longer than reading
# in the order of time
MANY = 1_000
UNREADABLE = -1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST = date.max - timedelta(days=1)
DUE = max(Severity) + 1  # the rank of a deferred screening whose date has come: above all others


class Group(IntEnum):
    """The groups of the to-do list, the last one first. The column `todo` holds the group."""

    DONE = 0
    APPOINTED = 1  # has an appointment
    UNAPPOINTED = 2
    DUE = 3  # deferred until a date that has come, or cannot be opened


# The choices of the menu in their order, each with its condition.
SHOWN = {
    "todo": "todo IN (1, 2, 3)",
    "unreviewed": "status != 'reviewed'",
    **{status.value: f"status = '{status}'" for status in Status},
    "deferred": "until IS NOT NULL",
    "unanswered": "false",  # such patients are in the list of those expected, not here
    "all": "",
}

_SCHEMA = Path(__file__).with_name("worklist.sql").read_text(encoding="utf-8")


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """The conditions of a list: `show` is a key of SHOWN; None leaves a condition out.

    `todo` includes what is due. `prescriber` is a folded name. `left_out` are references that are
    elsewhere on the page.
    """

    show: str = "todo"
    outcome: Severity | None = None
    since: date | None = None
    to: date | None = None
    references: list[str] | None = None
    prescriber: str | None = None
    without_appointment: bool = False
    left_out: Collection[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A row of a list; `outcome` is None where the screening cannot be opened."""

    reference: str
    outcome: Severity | None
    until: date | None
    due: bool
    group: Group
    appointment: datetime | None


class Worklist:
    """The list of one process. Its methods may be called from any thread."""

    def __init__(self) -> None:
        self.appointments: list[Appointments] = []
        self.forget()

    def forget(self) -> None:
        """Empty the list, as a process must after a fork: the parent may be using its copy."""
        self._lock = threading.Lock()
        self._db = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
        self._db.executescript(_SCHEMA)
        self._zone = ZoneInfo("UTC")
        self._read_to: int | None = None
        self._oldest: tuple[datetime, str] | None = None  # of the screenings read so far
        self.is_whole = False

    @contextmanager
    def current(
        self,
        session: Session,
        keys: Keys,
        *,
        timezone: str,
        today: date,
        patience: float = PATIENCE,
    ) -> Iterator[sqlite3.Connection]:
        """Bring the list up to date for queries; days are those of `timezone`.

        A new process reads in parts, the newest screenings first, for about `patience` seconds in
        each call; until the list `is_whole`, older screenings are missing.
        """
        end = time.monotonic() + patience  # includes the wait for the lock
        with self._lock:
            newest = _newest_event(session)
            zone = self._zone = ZoneInfo(timezone)
            if self._read_to is not None and newest < self._read_to:
                # the snapshot of this session is older than that of the last reader
                session.rollback()
                newest = _newest_event(session)
            if self._read_to is None or newest < self._read_to:
                self._db.execute("DELETE FROM list")
                self._oldest = None
                self.is_whole = False
            elif newest > self._read_to:
                query = select(AuditRow.subject).where(
                    AuditRow.number > self._read_to, AuditRow.action.in_(CHANGES)
                )
                self._take_again(session, keys, zone, sorted(set(session.scalars(query))))
            self._read_to = newest
            while not self.is_whole:
                self._take_older(session, keys, zone)
                if time.monotonic() > end:
                    break
            due = "UPDATE list SET rank = :due, todo = 3 WHERE until <= :today AND rank < :due"
            self._db.execute(due, {"due": DUE, "today": today.isoformat()})
            yield self._db

    def page(
        self,
        connection: sqlite3.Connection,
        chosen: Filter,
        *,
        by_severity: bool,
        offset: int,
        limit: int,
    ) -> tuple[list[Listed], int]:
        """Return a page of the list, and the length of the whole list."""
        conditions, values = _conditions(chosen, self._zone, ranked=by_severity)
        where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
        # With a few references, the plus prevents SQLite from scanning the index of the order. In
        # the other direction it prevents a search by the filter where the order's index is better.
        plus = "" if chosen.references is None and chosen.prescriber is None else "+"
        order = f"{plus}rank DESC, {plus}sent DESC" if by_severity else f"{plus}sent DESC"
        if by_severity and chosen.show == "todo":
            order = f"{plus}todo DESC, {order}"
        count = f"SELECT count(*) FROM list {where}"  # noqa: S608
        (total,) = connection.execute(count, values).fetchone()
        if not by_severity and total > MANY and SHOWN[chosen.show]:
            where = f"WHERE +{' AND '.join(conditions)}"
        if chosen.left_out:
            # Counted separately, the references first: SQLite would read every row of the list.
            left_out = json.dumps([*chosen.left_out])
            few = f"SELECT count(*) FROM json_each(?) CROSS JOIN list ON reference = value {where}"  # noqa: S608
            total -= connection.execute(few, [left_out, *values]).fetchone()[0]
            joined = "AND" if where else "WHERE"
            where = f"{where} {joined} reference NOT IN (SELECT value FROM json_each(?))"  # noqa: S608
            values = [*values, left_out]
        columns = "reference, outcome, until, rank, todo, appointment"
        query = f"SELECT {columns} FROM list {where} ORDER BY {order} LIMIT ? OFFSET ?"  # noqa: S608
        rows = connection.execute(query, [*values, limit, offset])
        page = [
            Listed(
                reference=reference,
                outcome=None if outcome is None else Severity(outcome),
                until=date.fromisoformat(until) if until else None,
                due=rank == DUE,
                group=Group(todo),
                appointment=appointment and _EPOCH + timedelta(microseconds=appointment),
            )
            for reference, outcome, until, rank, todo, appointment in rows
        ]
        return page, total

    def unopened(
        self, connection: sqlite3.Connection, sent_before: Mapping[int, datetime], *, most: int
    ) -> list[str]:
        """Return screenings that nobody has opened, sent before the moment of their rank.

        Each rank has at most `most` of them, the oldest first.
        """
        query = (
            "SELECT reference FROM list WHERE status = 'new' AND rank = ? AND sent < ? "
            "ORDER BY sent LIMIT ?"
        )
        return [
            reference
            for rank, before in sent_before.items()
            for (reference,) in connection.execute(query, (rank, _microseconds(before), most))
        ]

    def appointed(self, connection: sqlite3.Connection, now: datetime) -> list[str]:
        """Return screenings without a decision whose appointment has come, the first one first.

        Where the patient has changed answers, the newest ones count.
        """
        query = (
            "SELECT reference FROM list AS one "
            "WHERE todo IN (1, 3) AND status != 'reviewed' AND appointment <= ? AND NOT EXISTS ("
            "SELECT 1 FROM list AS later WHERE later.sent > one.sent "
            "AND later.replaces = coalesce(one.replaces, one.reference)) ORDER BY appointment"
        )
        return [reference for (reference,) in connection.execute(query, (_microseconds(now),))]

    def per_day(
        self, connection: sqlite3.Connection, *, since: date
    ) -> dict[date, dict[Severity | None, int]]:
        """Count the screenings by day and outcome; None stands for those that cannot be opened."""
        counted: dict[date, dict[Severity | None, int]] = {}
        query = (
            "SELECT day, what, number FROM counts "
            "WHERE day >= ? AND typeof(what) = 'integer' AND number > 0"
        )
        for day, outcome, number in connection.execute(query, (since.toordinal(),)):
            severity = None if outcome == UNREADABLE else Severity(outcome)
            counted.setdefault(date.fromordinal(day), {})[severity] = number
        return counted

    def left_open(
        self, connection: sqlite3.Connection, *, since: date
    ) -> list[tuple[str, dict[Open, int]]]:
        """Count the open answers by question or follow-up and reason, the most frequent first."""
        counted: dict[str, dict[Open, int]] = {}
        query = (
            "SELECT what, sum(number) AS total FROM counts "
            "WHERE day >= ? AND typeof(what) = 'text' GROUP BY what HAVING total > 0"
        )
        for finding, number in connection.execute(query, (since.toordinal(),)):
            rule, _, reason = finding.partition("/")
            question = rule.removeprefix("clarify-")
            counted.setdefault(question, dict.fromkeys(Open, 0))[Open(reason)] = number
        return sorted(counted.items(), key=lambda item: -sum(item[1].values()))

    def _take_older(self, session: Session, keys: Keys, zone: ZoneInfo) -> None:
        position = tuple_(ScreeningRow.submitted_at, ScreeningRow.id)
        oldest = self._oldest
        conditions = [] if oldest is None else [position < tuple_(*map(literal, oldest))]
        part = list(screenings.states(session, keys, *conditions, newest=PART))
        self._take(session, keys, part, zone)
        self.is_whole = len(part) < PART
        if part:
            self._oldest = part[-1][0].submitted_at, part[-1][0].id

    def _take_again(
        self, session: Session, keys: Keys, zone: ZoneInfo, references: list[str]
    ) -> None:
        for begin in range(0, len(references), 500):
            part = references[begin : begin + 500]
            parameters = [(reference,) for reference in part]
            self._db.executemany("DELETE FROM list WHERE reference = ?", parameters)
            states = list(screenings.states(session, keys, ScreeningRow.reference.in_(part)))
            self._take(session, keys, states, zone)

    def _take(
        self,
        session: Session,
        keys: Keys,
        states: Sequence[tuple[Row[*tuple[Any, ...]], screenings.SealedState | None]],
        zone: ZoneInfo,
    ) -> None:
        replaced = {row.reference: state and state.get("replaces") for row, state in states}
        firsts = {reference: first or reference for reference, first in replaced.items()}
        appointments: dict[str, Appointment] = {}
        for appointments_of in self.appointments:
            appointments |= appointments_of(session, keys, set(firsts.values()))

        def values(
            row: Row[*tuple[Any, ...]], state: screenings.SealedState | None
        ) -> tuple[object, ...]:
            sent = _microseconds(row.submitted_at)
            day = row.submitted_at.astimezone(zone).toordinal()
            sending = (row.reference, sent, day)
            appointment = appointments.get(firsts[row.reference])
            visit = (
                appointment and _microseconds(appointment.at),
                appointment and folded(appointment.prescriber),
                replaced[row.reference],
            )
            if state is None:
                unreadable = json.dumps([UNREADABLE])
                return (*sending, None, Status.NEW, None, DUE, Group.DUE, unreadable, *visit)
            outcome = state["outcome"]
            todo = Group.UNAPPOINTED if appointment is None else Group.APPOINTED
            if row.status == Status.REVIEWED:
                todo = Group.DONE
            still_open = [finding for finding in state["findings"] if "/" in finding]
            counted = json.dumps([outcome, *still_open])
            return (
                *sending,
                outcome,
                row.status,
                state["until"],
                outcome,
                todo,
                counted,
                *visit,
            )

        rows = [values(row, state) for row, state in states]
        # INSERT OR REPLACE would not run the trigger that subtracts the old row from the counts.
        self._db.executemany("DELETE FROM list WHERE reference = ?", [row[:1] for row in rows])
        self._db.executemany(f"INSERT INTO list VALUES ({', '.join('?' * 12)})", rows)  # noqa: S608


def _newest_event(session: Session) -> int:
    return session.scalar(select(func.max(AuditRow.number))) or 0


def _microseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)


def _midnight(day: date, zone: ZoneInfo) -> int:
    return _microseconds(datetime(day.year, day.month, day.day, tzinfo=zone))


def _conditions(chosen: Filter, zone: ZoneInfo, *, ranked: bool) -> tuple[list[str], list[object]]:
    """Return the conditions and their values.

    With `ranked`, the conditions name all possible ranks: SQLite then uses a single index for each
    rank and the time of sending.
    """
    references = None if chosen.references is None else json.dumps(chosen.references)
    possible: dict[str, object] = {
        "outcome = ?": chosen.outcome,
        "sent >= ?": chosen.since and _midnight(chosen.since, zone),
        "sent < ?": chosen.to and _midnight(min(chosen.to, _LAST) + timedelta(days=1), zone),
        "reference IN (SELECT value FROM json_each(?))": references,
        "prescriber = ?": chosen.prescriber,
    }
    needed = {condition: value for condition, value in possible.items() if value is not None}
    fixed = [SHOWN[chosen.show], "appointment IS NULL" if chosen.without_appointment else ""]
    conditions = [*filter(None, fixed), *needed]
    if ranked and references is None and (chosen.outcome, chosen.since, chosen.to) != (None,) * 3:
        ranks = [*Severity] if chosen.outcome is None else [chosen.outcome]
        conditions.append(f"rank IN ({', '.join(map(str, map(int, [*ranks, DUE])))})")
    return conditions, [*needed.values()]
