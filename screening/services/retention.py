"""Deleting what the clinic no longer needs to keep. Nothing about a patient stays behind."""

from collections.abc import Callable
from datetime import date, timedelta

from sqlalchemy import delete, select

from screening.domain.entries import Status
from screening.storage import audit, drafts, screenings
from screening.storage.audit import Act
from screening.storage.database import empty_journal, write
from screening.storage.encryption import KeyFault
from screening.storage.tables import InvitationRow, ScreeningRow, SignInRow, TabletRow

PART = 200  # screenings deleted in one transaction, so that nobody waits long
ONE_DAY = timedelta(days=1)
INVITATIONS_KEPT = timedelta(days=30)  # after their time, so that staff can see what came of them
DOUBTFUL = timedelta(days=30)


class ClockInDoubt(Exception):
    """Nothing was written for so long, or only in the future, that somebody should look before anything is deleted."""


def due(act: Act, *, days: int) -> list[tuple[str, bool]]:
    """The references of what was sent, reviewed or deferred to a day at least `days` ago; and whether it was opened."""
    limit = act.now - timedelta(days=days)
    query = select(ScreeningRow).where(ScreeningRow.changed_at <= limit).order_by(ScreeningRow.changed_at)
    found = []
    for row in act.session.scalars(query.execution_options(yield_per=PART)):
        try:
            until = screenings.state(row, act.keys)["until"]
        except KeyFault:
            until = None  # what cannot be opened is not kept for ever
        if until is None or date.fromisoformat(until) <= limit.date():
            found.append((row.reference, row.status != Status.NEW))
    return found


def purge(act: Act, *, days: int, progress: Callable[[int, int], None] = lambda done, total: None) -> tuple[int, int]:
    """Delete what is due and all that expired. Returns how many screenings, and how many of them were never opened."""
    found = due(act, days=days)
    never_opened = sum(not opened for _, opened in found)
    for begin in range(0, len(found), PART):
        references = [reference for reference, _ in found[begin : begin + PART]]
        with write(act.session):
            # Looked at again: somebody may have decided something since.
            still = ScreeningRow.reference.in_(references) & (ScreeningRow.changed_at <= act.now - timedelta(days=days))
            deleted = act.session.scalars(select(ScreeningRow.reference).where(still).with_for_update()).all()
            these = ScreeningRow.reference.in_(deleted)
            whose = select(ScreeningRow.draft_hash).where(these)
            act.session.execute(delete(InvitationRow).where(InvitationRow.draft_hash.in_(whose)))
            act.session.execute(delete(ScreeningRow).where(these))
            for reference in deleted:
                act.note("deleted", reference)
        progress(begin + len(references), len(found))
    with write(act.session):
        drafts.remove_expired(act.session, now=act.now)
        act.session.execute(delete(InvitationRow).where(InvitationRow.expires_at < act.now - INVITATIONS_KEPT))
        act.session.execute(delete(TabletRow).where(TabletRow.ends_at <= act.now))
        act.session.execute(delete(SignInRow).where(SignInRow.begun_at <= act.now - ONE_DAY))
        act.note("purged", detail=f"{len(found)} screenings, {never_opened} never opened")
    empty_journal(act.session)
    return len(found), never_opened


def daily(act: Act, *, days: int) -> None:
    """Purge, unless that was done within the last day; in between, only delete the drafts that have expired.

    Raises ClockInDoubt where the newest audit row is far away: a wrong clock must not delete what nobody has read.
    """
    newest = audit.last(act.session)
    if newest is not None and abs(act.now - newest.at) > DOUBTFUL:
        raise ClockInDoubt
    last = audit.last(act.session, "purged")
    if last is None or last.at <= act.now - ONE_DAY:
        purge(act, days=days)
    else:
        with write(act.session):
            drafts.remove_expired(act.session, now=act.now)
        empty_journal(act.session)
