"""The outbox: what is still to be done, each job committed with what it is about, so that nothing is ever forgotten."""

import random
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import Session

from screening.storage.tables import JobRow, ScreeningRow

SUMMARY = "summary"
LEASE = timedelta(seconds=40)  # longer than attempts take; where one takes longer, it is only done twice
ATTEMPTS = 12
FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=2), timedelta(minutes=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job that somebody has leased."""

    id: int
    lease: str
    kind: str
    screening_id: str
    number: int


def add(session: Session, kind: str, screening: ScreeningRow, *, now: datetime) -> None:
    """Add a job about a screening as it is now, within the caller's transaction; one that is there already stays."""
    same = (JobRow.kind == kind, JobRow.screening_id == screening.id, JobRow.number == screening.entries)
    if session.scalars(select(JobRow).where(*same)).first() is None:
        job = JobRow(kind=kind, screening_id=screening.id, number=screening.entries, due_at=now)
        job.attempts, job.lease, job.failed, job.fault = 0, "", False, ""
        session.add(job)


def _due(now: datetime) -> ColumnElement[bool]:
    # Nothing is ever put off for as long as that: the clock was set back since.
    too_late = now + 2 * LONGEST_WAIT
    return and_(JobRow.failed.is_(False), or_(JobRow.due_at <= now, JobRow.due_at > too_late))


def is_due(session: Session, *, now: datetime) -> bool:
    """Whether there is anything to do, without locking anything."""
    return session.scalars(select(JobRow.id).where(_due(now)).limit(1)).first() is not None


def take(session: Session, *, now: datetime, screening_id: str = "") -> Job | None:
    """Lease the job that has been due for longest (of one screening, where asked), or None. No two take the same.

    A job whose last attempt ended without a word, such as by a killed process, is marked as failed on the way.
    """
    query = select(JobRow).where(_due(now)).order_by(JobRow.due_at, JobRow.id).limit(1)
    if screening_id:
        query = query.where(JobRow.screening_id == screening_id)
    while (row := session.scalars(query.with_for_update(skip_locked=True)).first()) is not None:
        if row.attempts < ATTEMPTS:
            row.attempts, row.lease, row.due_at = row.attempts + 1, secrets.token_hex(16), now + LEASE
            session.flush()
            return Job(id=row.id, lease=row.lease, kind=row.kind, screening_id=row.screening_id, number=row.number)
        row.failed, row.fault = True, row.fault or "the process ended"
        session.flush()
    return None


def finish(session: Session, job: Job) -> bool:
    """Delete a job that was done; False where the lease ran out and somebody else has taken it since."""
    row = _leased(session, job)
    if row is not None:
        session.delete(row)
        session.flush()
    return row is not None


def put_off(session: Session, job: Job, fault: str, *, now: datetime) -> None:
    """Note a failure: try again later, each time after a longer while, or mark it as failed for somebody to see."""
    row = _leased(session, job)
    if row is not None:
        wait = min(FIRST_WAIT * 2 ** (row.attempts - 1), LONGEST_WAIT) * random.uniform(0.5, 1.5)  # noqa: S311
        row.lease, row.fault, row.due_at, row.failed = "", fault[:255], now + wait, row.attempts >= ATTEMPTS
        session.flush()


def _leased(session: Session, job: Job) -> JobRow | None:
    query = select(JobRow).where(JobRow.id == job.id, JobRow.lease == job.lease)
    return session.scalars(query.with_for_update()).first()


def waiting(session: Session, *, only_failed: bool = False) -> list[tuple[JobRow, str]]:
    """The jobs that are not done, each with the reference of its screening; the oldest first."""
    query = select(JobRow, ScreeningRow.reference).join(ScreeningRow, ScreeningRow.id == JobRow.screening_id)
    if only_failed:
        query = query.where(JobRow.failed.is_(True))
    return [(job, reference) for job, reference in session.execute(query.order_by(JobRow.id))]


def of(session: Session, screening: ScreeningRow) -> dict[int, JobRow]:
    """The jobs about a screening that are not done, by the number of entries that they are about."""
    jobs = session.scalars(select(JobRow).where(JobRow.screening_id == screening.id))
    return {job.number: job for job in jobs}


def retry(session: Session, references: list[str], *, now: datetime) -> int:
    """Let what failed about these screenings (all, where none is named) be tried again; how many jobs that are."""
    found = waiting(session, only_failed=True)
    failed = [job for job, reference in found if not references or reference in references]
    for job in failed:
        job.failed, job.attempts, job.due_at, job.fault = False, 0, now, ""
    return len(failed)
