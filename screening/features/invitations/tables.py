"""The table of invitations."""

from datetime import UTC, date, datetime, timedelta

from sqlalchemy import ColumnElement, String
from sqlalchemy.orm import Mapped, mapped_column

from screening.storage import records
from screening.storage.encryption import Keys
from screening.storage.private_files import KeyFault
from screening.storage.tables import Checked

INVITATIONS_KEPT = timedelta(days=30)  # after the link has expired, so that staff can look them up


def day_token(keys: Keys, day: date) -> bytes:
    """Return the keyed hash by which the invitations to this day (UTC) are found."""
    return keys.authenticate("appointment", day.isoformat().encode())


def appointment_day(keys: Keys, at: datetime | None) -> bytes:
    """Return the keyed hash of the day of an appointment; empty without an appointment."""
    return b"" if at is None else day_token(keys, at.astimezone(UTC).date())


class InvitationRow(Checked):
    """A link for one patient and one visit, found by the SHA-256 of the token in it.

    `draft_hash` is that of the draft which was begun with it, and later of the screening. `tries`
    counts wrong dates of birth.
    """

    __tablename__ = "invitations"
    lock_order = 10
    deleted_with_draft = "draft_hash"
    may_be_unchecked = True
    bound_to = "id token_hash created_at created_by expires_at"
    state_bound_to = "tries opened_at draft_hash revoked_at reminded_at"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime] = mapped_column(index=True)
    created_by: Mapped[str] = mapped_column(String(64))
    expires_at: Mapped[datetime]
    tries: Mapped[int]
    opened_at: Mapped[datetime | None]
    draft_hash: Mapped[str | None] = mapped_column(String(64), unique=True)
    revoked_at: Mapped[datetime | None]
    reminded_at: Mapped[datetime | None]
    # a keyed hash of the day (UTC); empty without an appointment, None in rows of an older release
    appointment_day: Mapped[bytes | None] = mapped_column(index=True)
    sealed_invitation: Mapped[bytes]

    def prove(self, keys: Keys) -> None:
        """Open all cells. Raises KeyFault, also where they have another day of the appointment."""
        super().prove(keys)
        at = records.decode(self.unseal(keys, "sealed_invitation"))["appointment"]
        day = appointment_day(keys, datetime.fromisoformat(at) if at else None)
        if self.appointment_day not in (None, day):
            raise KeyFault("appointment_day was changed; restore the database from a backup")

    @classmethod
    def expired(cls, now: datetime) -> ColumnElement[bool]:
        """Return the condition of invitations that nobody needs to see any more."""
        return cls.expires_at < now - INVITATIONS_KEPT
