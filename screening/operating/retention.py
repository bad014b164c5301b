"""Delete screenings that the clinic no longer needs, with everything about the patient."""

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta

from sqlalchemy import ColumnElement, delete, func, inspect, or_, select, update
from sqlalchemy.orm import Session

from screening.domain.entries import Status
from screening.operating import clock
from screening.operating.clock import Machine
from screening.storage import audit, drafts, screenings
from screening.storage.audit import Actor
from screening.storage.database import delete_in_order, empty_journal, write
from screening.storage.private_files import KeyFault
from screening.storage.tables import (
    AuditRow,
    CopyRow,
    DraftRow,
    EntryRow,
    JobRow,
    SamePersonRow,
    ScreeningRow,
    SummaryRow,
    tables_in_lock_order,
)

PART = 100  # screenings deleted or announced in one transaction, so that others wait briefly
ONE_DAY = timedelta(days=1)
# for how long the inbox announces that a screening without a decision will be deleted
ANNOUNCED_FOR = timedelta(days=14)
ACKNOWLEDGED = "acknowledged"
# The server by itself deletes at most the larger of these: a number, or a multiple of a usual day.
LEAST_BY_ITSELF = 100
TIMES_USUAL = 3
_UNDECIDED = ScreeningRow.status != Status.REVIEWED


def due(actor: Actor, *, days: int) -> list[tuple[str, bool]]:
    """Return the references of screenings that can be deleted, and whether each was opened.

    The oldest come first. They were sent, clarified, reviewed or deferred to a day at least `days`
    ago, by their own times and by the audit log. Those without a decision must also have been
    announced for 14 days, and acknowledged.
    """
    age = timedelta(days=days)
    limit = actor.now - age
    changed_since = _changed_after(actor, clock.proven(actor, age))
    announced_before = _announced_before(actor, clock.proven(actor, ANNOUNCED_FOR))
    is_acknowledged = AuditRow.action == ACKNOWLEDGED
    acknowledged = set(actor.session.scalars(select(AuditRow.subject).where(is_acknowledged)))
    query = (
        select(ScreeningRow)
        .where(ScreeningRow.changed_at <= limit)
        .order_by(ScreeningRow.changed_at)
    )
    deletable = []
    for row in actor.session.scalars(query.execution_options(yield_per=PART)):
        try:
            until = screenings.state(row, actor.keys)["until"]
        except KeyFault:
            until = None  # a screening that cannot be opened is not kept for ever
        is_over = until is None or date.fromisoformat(until) <= limit.date()
        was_announced = row.announced_at is not None and row.reference in announced_before
        was_acknowledged = row.acknowledged_at is not None and row.reference in acknowledged
        may_go = row.status == Status.REVIEWED or (was_announced and was_acknowledged)
        if is_over and may_go and row.reference not in changed_since:
            deletable.append((row.reference, row.status != Status.NEW))
    return deletable


def _changed_after(actor: Actor, number: int) -> set[str]:
    """Return the references of screenings sent or changed after that row of the audit log."""
    changes = AuditRow.action.in_(("submitted", "clarified", "reviewed"))
    return set(
        actor.session.scalars(select(AuditRow.subject).where(AuditRow.number > number, changes))
    )


def _announced_before(actor: Actor, number: int) -> set[str]:
    """Return the references of screenings last announced before that row of the audit log."""
    query = (
        select(AuditRow.subject).where(AuditRow.action == "announced").group_by(AuditRow.subject)
    )
    return set(actor.session.scalars(query.having(func.max(AuditRow.number) < number)))


def announced(session: Session, *, days: int, shown: int) -> tuple[int, date | None, list[str]]:
    """Return how many screenings without a decision are due for deletion, from when, and which.

    Those that were acknowledged are left out. The references are the first ones, at most `shown`.
    """
    columns = (ScreeningRow.reference, ScreeningRow.announced_at, ScreeningRow.changed_at)
    # Not "is not null", for which SQLite reads the whole table instead of the index.
    is_announced = (
        ScreeningRow.announced_at > datetime(1970, 1, 1, tzinfo=UTC),
        ScreeningRow.acknowledged_at.is_(None),
        _UNDECIDED,
    )
    query = (
        select(*columns)
        .where(*is_announced)
        .order_by(ScreeningRow.announced_at, ScreeningRow.changed_at)
    )
    first = session.execute(query.limit(shown)).all()
    deletion_days = [
        max(announced_at + ANNOUNCED_FOR, changed_at + timedelta(days=days)).date()
        for _reference, announced_at, changed_at in first
        if announced_at
    ]
    count = screenings.count(session, *is_announced)
    return count, min(deletion_days, default=None), [row.reference for row in first]


def acknowledge(actor: Actor, references: Sequence[str]) -> int:
    """Let screenings that were announced be deleted without a decision; return how many."""
    query = select(ScreeningRow).where(
        ScreeningRow.reference.in_(references),
        ScreeningRow.announced_at.is_not(None),
        ScreeningRow.acknowledged_at.is_(None),
        _UNDECIDED,
    )
    with write(actor.session):
        rows = actor.session.scalars(query.order_by(ScreeningRow.id).with_for_update()).all()
        for row in rows:
            row.acknowledged_at = actor.now
        for row in rows:
            actor.note(ACKNOWLEDGED, row.reference)
    return len(rows)


def _announce(actor: Actor, *, days: int) -> None:
    """Announce screenings without a decision that are due for deletion in 14 days.

    Each stays for 14 days after its announcement, even where `days` are fewer.
    """
    age = max(timedelta(days=days) - ANNOUNCED_FOR, timedelta(0))
    soon = ScreeningRow.changed_at <= actor.now - age
    query = select(ScreeningRow.reference).where(
        soon, _UNDECIDED, ScreeningRow.announced_at.is_(None)
    )
    references = [""] * PART
    while len(references) == PART:
        with write(actor.session):
            part = query.order_by(ScreeningRow.id).limit(PART).with_for_update()
            references = list(actor.session.scalars(part))
            rows = update(ScreeningRow).where(ScreeningRow.reference.in_(references))
            actor.session.execute(rows.values(announced_at=actor.now))
            for reference in references:
                actor.note("announced", reference)


def _delete(session: Session, condition: ColumnElement[bool]) -> Sequence[str]:
    """Delete screenings and the rows that belong to them, locked in the order of all locks."""
    draft_hashes = select(ScreeningRow.draft_hash)
    dependents = {}
    for table in tables_in_lock_order():
        if table.deleted_with_draft:
            column = getattr(table, table.deleted_with_draft)
            (key,) = inspect(table).primary_key
            rows = select(key).where(column.in_(draft_hashes.where(condition)))
            dependents[table] = (key, session.scalars(rows.order_by(key).with_for_update()).all())
    rows = select(ScreeningRow.reference).where(condition).order_by(ScreeningRow.id)
    references = session.scalars(rows.with_for_update()).all()
    is_locked = ScreeningRow.reference.in_(references)
    screening_ids = select(ScreeningRow.id).where(is_locked)
    about_two = or_(
        SamePersonRow.first_id.in_(screening_ids), SamePersonRow.second_id.in_(screening_ids)
    )
    about_one = [
        (child, child.screening_id.in_(screening_ids))
        for child in (EntryRow, SummaryRow, CopyRow, JobRow)
    ]
    for child, about in (about_one[0], (SamePersonRow, about_two), *about_one[1:]):
        child_key = child.__table__.primary_key
        child_rows = select(*child_key).where(about)
        session.execute(child_rows.order_by(*child_key).with_for_update()).all()
    for table, (key, ids) in dependents.items():
        column = getattr(table, table.deleted_with_draft)
        session.execute(
            delete(table).where(key.in_(ids), column.in_(draft_hashes.where(is_locked)))
        )
    session.execute(delete(ScreeningRow).where(is_locked))
    return references


def _delete_expired(actor: Actor) -> None:
    """Delete all rows that have expired, in the order of all locks."""
    for table in tables_in_lock_order():
        condition = table.expired(actor.now)
        if table is DraftRow:
            drafts.remove_expired(actor.session, now=actor.now)
        elif condition is not None:
            (key,) = inspect(table).primary_key
            delete_in_order(actor.session, getattr(table, key.name), condition, wait=False)


def purge(
    actor: Actor,
    machine: Machine,
    *,
    days: int,
    by_itself: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[int, int, int]:
    """Delete the screenings that are due, and all rows that have expired.

    Return how many screenings were deleted, how many of them were never opened, and how many are
    left. `by_itself` limits their number to TIMES_USUAL usual days, or LEAST_BY_ITSELF. `progress`
    takes the numbers done and in all. Raises ClockInDoubt.
    """
    clock.check(actor, machine)
    _announce(actor, days=days)
    all_due = due(actor, days=days)
    usual = screenings.count(actor.session) // days
    most = max(LEAST_BY_ITSELF, TIMES_USUAL * usual) if by_itself else len(all_due)
    going = all_due[:most]
    left = len(all_due) - len(going)
    never_opened = sum(not opened for _reference, opened in going)
    for begin in range(0, len(going), PART):
        references = [reference for reference, _opened in going[begin : begin + PART]]
        with write(actor.session):
            # Checked again: a person may have decided on one since.
            still_due = ScreeningRow.reference.in_(references) & (
                ScreeningRow.changed_at <= actor.now - timedelta(days=days)
            )
            deleted = _delete(actor.session, still_due)
            for reference in deleted:
                actor.note("deleted", reference)
        progress(begin + len(references), len(going))
    with write(actor.session):
        _delete_expired(actor)
        actor.note(
            clock.PURGED,
            detail=f"{len(going)} screenings, {never_opened} never opened, {left} left for later",
        )
    empty_journal(actor.session)
    return len(going), never_opened, left


def daily(
    actor: Actor, machine: Machine, *, days: int, progress: Callable[[int, int], None]
) -> None:
    """Purge, unless that was done within the last day; then only delete expired drafts.

    Raises ClockInDoubt.
    """
    clock.check(actor, machine)
    last = audit.last(actor.session, clock.PURGED)
    if last is None or not timedelta(0) <= actor.now - last.at < ONE_DAY:
        purge(actor, machine, days=days, by_itself=True, progress=progress)
    else:
        with write(actor.session):
            drafts.remove_expired(actor.session, now=actor.now)
        empty_journal(actor.session)
