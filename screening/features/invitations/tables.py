"""The table of invitations."""

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, String
from sqlalchemy.orm import Mapped, mapped_column

from screening.storage.tables import Checked

INVITATIONS_KEPT = timedelta(days=30)  # after the link has expired, so that staff can look them up


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

    @classmethod
    def expired(cls, now: datetime) -> ColumnElement[bool]:
        """Return the condition of invitations that nobody needs to see any more."""
        return cls.expires_at < now - INVITATIONS_KEPT
