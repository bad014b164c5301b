"""The verbs of a shared tablet: begin, hand over, lock, unlock with a PIN, end."""

import secrets
from datetime import datetime, timedelta

from sqlalchemy import delete
from sqlalchemy.orm import Session

from screening.domain.answers import Patient
from screening.features.tablet.tables import TabletRow
from screening.services import questionnaire
from screening.services.attempts import AHEAD
from screening.storage import drafts, screenings
from screening.storage.audit import Actor
from screening.storage.database import write
from screening.storage.drafts import Draft, hash_token
from screening.storage.tables import ScreeningRow, SignInRow

LONGEST = timedelta(hours=12)  # then staff must sign in again
# without a step, after which what a patient has begun is gone from the server too
TURN = timedelta(minutes=30)
MOST_TRIES = 5

STAFF = "staff"
PATIENT = "patient"
LOCKED = "locked"


class NoTablet(Exception):
    """The tablet has ended, or another request has changed its state."""


def find(session: Session, token: str, *, now: datetime) -> TabletRow | None:
    """Return the tablet with this token, or None if it has ended."""
    row = session.get(TabletRow, hash_token(token))
    return row if row is not None and _is_alive(row, now) else None


def _is_alive(row: TabletRow, now: datetime) -> bool:
    """Return whether a tablet has not expired, and was not begun while the clock was ahead."""
    return now < row.ends_at <= now + LONGEST + AHEAD


def begin(
    actor: Actor, *, pin: str, sign_in: str, patient: Patient | None, draft: str
) -> tuple[str, str]:
    """Begin with a hashed PIN. Return the token of the tablet and that of the first draft.

    The sign-in with the token `sign_in` ends: nothing of the clinic stays open on the tablet.
    """
    token = secrets.token_urlsafe(32)
    row = TabletRow(
        token_hash=hash_token(token),
        begun_by=actor.by,
        pin=pin,
        tries=0,
        ends_at=actor.now + LONGEST,
    )
    with write(actor.session):
        actor.session.add(row)
        draft_token = _new_draft(actor, row, patient, draft)
        actor.session.execute(delete(SignInRow).where(SignInRow.token_hash == hash_token(sign_in)))
        actor.note("signed out", actor.by, "for a tablet")
        actor.note("tablet begun", _name(row))
    return token, draft_token


def hand_over(actor: Actor, token: str, *, patient: Patient | None, draft: str) -> str:
    """Hand over to the next patient. Return the token of the new draft. Raises NoTablet."""
    with write(actor.session):
        row = _row(actor, token, STAFF)
        draft_token = _new_draft(actor, row, patient, draft)
        actor.note("tablet handed over", _name(row))
    return draft_token


def lock(actor: Actor, token: str, *, draft: str) -> None:
    """End the turn of a patient: what was not sent is deleted. Raises NoTablet."""
    with write(actor.session):
        row = _row(actor, token, STAFF, PATIENT)
        _end_turn(actor, row, draft)
        row.state = LOCKED
        actor.note("tablet locked", _name(row))


def unlock(actor: Actor, token: str, *, fits: bool, tries: int, draft: str) -> bool:
    """Take the tablet back with a PIN that `fits`. Return whether it was accepted.

    `tries` is the number of wrong PINs when this one was checked: of several PINs sent at once only
    the first can be accepted. A wrong PIN is counted; after MOST_TRIES the tablet ends. Raises
    NoTablet.
    """
    with write(actor.session):
        row = _row(actor, token, PATIENT, LOCKED)
        _end_turn(actor, row, draft)
        right = fits and row.tries == tries
        if right:
            row.state = STAFF
            row.tries = 0
            actor.note("tablet unlocked", _name(row))
        elif row.tries + 1 < MOST_TRIES:
            row.state = LOCKED
            row.tries = row.tries + 1
            actor.note("tablet locked", _name(row), "wrong PIN")
        else:
            actor.session.delete(row)
            actor.note("tablet ended", _name(row), "too many wrong PINs")
    return right


def end(actor: Actor, token: str) -> None:
    """End a tablet that staff hold. Raises NoTablet."""
    with write(actor.session):
        row = _row(actor, token, STAFF)
        actor.session.delete(row)
        actor.note("tablet ended", _name(row))


def _end_turn(actor: Actor, row: TabletRow, draft: str) -> None:
    """Delete the draft, and note in the row whether answers were sent."""
    if draft:
        drafts.remove(actor.session, hash_token(draft))
        row.sent = screenings.count(actor.session, ScreeningRow.draft_hash == hash_token(draft)) > 0


def _row(actor: Actor, token: str, *states: str) -> TabletRow:
    row = actor.session.get(
        TabletRow, hash_token(token), with_for_update=True, populate_existing=True
    )
    if row is None or not _is_alive(row, actor.now) or row.state not in states:
        raise NoTablet
    row.unseal(actor.keys, "sealed_check")
    return row


def _new_draft(actor: Actor, row: TabletRow, patient: Patient | None, draft: str) -> str:
    """Replace `draft` by one for the next patient. Return its token."""
    token = questionnaire.new_token()
    row.state = PATIENT
    row.sent = None
    drafts.remove(actor.session, hash_token(draft))
    drafts.put(
        actor.session,
        actor.keys,
        hash_token(token),
        Draft(patient=patient),
        expires_at=actor.now + TURN,
    )
    return token


def _name(row: TabletRow) -> str:
    """Return the name of a tablet in the audit log."""
    return row.token_hash[:8]
