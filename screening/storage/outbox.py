"""The outbox: each job is committed with the screening it is about, so that none is lost."""

import random
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, case, func, or_, select, update
from sqlalchemy.orm import Session

from screening.storage.database import delete_in_order
from screening.storage.tables import JobRow, ScreeningRow, SummaryRow

SUMMARY = "summary"
PRINT = (SUMMARY,)
# Longer than an attempt takes. An attempt that takes longer is done twice.
LEASE = timedelta(seconds=60)
ATTEMPTS = 12  # about half an hour
FIRST_WAIT = timedelta(seconds=2)
LONGEST_WAIT = timedelta(minutes=10)
SEEN_AFTER = 4  # failures
MOST_SHOWN = 1000
OVERDUE = timedelta(minutes=10)
TOO_LATE = 2 * LONGEST_WAIT  # only a wrong clock or a damaged row puts a job off for longer

# With the reference of its screening; the oldest first.
_JOBS = (
    select(JobRow, ScreeningRow.reference)
    .join(ScreeningRow, ScreeningRow.id == JobRow.screening_id)
    .order_by(JobRow.id)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job that a process has leased."""

    id: int
    lease: str
    kind: str
    screening_id: str
    number: int
    is_last_attempt: bool


def add(session: Session, kinds: Iterable[str], screening: ScreeningRow, *, now: datetime) -> None:
    """Add jobs about a screening as it is now, unless they exist, in the caller's transaction."""
    there = select(JobRow.kind).where(
        JobRow.screening_id == screening.id, JobRow.number == screening.entries
    )
    for kind in set(kinds) - set(session.scalars(there)):
        session.add(
            JobRow(
                kind=kind,
                screening_id=screening.id,
                number=screening.entries,
                added_at=now,
                due_at=now,
            )
        )


def _is_ready() -> ColumnElement[bool]:
    """Select jobs that can be done: other jobs than printing need the printed summary."""
    same = and_(SummaryRow.screening_id == JobRow.screening_id, SummaryRow.number == JobRow.number)
    printed = select(SummaryRow.number).where(same)
    return and_(JobRow.failed.is_(False), or_(JobRow.kind == SUMMARY, printed.exists()))


def _is_of_the_future(now: datetime) -> ColumnElement[bool]:
    """Select jobs that are due later than any wait allows: the clock was set back since."""
    return and_(JobRow.failed.is_(False), JobRow.due_at > now + 2 * LONGEST_WAIT)


def is_due(session: Session, kind: str, *, now: datetime) -> bool:
    """Tell whether a job of this kind is due, without a lock."""
    due = or_(and_(_is_ready(), JobRow.due_at <= now), _is_of_the_future(now))
    return (
        session.scalars(select(JobRow.id).where(JobRow.kind == kind, due).limit(1)).first()
        is not None
    )


def take(
    session: Session,
    kind: str,
    *,
    now: datetime,
    screening_id: str = "",
    attempts: int = ATTEMPTS,
) -> Job | None:
    """Lease the job of a kind (of a screening) that has been due for longest; None if none is due.

    No two callers get the same job. A job whose last attempt ended without an answer, such as by a
    killed process, is marked as failed. After the clock was set back, each lease lasts its whole
    time from now.
    """
    back = case((JobRow.lease == "", now), else_=now + LEASE)
    late = (
        select(JobRow.id)
        .where(JobRow.kind == kind, _is_of_the_future(now))
        .with_for_update(skip_locked=True)
    )
    session.execute(update(JobRow).where(JobRow.id.in_(late)).values(due_at=back))
    due = (JobRow.kind == kind, _is_ready(), JobRow.due_at <= now)
    query = select(JobRow).where(*due).order_by(JobRow.due_at, JobRow.id).limit(1)
    if screening_id:
        query = query.where(JobRow.screening_id == screening_id)
    while (row := session.scalars(query.with_for_update(skip_locked=True)).first()) is not None:
        if row.attempts < attempts:
            row.attempts = row.attempts + 1
            row.lease = secrets.token_hex(16)
            row.due_at = now + LEASE
            session.flush()
            return Job(
                id=row.id,
                lease=row.lease,
                kind=row.kind,
                screening_id=row.screening_id,
                number=row.number,
                is_last_attempt=row.attempts >= attempts,
            )
        row.failed = True
        row.lease = ""
        row.fault = row.fault or "the process ended"
        session.flush()
    return None


def finish(session: Session, job: Job) -> bool:
    """Delete a job that was done; return False where its lease expired and another was given."""
    row = _leased(session, job)
    if row is not None:
        session.delete(row)
        session.flush()
    return row is not None


def put_off(session: Session, job: Job, fault: str, *, now: datetime) -> None:
    """Note a failure: the job is due again after a wait that doubles, or is marked as failed."""
    row = _leased(session, job)
    if row is not None:
        wait = min(FIRST_WAIT * 2 ** min(row.attempts - 1, 30), LONGEST_WAIT)
        wait *= random.uniform(0.5, 1.5)  # noqa: S311 - so that not all try again at once
        row.lease = ""
        row.fault = fault[:255]
        row.due_at = now + wait
        row.failed = job.is_last_attempt
        session.flush()


def _leased(session: Session, job: Job) -> JobRow | None:
    query = select(JobRow).where(JobRow.id == job.id, JobRow.lease == job.lease)
    return session.scalars(query.with_for_update()).first()


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """The numbers of jobs: all, failed, repeating (or late), and late without an attempt."""

    waiting: int
    failed: int
    repeating: int
    idle: int


def _needs_attention(now: datetime) -> ColumnElement[bool]:
    """Select jobs that failed for good or several times, or that no process works on."""
    stuck = and_(JobRow.due_at <= now - OVERDUE, _is_ready())
    tried = and_(JobRow.attempts >= SEEN_AFTER, JobRow.fault != "")
    return or_(JobRow.failed, tried, stuck, JobRow.due_at > now + TOO_LATE)


def needing_attention(session: Session, *, now: datetime) -> list[tuple[str, str, bool, str]]:
    """Return kind, last fault, failed, reference of the oldest jobs that need attention."""
    columns = select(JobRow.kind, JobRow.fault, JobRow.failed, ScreeningRow.reference)
    query = columns.join(ScreeningRow, ScreeningRow.id == JobRow.screening_id).where(
        _needs_attention(now)
    )
    return [(*row,) for row in session.execute(query.order_by(JobRow.id).limit(MOST_SHOWN))]


def totals(session: Session, *, now: datetime) -> Totals:
    """Count the jobs."""
    repeating = and_(JobRow.failed.is_(False), _needs_attention(now))
    idle = and_(repeating, JobRow.fault == "")
    counted = {"failed": JobRow.failed, "repeating": repeating, "idle": idle}
    sums = [func.count(case((condition, 1))).label(name) for name, condition in counted.items()]
    query = select(func.count().label("waiting"), *sums).select_from(JobRow)
    return Totals(**session.execute(query).mappings().one())


def waiting(session: Session) -> list[tuple[JobRow, str]]:
    """Return the jobs that are not done with the references of their screenings, oldest first."""
    return list(session.execute(_JOBS))


def of(session: Session, screening: ScreeningRow, kind: str) -> dict[int, JobRow]:
    """Return the open jobs of a kind about a screening, by number of entries."""
    jobs = session.scalars(
        select(JobRow).where(JobRow.screening_id == screening.id, JobRow.kind == kind)
    )
    return {job.number: job for job in jobs}


def retry(
    session: Session, references: Sequence[str] = (), *, kind: str = "", now: datetime
) -> int:
    """Make failed jobs due now: all, those of these screenings, or of this kind. Return how many.

    Jobs that are leased stay as they are.
    """
    unwell = or_(JobRow.failed, JobRow.fault != "", JobRow.due_at > now + TOO_LATE)
    failed = and_(unwell, JobRow.lease == "")
    query = _JOBS.where(failed).with_for_update(of=JobRow, skip_locked=True)
    failures = session.execute(query.where(JobRow.kind == kind) if kind else query)
    again = [job for job, reference in failures if not references or reference in references]
    for job in again:
        job.failed = False
        job.attempts = 0
        job.due_at = now
        job.fault = ""
    return len(again)


def kinds(session: Session) -> list[str]:
    """Return the kinds of jobs that are not done."""
    return list(session.scalars(select(JobRow.kind).distinct().order_by(JobRow.kind)))


def drop(session: Session, kind: str) -> int:
    """Delete all jobs of a kind; return how many there were."""
    return delete_in_order(session, JobRow.id, JobRow.kind == kind)
