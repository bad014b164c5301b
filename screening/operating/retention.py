"""Deleting what the clinic no longer needs to keep. Nothing about a patient stays behind."""

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta

from sqlalchemy import ColumnElement, delete, func, inspect, select, update
from sqlalchemy.orm import Session

from screening.domain.entries import Status
from screening.operating import clock
from screening.operating.clock import Machine
from screening.storage import audit, drafts, screenings
from screening.storage.audit import Act
from screening.storage.database import delete_in_order, empty_journal, write
from screening.storage.private_files import KeyFault
from screening.storage.tables import (
    AuditRow,
    CopyRow,
    DraftRow,
    EntryRow,
    JobRow,
    ScreeningRow,
    SummaryRow,
    tables_in_lock_order,
)

PART = 100  # screenings deleted or announced in one transaction, so that nobody waits long
ONE_DAY = timedelta(days=1)
# how long the inbox tells that something undecided will be deleted
ANNOUNCED_FOR = timedelta(days=14)
LEAST_BY_ITSELF = 100  # what the server deletes at once without being asked
TIMES_USUAL = 3
_UNDECIDED = ScreeningRow.status != Status.REVIEWED


def due(act: Act, *, days: int) -> list[tuple[str, bool]]:
    """The references of what can be deleted, the oldest first; and whether it was opened.

    That is what was sent, reviewed or deferred to a day at least `days` ago, by its own time and by
    the audit log. What nobody has decided on must also have been announced for 14 days.
    """
    age = timedelta(days=days)
    limit = act.now - age
    too_young = _changed_after(act, clock.proven(act, age))
    announced = _announced_before(act, clock.proven(act, ANNOUNCED_FOR))
    query = (
        select(ScreeningRow)
        .where(ScreeningRow.changed_at <= limit)
        .order_by(ScreeningRow.changed_at)
    )
    found = []
    for row in act.session.scalars(query.execution_options(yield_per=PART)):
        try:
            until = screenings.state(row, act.keys)["until"]
        except KeyFault:
            until = None  # what cannot be opened is not kept for ever
        is_over = until is None or date.fromisoformat(until) <= limit.date()
        is_known = row.status == Status.REVIEWED or (
            row.announced_at is not None and row.reference in announced
        )
        if is_over and is_known and row.reference not in too_young:
            found.append((row.reference, row.status != Status.NEW))
    return found


def _changed_after(act: Act, number: int) -> set[str]:
    """The references of what was sent or changed after that row of the audit log."""
    changes = AuditRow.action.in_(("submitted", "clarified", "reviewed"))
    return set(
        act.session.scalars(select(AuditRow.subject).where(AuditRow.number > number, changes))
    )


def _announced_before(act: Act, number: int) -> set[str]:
    """The references of what was last announced before that row of the audit log."""
    query = (
        select(AuditRow.subject).where(AuditRow.action == "announced").group_by(AuditRow.subject)
    )
    return set(act.session.scalars(query.having(func.max(AuditRow.number) < number)))


def announced(session: Session, *, days: int, shown: int) -> tuple[int, date | None, list[str]]:
    """What will be deleted although nobody has decided on it: how much, from which day on, and the first references."""
    columns = (ScreeningRow.reference, ScreeningRow.announced_at, ScreeningRow.changed_at)
    # Not "is not null", for which SQLite reads the whole table instead of the index.
    is_announced = (ScreeningRow.announced_at > datetime(1970, 1, 1, tzinfo=UTC), _UNDECIDED)
    query = (
        select(*columns)
        .where(*is_announced)
        .order_by(ScreeningRow.announced_at, ScreeningRow.changed_at)
    )
    first = session.execute(query.limit(shown)).all()
    until = [
        max(at + ANNOUNCED_FOR, changed + timedelta(days=days)).date()
        for _, at, changed in first
        if at
    ]
    return (
        screenings.count(session, *is_announced),
        min(until, default=None),
        [row[0] for row in first],
    )


def _announce(act: Act, *, days: int) -> None:
    """Announce what nobody has decided on and what is to be deleted in 14 days, or later where `days` are fewer."""
    soon = ScreeningRow.changed_at <= act.now - max(
        timedelta(days=days) - ANNOUNCED_FOR, timedelta(0)
    )
    query = select(ScreeningRow.reference).where(
        soon, _UNDECIDED, ScreeningRow.announced_at.is_(None)
    )
    references = [""] * PART
    while len(references) == PART:  # in parts, so that nobody waits long
        with write(act.session):
            part = query.order_by(ScreeningRow.id).limit(PART).with_for_update()
            references = list(act.session.scalars(part))
            these = update(ScreeningRow).where(ScreeningRow.reference.in_(references))
            act.session.execute(these.values(announced_at=act.now))
            for reference in references:
                act.note("announced", reference)


def _delete(session: Session, condition: ColumnElement[bool]) -> Sequence[str]:
    """Delete screenings with all that goes with them, locked in the order of all locks."""
    drafts_of = select(ScreeningRow.draft_hash)
    going = {}
    for table in tables_in_lock_order():
        if table.deleted_with_draft:
            column = getattr(table, table.deleted_with_draft)
            (key,) = inspect(table).primary_key
            rows = select(key).where(column.in_(drafts_of.where(condition)))
            going[table] = (key, session.scalars(rows.order_by(key).with_for_update()).all())
    rows = select(ScreeningRow.reference).where(condition).order_by(ScreeningRow.id)
    references = session.scalars(rows.with_for_update()).all()
    these = ScreeningRow.reference.in_(references)
    for child in (EntryRow, SummaryRow, CopyRow, JobRow):
        child_key = child.__table__.primary_key
        whole = select(*child_key).where(
            child.screening_id.in_(select(ScreeningRow.id).where(these))
        )
        session.execute(whole.order_by(*child_key).with_for_update()).all()
    for table, (key, ids) in going.items():
        column = getattr(table, table.deleted_with_draft)
        session.execute(delete(table).where(key.in_(ids), column.in_(drafts_of.where(these))))
    session.execute(delete(ScreeningRow).where(these))
    return references


def _delete_expired(act: Act) -> None:
    """Delete what has expired, in the order of all locks."""
    for table in tables_in_lock_order():
        condition = table.expired(act.now)
        if table is DraftRow:
            drafts.remove_expired(act.session, now=act.now)
        elif condition is not None:
            (key,) = inspect(table).primary_key
            delete_in_order(act.session, getattr(table, key.name), condition, wait=False)


def purge(
    act: Act,
    machine: Machine,
    *,
    days: int,
    by_itself: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[int, int, int]:
    """Delete what is due and all that expired.

    `by_itself`, the server deletes no more than three usual days bring.

    Returns how many screenings, how many of them never opened, and how many are left. Raises
    ClockInDoubt.
    """
    clock.check(act, machine)
    _announce(act, days=days)
    found = due(act, days=days)
    usual = screenings.count(act.session) // days
    most = max(LEAST_BY_ITSELF, TIMES_USUAL * usual) if by_itself else len(found)
    found, left = found[:most], len(found[most:])
    never_opened = sum(not opened for _, opened in found)
    for begin in range(0, len(found), PART):
        references = [reference for reference, _ in found[begin : begin + PART]]
        with write(act.session):
            # Looked at again: somebody may have decided something since.
            still = ScreeningRow.reference.in_(references) & (
                ScreeningRow.changed_at <= act.now - timedelta(days=days)
            )
            deleted = _delete(act.session, still)
            for reference in deleted:
                act.note("deleted", reference)
        progress(begin + len(references), len(found))
    with write(act.session):
        _delete_expired(act)
        act.note(
            clock.PURGED,
            detail=f"{len(found)} screenings, {never_opened} never opened, {left} left for later",
        )
    empty_journal(act.session)
    return len(found), never_opened, left


def daily(act: Act, machine: Machine, *, days: int) -> None:
    """Purge, unless that was done within the last day; in between, only delete the drafts that have expired.

    Raises ClockInDoubt.
    """
    clock.check(act, machine)
    last = audit.last(act.session, clock.PURGED)
    if last is None or not timedelta(0) <= act.now - last.at < ONE_DAY:
        purge(act, machine, days=days, by_itself=True)
    else:
        with write(act.session):
            drafts.remove_expired(act.session, now=act.now)
        empty_journal(act.session)
