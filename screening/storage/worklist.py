"""Which screenings there are, by outcome and status, in the memory of this process alone.

The outcome is sealed in the database, so no index there can sort by it. Each process opens the
sealed states once and then follows the audit log, in which every change of a screening stands.
Nothing of this is ever written to a disk.
"""

import json
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Row, func, literal, select, tuple_
from sqlalchemy.orm import Session

from screening.domain.entries import Status
from screening.domain.rules import Open, Severity
from screening.storage import screenings
from screening.storage.encryption import Keys
from screening.storage.tables import AuditRow, ScreeningRow

# the audit actions that a list shows
CHANGES = ("submitted", "opened", "clarified", "reviewed", "deleted")
PATIENCE = 0.2  # seconds for which a page helps to read what is not listed yet
PART = 200  # screenings read at once
UNREADABLE = -1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST = date.max - timedelta(days=1)
DUE = max(Severity) + 1  # the rank of a deferred screening whose day has come: above all others

# What a list can show, each with its condition, in the order of the menu.
SHOWN = {
    "todo": "todo = 1",
    "unreviewed": "status != 'reviewed'",
    **{status.value: f"status = '{status}'" for status in Status},
    "deferred": "until IS NOT NULL",
    "all": "",
}

_SCHEMA = Path(__file__).with_name("worklist.sql").read_text(encoding="utf-8")


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """What a list shows.

    `show` is a key of SHOWN; `todo` includes what is due. None leaves a condition out.
    """

    show: str = "todo"
    outcome: Severity | None = None
    since: date | None = None
    to: date | None = None
    references: list[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """One line of a list.

    `outcome` is None where the row cannot be opened: that must be seen, not hidden.
    """

    reference: str
    outcome: Severity | None
    until: date | None
    due: bool


class Worklist:
    """The list of one process. Its methods may be called from any thread."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Begin anew, as a process must that was forked from another in which the list may be in use."""
        self._lock = threading.Lock()
        self._db = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
        self._db.executescript(_SCHEMA)
        self._zone = ZoneInfo("UTC")
        self._read_to: int | None = None
        self._oldest: tuple[datetime, str] | None = None  # of what was read
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
        """The list as the database is now, for queries; days are those of `timezone`.

        In a new process it is read in parts, the newest screenings first, for at most about
        `patience` seconds in each call; until it `is_whole`, the older ones are missing.
        """
        end = time.monotonic() + patience  # for a page that waits for others, too
        with self._lock:
            newest = _newest_event(session)
            zone = self._zone = ZoneInfo(timezone)
            if self._read_to is not None and newest < self._read_to:
                # this session looked at the database before the one that read last
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
            due = "UPDATE list SET rank = :due, todo = 1 WHERE until <= :today AND rank < :due"
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
        """One page of the list and how long the whole list is."""
        conditions, values = _conditions(chosen, self._zone, ranked=by_severity)
        where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
        # The plus keeps SQLite from walking the whole list in its order where a few references are
        # asked for.
        plus = "" if chosen.references is None else "+"
        order = f"{plus}rank DESC, {plus}sent DESC" if by_severity else f"{plus}sent DESC"
        (total,) = connection.execute(f"SELECT count(*) FROM list {where}", values).fetchone()  # noqa: S608
        found = connection.execute(
            f"SELECT reference, outcome, until, rank FROM list {where} ORDER BY {order} LIMIT ? OFFSET ?",  # noqa: S608
            [*values, limit, offset],
        )
        return [
            Listed(
                reference=reference,
                outcome=None if outcome is None else Severity(outcome),
                until=date.fromisoformat(until) if until else None,
                due=rank == DUE,
            )
            for reference, outcome, until, rank in found
        ], total

    def unopened(
        self, connection: sqlite3.Connection, sent_before: Mapping[int, datetime], *, most: int
    ) -> list[str]:
        """Return screenings of these ranks that nobody has opened, sent before a moment for each.

        Of each rank `most` at most, the oldest first.
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

    def per_day(
        self, connection: sqlite3.Connection, *, since: date
    ) -> dict[date, dict[Severity | None, int]]:
        """How many screenings of each outcome were sent on each day; None counts those that cannot be opened."""
        counted: dict[date, dict[Severity | None, int]] = {}
        query = "SELECT day, what, number FROM counts WHERE day >= ? AND typeof(what) = 'integer' AND number > 0"
        for day, outcome, number in connection.execute(query, (since.toordinal(),)):
            severity = None if outcome == UNREADABLE else Severity(outcome)
            counted.setdefault(date.fromordinal(day), {})[severity] = number
        return counted

    def left_open(
        self, connection: sqlite3.Connection, *, since: date
    ) -> list[tuple[str, dict[Open, int]]]:
        """For each question or follow-up that was left open: how many times in which way, the most often open first."""
        counted: dict[str, dict[Open, int]] = {}
        query = (
            "SELECT what, sum(number) AS total FROM counts WHERE day >= ? AND typeof(what) = 'text' "
            "GROUP BY what HAVING total > 0"
        )
        for finding, number in connection.execute(query, (since.toordinal(),)):
            rule, _, how = finding.partition("/")
            counted.setdefault(rule.removeprefix("clarify-"), dict.fromkeys(Open, 0))[Open(how)] = (
                number
            )
        return sorted(counted.items(), key=lambda item: -sum(item[1].values()))

    def _take_older(self, session: Session, keys: Keys, zone: ZoneInfo) -> None:
        place = tuple_(ScreeningRow.submitted_at, ScreeningRow.id)
        conditions = [] if self._oldest is None else [place < tuple_(*map(literal, self._oldest))]
        part = list(screenings.states(session, keys, *conditions, newest=PART))
        self._take(part, zone)
        self.is_whole = len(part) < PART
        if part:
            self._oldest = part[-1][0].submitted_at, part[-1][0].id

    def _take_again(
        self, session: Session, keys: Keys, zone: ZoneInfo, references: list[str]
    ) -> None:
        for begin in range(0, len(references), 500):
            part = references[begin : begin + 500]
            self._db.executemany("DELETE FROM list WHERE reference = ?", [(one,) for one in part])
            self._take(screenings.states(session, keys, ScreeningRow.reference.in_(part)), zone)

    def _take(
        self,
        states: Iterable[tuple[Row[*tuple[Any, ...]], screenings.State | None]],
        zone: ZoneInfo,
    ) -> None:
        def values(
            row: Row[*tuple[Any, ...]], state: screenings.State | None
        ) -> tuple[object, ...]:
            sent = _microseconds(row.submitted_at)
            day = row.submitted_at.astimezone(zone).toordinal()
            if state is None:
                return (
                    row.reference,
                    sent,
                    day,
                    None,
                    Status.NEW,
                    None,
                    DUE,
                    1,
                    json.dumps([UNREADABLE]),
                )
            outcome = state["outcome"]
            todo = row.status != Status.REVIEWED
            counted = json.dumps(
                [outcome, *(finding for finding in state["findings"] if "/" in finding)]
            )
            return (
                row.reference,
                sent,
                day,
                outcome,
                row.status,
                state["until"],
                outcome,
                todo,
                counted,
            )

        lines = [values(row, state) for row, state in states]
        # Instead of INSERT OR REPLACE, for which no trigger would tell what is replaced.
        self._db.executemany("DELETE FROM list WHERE reference = ?", [line[:1] for line in lines])
        self._db.executemany("INSERT INTO list VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", lines)


def _newest_event(session: Session) -> int:
    return session.scalar(select(func.max(AuditRow.number))) or 0


def _microseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)


def _midnight(day: date, zone: ZoneInfo) -> int:
    return _microseconds(datetime(day.year, day.month, day.day, tzinfo=zone))


def _conditions(chosen: Filter, zone: ZoneInfo, *, ranked: bool) -> tuple[list[str], list[object]]:
    """Return the conditions and their values.

    Where the list is `ranked`, all ranks in question are named: SQLite then finds in one index those
    of each rank that were sent in time.
    """
    references = None if chosen.references is None else json.dumps(chosen.references)
    asked: dict[str, object] = {
        "outcome = ?": chosen.outcome,
        "sent >= ?": chosen.since and _midnight(chosen.since, zone),
        "sent < ?": chosen.to and _midnight(min(chosen.to, _LAST) + timedelta(days=1), zone),
        "reference IN (SELECT value FROM json_each(?))": references,
    }
    given = {condition: value for condition, value in asked.items() if value is not None}
    conditions = [*filter(None, [SHOWN[chosen.show]]), *given]
    if ranked and references is None and (chosen.outcome, chosen.since, chosen.to) != (None,) * 3:
        ranks = [*Severity] if chosen.outcome is None else [chosen.outcome]
        conditions.append(f"rank IN ({', '.join(map(str, map(int, [*ranks, DUE])))})")
    return conditions, [*given.values()]
