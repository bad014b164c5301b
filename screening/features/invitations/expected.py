"""Who was invited to an appointment: what the inbox shows of it."""

from collections.abc import Collection
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from flask import url_for
from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from screening.domain.appointment import Appointment
from screening.extension_points import Expected
from screening.features.invitations import store
from screening.features.invitations.invitation import Invitation, is_same
from screening.features.invitations.tables import InvitationRow, appointment_day, day_token
from screening.storage import links, screenings
from screening.storage.encryption import Keys
from screening.storage.private_files import KeyFault
from screening.storage.tables import ScreeningRow

ONE_DAY = timedelta(days=1)


def expected(session: Session, keys: Keys, since: datetime, until: datetime) -> list[Expected]:
    """Return who has an appointment from a moment until another, by time.

    A patient who was invited to it again is listed once. Rows that cannot be opened come first.
    Answers that the patient has sent without the link, or on paper, since the invitation and until
    that moment count too.
    """
    now = datetime.now(UTC)
    days = [since.date() + ONE_DAY * number for number in range((until - since).days + 2)]
    tokens = [day_token(keys, day) for day in days]
    answered = ScreeningRow.draft_hash == InvitationRow.draft_hash
    query = (
        select(InvitationRow, ScreeningRow.reference)
        .outerjoin(ScreeningRow, answered)
        .where(
            InvitationRow.appointment_day.in_(tokens),
            or_(InvitationRow.revoked_at.is_(None), ScreeningRow.id.is_not(None)),
        )
        .order_by(ScreeningRow.id.is_not(None), InvitationRow.created_at, InvitationRow.id)
    )
    rows = [
        (row, first, invitation, at)
        for row, first in session.execute(query)
        for invitation in [_read(row, keys)]
        for at in [invitation.appointment if invitation else since]
        if at is not None and since <= at < until
    ]
    unanswered = {
        row.id: (invitation.patient, row.created_at)
        for row, first, invitation, _at in rows
        if invitation and not first
    }
    alone = links.sent_since(session, keys, unanswered, until)
    newest = screenings.newest(session, keys, [first for _row, first, *_ in rows if first])
    sent = screenings.rows(session, [*newest.values(), *alone.values()])
    invited: dict[object, Expected] = {}  # a later row of the same patient takes its place
    for row, first, invitation, at in rows:
        reference = newest.get(first, "") or alone.get(row.id, "")
        answering = (
            screenings.readable_patient(sent[reference], keys) if reference in sent else None
        )
        # or nobody can tell
        is_theirs = not (invitation and answering) or is_same(invitation.patient, answering)
        patient = None if invitation is None else invitation.patient
        invited[(patient, at) if patient else row.id] = Expected(
            at=at,
            patient=patient,
            prescriber=invitation.prescriber if invitation else "",
            reference=reference if is_theirs else "",
            other="" if is_theirs else reference,
            progress=store.PROGRESS[store.state(row, is_finished=bool(first), now=now)],
            page=url_for("invitations.details", invitation_id=row.id),
        )
    return sorted(invited.values(), key=lambda line: (line.at, line.patient is not None))


def appointments(
    session: Session, keys: Keys, references: Collection[str]
) -> dict[str, Appointment]:
    """Return the appointments for which these screenings were sent first, by their references."""
    query = (
        select(ScreeningRow.reference, InvitationRow)
        .join(InvitationRow, InvitationRow.draft_hash == ScreeningRow.draft_hash)
        .where(ScreeningRow.reference.in_(references), InvitationRow.appointment_day != b"")
    )
    given: dict[str, Appointment] = {}
    for reference, row in session.execute(query):
        invitation = _read(row, keys)
        if invitation is not None and invitation.appointment is not None:
            given[reference] = Appointment(
                at=invitation.appointment, prescriber=invitation.prescriber
            )
    return given


def note_days(session: Session, keys: Keys) -> None:
    """Let the invitations of an older release be found by the day of their appointments."""
    query = select(InvitationRow).where(InvitationRow.appointment_day.is_(None))
    for row in session.scalars(query.order_by(InvitationRow.id)):
        invitation = _read(row, keys)
        if invitation is not None:
            row.appointment_day = appointment_day(keys, invitation.appointment)


def _read(row: InvitationRow, keys: Keys) -> Invitation | None:
    with suppress(KeyFault):
        return store.read(row, keys)
    return None
