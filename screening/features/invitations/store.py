"""Invitations in the database: sealed, found by the hash of the token in the link."""

import base64
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from textwrap import wrap
from typing import Any

from flask_babel import LazyString, lazy_gettext
from sqlalchemy import Select, and_, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, defer

from screening.domain.assessment import Screening
from screening.features.invitations.invitation import Invitation
from screening.features.invitations.tables import InvitationRow, appointment_day
from screening.storage import records, screenings
from screening.storage.drafts import hash_token
from screening.storage.encryption import Keys
from screening.storage.private_files import KeyFault
from screening.storage.search import is_same_person
from screening.storage.tables import ScreeningRow

PAD = 1024  # bytes
TOKEN_BYTES = 16
TRIES = 5  # wrong dates of birth, after which the link is blocked
_EVERY = (  # each invitation with its screening, if there is one
    select(InvitationRow, ScreeningRow)
    .options(defer(ScreeningRow.sealed_answers))
    .outerjoin(ScreeningRow, ScreeningRow.draft_hash == InvitationRow.draft_hash)
    .order_by(InvitationRow.created_at.desc(), InvitationRow.id)
)


class InvitationState(StrEnum):
    """The progress of an invitation."""

    SENT = "sent"
    OPENED = "opened"
    FINISHED = "finished"
    OTHER_PERSON = "other_person"  # answers were sent, with another name or date of birth
    EXPIRED = "expired"
    REVOKED = "revoked"
    BLOCKED = "blocked"  # after too many dates of birth that were wrong


PROGRESS = {
    InvitationState.SENT: lazy_gettext("Not opened yet"),
    InvitationState.OPENED: lazy_gettext("Opened"),
    InvitationState.FINISHED: lazy_gettext("Answers sent"),
    InvitationState.OTHER_PERSON: lazy_gettext("Answers sent, not as invited"),
    InvitationState.EXPIRED: lazy_gettext("Expired"),
    InvitationState.REVOKED: lazy_gettext("Withdrawn"),
    InvitationState.BLOCKED: lazy_gettext("Blocked: wrong date of birth"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredInvitation:
    """A stored invitation with its progress.

    `invitation` is None if its row cannot be opened. `reference` is that of its screening, or
    empty.
    """

    id: str
    invitation: Invitation | None
    state: InvitationState
    created_at: datetime
    created_by: str
    opened_at: datetime | None
    expires_at: datetime
    reminded_at: datetime | None
    reference: str

    @property
    def progress(self) -> LazyString:
        """Return the state in words."""
        return PROGRESS[self.state]

    @property
    def is_usable(self) -> bool:
        """Return whether the link leads to the questions."""
        return self.state in (InvitationState.SENT, InvitationState.OPENED)


def token_of(keys: Keys, invitation_id: str) -> str:
    """Return the token in the link: 128 bits derived from the clinic's keys, which are not stored.

    It has small letters and digits in groups of four, and no two of them look alike.
    """
    mac = keys.authenticate("invitation", invitation_id.encode())[:TOKEN_BYTES]
    return "-".join(wrap(base64.b32encode(mac).decode().rstrip("=").lower(), 4))


def _hash(token: str) -> str:
    """Return the hash of a token, the same for capitals and without hyphens."""
    return hash_token("".join(character for character in token.lower() if character.isalnum()))


def add(
    session: Session,
    keys: Keys,
    invitation: Invitation,
    *,
    id: str,
    by: str,
    now: datetime,
    until: datetime,
) -> bool:
    """Store an invitation under an id of 32 hexadecimal digits.

    Return False if an invitation with this id exists.
    """
    row = InvitationRow(id=id, created_at=now, created_by=by[:64], expires_at=until, tries=0)
    row.token_hash = _hash(token_of(keys, row.id))
    row.appointment_day = appointment_day(keys, invitation.appointment)
    row.seal(keys, "sealed_invitation", records.encode(invitation, pad=PAD))
    try:
        with session.begin_nested():
            session.add(row)
    except IntegrityError:
        if session.get(InvitationRow, id) is None:
            raise
        return False
    return True


def row_of(session: Session, token: str, *, lock: bool = False) -> InvitationRow | None:
    """Return the row of a token, or None. `lock` keeps other writers waiting (PostgreSQL)."""
    query = select(InvitationRow).where(InvitationRow.token_hash == _hash(token))
    return session.scalars(query.with_for_update() if lock else query).one_or_none()


def read(row: InvitationRow, keys: Keys) -> Invitation:
    """Return the invitation in a row. Raises KeyFault."""
    row.unseal(keys, "sealed_check")
    record: dict[str, Any] = records.decode(row.unseal(keys, "sealed_invitation"))
    appointment = record["appointment"] and datetime.fromisoformat(record["appointment"])
    return Invitation(
        **record | {"patient": records.patient(record["patient"]), "appointment": appointment}
    )


def state(row: InvitationRow, *, is_finished: bool, now: datetime) -> InvitationState:
    """Return the progress of an invitation."""
    if is_finished:
        return InvitationState.FINISHED
    if row.revoked_at is not None:
        return InvitationState.REVOKED
    if row.tries >= TRIES:
        return InvitationState.BLOCKED
    if row.expires_at <= now:
        return InvitationState.EXPIRED
    return InvitationState.SENT if row.opened_at is None else InvitationState.OPENED


def is_finished(session: Session, row: InvitationRow) -> bool:
    """Return whether the answers were sent."""
    return (
        session.scalar(select(ScreeningRow.id).where(ScreeningRow.draft_hash == row.draft_hash))
        is not None
    )


def is_of_invitation(session: Session, draft_hash: str) -> bool:
    """Return whether a draft was begun with an invitation."""
    query = select(InvitationRow.id).where(InvitationRow.draft_hash == draft_hash)
    return session.scalar(query) is not None


def behind(session: Session, keys: Keys, screening: Screening) -> Invitation | None:
    """Return the invitation of a screening, or None. Raises KeyFault."""
    first = ScreeningRow.reference == (screening.replaces or screening.reference)
    query = (
        select(InvitationRow)
        .join(ScreeningRow, ScreeningRow.draft_hash == InvitationRow.draft_hash)
        .where(first)
    )
    row = session.scalars(query).one_or_none()
    return None if row is None else read(row, keys)


def behind_draft(
    session: Session, keys: Keys, draft_hash: str, *, replaces: str
) -> Invitation | None:
    """Return the invitation of a draft, or None. Raises KeyFault.

    `replaces` is the reference of the screening whose answers the draft changes, or "".
    """
    first = select(ScreeningRow.draft_hash).where(ScreeningRow.reference == replaces)
    hashes = first if replaces else [draft_hash]
    query = select(InvitationRow).where(InvitationRow.draft_hash.in_(hashes))
    row = session.scalars(query).one_or_none()
    return None if row is None else read(row, keys)


def find(
    session: Session, keys: Keys, invitation_id: str, *, now: datetime
) -> StoredInvitation | None:
    """Return the invitation with this id, or None."""
    return next(_kept(session, keys, now, _EVERY.where(InvitationRow.id == invitation_id)), None)


def listed(
    session: Session, keys: Keys, *, now: datetime, offset: int, limit: int
) -> list[StoredInvitation]:
    """Return invitations, the newest first."""
    return list(_kept(session, keys, now, _EVERY.offset(offset).limit(limit)))


def awaited(session: Session, keys: Keys, *, now: datetime) -> list[StoredInvitation]:
    """Return the invitations whose answers may still come, or came from somebody else.

    They are sorted by appointment. Those without an appointment follow, the newest first.
    """
    is_alive = and_(
        InvitationRow.revoked_at.is_(None),
        InvitationRow.tries < TRIES,
        InvitationRow.expires_at > now,
    )
    alive = _kept(session, keys, now, _EVERY.where(is_alive))
    kept = [row for row in alive if row.state is not InvitationState.FINISHED]
    never = datetime.max.replace(tzinfo=UTC)
    return sorted(kept, key=lambda row: (row.invitation and row.invitation.appointment) or never)


def _kept(
    session: Session, keys: Keys, now: datetime, query: Select[InvitationRow, ScreeningRow]
) -> Iterator[StoredInvitation]:
    for row, screening in session.execute(query):
        invitation = None
        progress = state(row, is_finished=screening is not None, now=now)
        with suppress(KeyFault):
            invitation = read(row, keys)
            if screening is not None and not is_same_person(
                invitation.patient, screenings.patient(screening, keys)
            ):
                progress = InvitationState.OTHER_PERSON
        yield StoredInvitation(
            id=row.id,
            invitation=invitation,
            state=progress,
            created_at=row.created_at,
            created_by=row.created_by,
            opened_at=row.opened_at,
            expires_at=row.expires_at,
            reminded_at=row.reminded_at,
            reference=screening.reference if screening else "",
        )


def count(session: Session) -> int:
    """Return the number of invitations."""
    return session.scalar(select(func.count()).select_from(InvitationRow)) or 0
