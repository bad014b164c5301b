"""The table of shared tablets."""

from datetime import datetime

from sqlalchemy import ColumnElement, String
from sqlalchemy.orm import Mapped, mapped_column

from screening.storage.tables import Checked


class TabletRow(Checked):
    """A device of the clinic that is handed to patients, by the SHA-256 of the token in its cookie.

    `state` is `staff` (in staff's hands), `patient` (shows the form) or `locked` (wants the PIN).
    `tries` counts wrong PINs. `sent` tells whether the last patient has sent the answers; None
    where nobody knows.
    """

    __tablename__ = "tablets"
    lock_order = 20
    is_restored = False
    bound_to = "token_hash begun_by ends_at pin state tries sent"

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    begun_by: Mapped[str] = mapped_column(String(64))
    ends_at: Mapped[datetime]
    pin: Mapped[str] = mapped_column(String(255))
    state: Mapped[str] = mapped_column(String(16))
    tries: Mapped[int]
    sent: Mapped[bool | None]

    @classmethod
    def expired(cls, now: datetime) -> ColumnElement[bool]:
        """Return the condition of tablets that have expired."""
        return cls.ends_at <= now
