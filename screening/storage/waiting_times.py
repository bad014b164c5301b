"""Waiting times: of jobs in the outbox, until a summary is printed, until a review."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from statistics import median
from typing import NamedTuple

from sqlalchemy import and_, case, func, select
from sqlalchemy.orm import Session

from screening.storage import outbox
from screening.storage.tables import EntryRow, JobRow, ScreeningRow, SummaryRow

SAMPLE = 500  # screenings


class Queue(NamedTuple):
    """The jobs of a kind in the outbox. `age` is that of the oldest job, in seconds."""

    kind: str
    waiting: int
    failed: int
    age: float


def queues(session: Session, kinds: Iterable[str], *, now: datetime) -> list[Queue]:
    """Return the queues of these kinds, and of any other kind with jobs in the outbox."""
    failed = func.sum(case((JobRow.failed, 1), else_=0))
    oldest = func.min(func.coalesce(JobRow.added_at, JobRow.due_at))
    query = select(JobRow.kind, func.count(), failed, oldest).group_by(JobRow.kind)
    empty = {kind: (kind, 0, 0, now) for kind in kinds}
    keys = session.info["keys"]()
    rows = [(outbox.kind_of(keys, kind), *counts) for kind, *counts in session.execute(query)]
    stored = {row[0]: row for row in rows}
    return [
        Queue(kind, waiting, failures, max((now - since).total_seconds(), 0))
        for kind, waiting, failures, since in (empty | stored).values()
    ]


def print_times(session: Session, *, since: datetime) -> list[float]:
    """Return the seconds until each summary was printed, of those printed since then, sorted.

    The time begins at the submission, or at the entry that the summary includes.
    """
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
        max((printed - (recorded or sent)).total_seconds(), 0)
        for printed, recorded, sent in session.execute(query)
    )


def median_time_to_review(session: Session, since: datetime) -> timedelta | None:
    """Return the median time from submission to the first decision, None without decisions.

    The sample are the newest SAMPLE screenings since then: reading all would take too long.
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
    durations = [decided - sent_at for sent_at, decided in session.execute(query)]
    return median(durations) if durations else None
