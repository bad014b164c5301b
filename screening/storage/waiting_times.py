"""Figures over many screenings, without identities."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from statistics import median
from typing import NamedTuple

from sqlalchemy import and_, case, func, select
from sqlalchemy.orm import Session

from screening.storage.tables import EntryRow, JobRow, ScreeningRow, SummaryRow

SAMPLE = 500  # screenings


class Queue(NamedTuple):
    """How much of a kind is left in the outbox. `age` is in seconds, of the oldest job."""

    kind: str
    waiting: int
    failed: int
    age: float


def queues(session: Session, kinds: Iterable[str], *, now: datetime) -> list[Queue]:
    """The outbox by kinds: these, and any other that is there."""
    failed = func.sum(case((JobRow.failed, 1), else_=0))
    oldest = func.min(func.coalesce(JobRow.added_at, JobRow.due_at))
    query = select(JobRow.kind, func.count(), failed, oldest).group_by(JobRow.kind)
    found = {row[0]: row for row in session.execute(query)}
    none = (0, 0, now)
    every = {**{kind: (kind, *none) for kind in kinds}, **found}
    return [
        Queue(kind, count, lost, max((now - since).total_seconds(), 0))
        for kind, count, lost, since in every.values()
    ]


def print_times(session: Session, *, since: datetime) -> list[float]:
    """The seconds from sending, or from the entry, to the summary, of those printed since then; the shortest first."""
    entry = and_(
        EntryRow.screening_id == SummaryRow.screening_id, EntryRow.number == SummaryRow.number
    )
    query = (
        select(SummaryRow.made_at, EntryRow.made_at, ScreeningRow.submitted_at)
        .join(ScreeningRow, ScreeningRow.id == SummaryRow.screening_id)
        .outerjoin(EntryRow, entry)
        .where(SummaryRow.made_at >= since)
    )
    return sorted(
        max((made - (added or sent)).total_seconds(), 0)
        for made, added, sent in session.execute(query)
    )


def median_time_to_review(session: Session, since: datetime) -> timedelta | None:
    """From sending to the first decision, for what was sent since then; None where nothing was decided.

    Of the newest SAMPLE screenings: no page reads the entries of a hundred thousand.
    """
    sent = select(ScreeningRow.id, ScreeningRow.submitted_at).where(
        ScreeningRow.submitted_at >= since
    )
    newest = sent.order_by(ScreeningRow.submitted_at.desc()).limit(SAMPLE).subquery()
    query = (
        select(newest.c.submitted_at, func.min(EntryRow.made_at))
        .join(EntryRow, EntryRow.screening_id == newest.c.id)
        .where(EntryRow.kind == "review")
        .group_by(newest.c.id, newest.c.submitted_at)
    )
    taken = [at - begun for begun, at in session.execute(query)]
    return median(taken) if taken else None
