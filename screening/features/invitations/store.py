"""Invitations: whom a link is for, sealed, found by the hash of the token in it."""

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from textwrap import wrap
from typing import Any

from sqlalchemy import Select, and_, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from screening.domain.assessment import Screening
from screening.features.invitations.invitation import Invitation
from screening.features.invitations.tables import InvitationRow
from screening.storage import records
from screening.storage.drafts import hash_token
from screening.storage.encryption import Keys
from screening.storage.private_files import KeyFault
from screening.storage.tables import ScreeningRow

PAD = 1024  # bytes
TOKEN_BYTES = 16
TRIES = 5  # dates of birth
_EVERY = (  # with the reference of what came of it
    select(InvitationRow, ScreeningRow.reference)
    .outerjoin(ScreeningRow, ScreeningRow.draft_hash == InvitationRow.draft_hash)
    .order_by(InvitationRow.created_at.desc(), InvitationRow.id)
)


class State(StrEnum):
    """How far an invitation has come."""

    SENT = "sent"
    OPENED = "opened"
    FINISHED = "finished"
    EXPIRED = "expired"
    REVOKED = "revoked"
    BLOCKED = "blocked"  # after too many dates of birth that were wrong


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A stored invitation, None where it cannot be opened; `reference` is that of the screening which came of it."""

    id: str
    invitation: Invitation | None
    state: State
    created_at: datetime
    created_by: str
    opened_at: datetime | None
    expires_at: datetime
    reminded_at: datetime | None
    reference: str

    @property
    def is_usable(self) -> bool:
        """Whether the link leads to the questions."""
        return self.state in (State.SENT, State.OPENED)


def token_of(keys: Keys, invitation_id: str) -> str:
    """The token in an invitation's link: 128 bits that only the clinic's keys give, so that it need not be stored.

    In small letters and digits, four to a group, none of which looks like another.
    """
    mac = keys.authenticate("invitation", invitation_id.encode())[:TOKEN_BYTES]
    return "-".join(wrap(base64.b32encode(mac).decode().rstrip("=").lower(), 4))


def _hash(token: str) -> str:
    """What the database knows of a token, however it was typed."""
    return hash_token("".join(one for one in token.lower() if one.isalnum()))


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

    False where one with this id is there.
    """
    row = InvitationRow(id=id, created_at=now, created_by=by[:64], expires_at=until, tries=0)
    row.token_hash = _hash(token_of(keys, row.id))
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
    """The row that a token in a link leads to. `lock` keeps other writers waiting (PostgreSQL)."""
    query = select(InvitationRow).where(InvitationRow.token_hash == _hash(token))
    return session.scalars(query.with_for_update() if lock else query).one_or_none()


def read(row: InvitationRow, keys: Keys) -> Invitation:
    """What a row holds. Raises KeyFault."""
    row.unseal(keys, "sealed_check")
    record: dict[str, Any] = records.decode(row.unseal(keys, "sealed_invitation"))
    appointment = record["appointment"] and datetime.fromisoformat(record["appointment"])
    return Invitation(
        **record | {"patient": records.patient(record["patient"]), "appointment": appointment}
    )


def state(row: InvitationRow, *, is_finished: bool, now: datetime) -> State:
    """How far it has come."""
    if is_finished:
        return State.FINISHED
    if row.revoked_at is not None:
        return State.REVOKED
    if row.tries >= TRIES:
        return State.BLOCKED
    if row.expires_at <= now:
        return State.EXPIRED
    return State.SENT if row.opened_at is None else State.OPENED


def is_finished(session: Session, row: InvitationRow) -> bool:
    """Whether the answers were sent."""
    return (
        session.scalar(select(ScreeningRow.id).where(ScreeningRow.draft_hash == row.draft_hash))
        is not None
    )


def is_of_invitation(session: Session, draft_hash: str) -> bool:
    """Return whether a draft was begun with an invitation."""
    query = select(InvitationRow.id).where(InvitationRow.draft_hash == draft_hash)
    return session.scalar(query) is not None


def behind(session: Session, keys: Keys, screening: Screening) -> Invitation | None:
    """The invitation by which a screening came, or None. Raises KeyFault."""
    first = ScreeningRow.reference == (screening.replaces or screening.reference)
    query = (
        select(InvitationRow)
        .join(ScreeningRow, ScreeningRow.draft_hash == InvitationRow.draft_hash)
        .where(first)
    )
    row = session.scalars(query).one_or_none()
    return None if row is None else read(row, keys)


def find(session: Session, keys: Keys, invitation_id: str, *, now: datetime) -> Kept | None:
    """One invitation, or None."""
    return next(_kept(session, keys, now, _EVERY.where(InvitationRow.id == invitation_id)), None)


def listed(session: Session, keys: Keys, *, now: datetime, offset: int, limit: int) -> list[Kept]:
    """Invitations, the newest first."""
    return list(_kept(session, keys, now, _EVERY.offset(offset).limit(limit)))


def awaited(session: Session, keys: Keys, *, now: datetime) -> list[Kept]:
    """Those whose answers may still come: by appointment, then those without one, the newest first."""
    is_alive = and_(
        InvitationRow.revoked_at.is_(None),
        InvitationRow.tries < TRIES,
        InvitationRow.expires_at > now,
    )
    kept = list(_kept(session, keys, now, _EVERY.where(is_alive, ScreeningRow.id.is_(None))))
    never = datetime.max.replace(tzinfo=UTC)
    return sorted(kept, key=lambda one: (one.invitation and one.invitation.appointment) or never)


def _kept(
    session: Session, keys: Keys, now: datetime, query: Select[InvitationRow, str]
) -> Iterator[Kept]:
    for row, reference in session.execute(query):
        try:
            invitation = read(row, keys)
        except KeyFault:
            invitation = None
        yield Kept(
            id=row.id,
            invitation=invitation,
            state=state(row, is_finished=reference is not None, now=now),
            created_at=row.created_at,
            created_by=row.created_by,
            opened_at=row.opened_at,
            expires_at=row.expires_at,
            reminded_at=row.reminded_at,
            reference=reference or "",
        )


def count(session: Session) -> int:
    """How many there are."""
    return session.scalar(select(func.count()).select_from(InvitationRow)) or 0
