"""The tables. Columns named `sealed_*` hold encrypted bytes; nothing else identifies a patient or tells an answer."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import ClassVar

from sqlalchemy import DateTime, Dialect, ForeignKey, LargeBinary, MetaData, String, Text, TypeDecorator
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Instant(TypeDecorator[datetime]):
    """A moment in UTC: aware in Python on every database, although SQLite keeps no time zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """To the database, in UTC. A naive datetime raises ValueError: it could mean anything."""
        if value is not None and value.tzinfo is None:
            raise ValueError("a naive datetime cannot be stored")
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """From the database."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """The declarative base; constraint names are fixed so that migrations can name them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[type, type]] = {datetime: Instant, bytes: LargeBinary}


class KeyCheckRow(Base):
    """A known text sealed with each data key, to notice a lost or wrong key file before any data is touched."""

    __tablename__ = "key_checks"

    key_id: Mapped[str] = mapped_column(String(16), primary_key=True)
    sealed_check: Mapped[bytes]


class EditionRow(Base):
    """Each rule-book edition that a screening was made under, kept for ever as its canonical JSON."""

    __tablename__ = "editions"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    content: Mapped[str] = mapped_column(Text)
    first_used_at: Mapped[datetime]


class DraftRow(Base):
    """A questionnaire being filled in, found by the SHA-256 of the token in the patient's cookie."""

    __tablename__ = "drafts"

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    expires_at: Mapped[datetime] = mapped_column(index=True)
    sealed_draft: Mapped[bytes]


class ScreeningRow(Base):
    """One submitted questionnaire. `draft_hash` makes sending it twice impossible.

    The outcome is not stored: it would tell the answers of a patient with nothing to report, and evaluating again under
    the stored edition gives the same one.
    """

    __tablename__ = "screenings"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    reference: Mapped[str] = mapped_column(String(9), unique=True)
    draft_hash: Mapped[str] = mapped_column(String(64), unique=True)
    submitted_at: Mapped[datetime] = mapped_column(index=True)
    language: Mapped[str] = mapped_column(String(16))
    edition_digest: Mapped[str] = mapped_column(ForeignKey("editions.digest"))
    sealed_patient: Mapped[bytes]
    sealed_answers: Mapped[bytes]
    name_index: Mapped[bytes] = mapped_column(index=True)
    birth_date_index: Mapped[bytes] = mapped_column(index=True)
    visit_index: Mapped[bytes] = mapped_column(index=True)
