"""The tables.

Columns named `sealed_*` are encrypted; no other column identifies a patient or reveals an answer.
"""

from datetime import UTC, date, datetime, timedelta
from typing import ClassVar

from flask_security import RoleMixin, UserMixin, WebAuthnMixin
from sqlalchemy import (
    JSON,
    ColumnElement,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    LargeBinary,
    MetaData,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
    inspect,
)
from sqlalchemy.ext.mutable import MutableList
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    mapped_column,
    object_session,
    relationship,
)

from screening.storage.encryption import Keys

ONE_DAY = timedelta(days=1)


class Instant(TypeDecorator[datetime]):
    """A datetime in UTC, aware in Python on every database: SQLite stores no time zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Convert to UTC for the database. Raises ValueError for a naive datetime."""
        if value is not None and value.tzinfo is None:
            raise ValueError("a naive datetime cannot be stored")
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Convert from the database to an aware datetime in UTC."""
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


class Sealed(Base):
    """A row with sealed cells, in columns named `sealed_*`.

    `lock_order` is the position in the order in which transactions lock (storage.database).
    `is_restored` states whether a backup restores the rows. `deleted_with_draft` names the column
    with the draft hash of the screening with which the row is deleted. `bound_to` names the plain
    columns to which the sealed cells are bound, `state_bound_to` those to which only `sealed_state`
    and `sealed_check` are bound as well.
    """

    __abstract__ = True
    lock_order: ClassVar[int]
    is_restored: ClassVar[bool] = True
    deleted_with_draft: ClassVar[str] = ""
    bound_to: ClassVar[str]
    state_bound_to: ClassVar[str] = ""

    @classmethod
    def expired(cls, now: datetime) -> ColumnElement[bool] | None:
        """Return the condition of expired rows, or None where rows of this table never expire."""
        return None

    @classmethod
    def sealed_columns(cls) -> list[str]:
        """Return the names of the columns with sealed cells."""
        return [column.key for column in inspect(cls).columns if column.key.startswith("sealed_")]

    def place(self, column: str) -> str:
        """Return the plain values to which a sealed cell is bound; a changed one is detected."""
        names = self.bound_to.split()
        if column in ("sealed_state", "sealed_check"):
            names += self.state_bound_to.split()
        return "|".join(str(getattr(self, name)) for name in names)

    def seal(self, keys: Keys, column: str, plain: bytes) -> None:
        """Fill a sealed cell; the values to which it is bound must be set before."""
        table = self.__tablename__
        setattr(self, column, keys.seal(plain, table=table, column=column, row=self.place(column)))

    def unseal(self, keys: Keys, column: str) -> bytes:
        """Open a sealed cell. Raises KeyFault."""
        sealed = getattr(self, column)
        return keys.unseal(sealed, table=self.__tablename__, column=column, row=self.place(column))

    def prove(self, keys: Keys) -> None:
        """Open all sealed cells. Raises KeyFault."""
        for column in self.sealed_columns():
            self.unseal(keys, column)


class Checked(Sealed):
    """A row with an empty `sealed_check`, which detects changes made without the keys.

    It is sealed on each write, with the keys in `Session.info`, and counts in the checksum of its
    table (storage.checksums). `may_be_unchecked` states whether an older release left rows without
    a seal (`storage.database.seal_unsealed`).
    """

    __abstract__ = True
    may_be_unchecked: ClassVar[bool] = False

    sealed_check: Mapped[bytes]


def tables_in_lock_order() -> list[type[Sealed]]:
    """Return all tables with sealed cells, those of features too, in the order of locks."""
    tables = {*Sealed.__subclasses__(), *Checked.__subclasses__()} - {Checked}
    return sorted(tables, key=lambda table: table.lock_order)


class KeyCheckRow(Sealed):
    """A known text sealed with each data key; a lost or wrong key file is detected at the start."""

    __tablename__ = "key_checks"
    lock_order = 150

    bound_to = "key_id"

    key_id: Mapped[str] = mapped_column(String(16), primary_key=True)
    sealed_check: Mapped[bytes]


class EditionRow(Base):
    """An edition of the rule book, in force or approved once, as canonical JSON; never deleted."""

    __tablename__ = "editions"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    content: Mapped[str] = mapped_column(Text)
    first_used_at: Mapped[datetime]


class ApprovalRow(Checked):
    """A prescriber's approval of an edition that then required `needed` of them; never deleted."""

    __tablename__ = "approvals"
    lock_order = 130
    bound_to = "id edition_digest person full_name role given_at given_on review_by needed"
    state_bound_to = "withdrawn_at withdrawn_by withdrawn_why"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    edition_digest: Mapped[str] = mapped_column(ForeignKey("editions.digest"), index=True)
    person: Mapped[str] = mapped_column(String(64))
    full_name: Mapped[str] = mapped_column(String(120))
    role: Mapped[str] = mapped_column(String(120))
    given_at: Mapped[datetime]
    given_on: Mapped[date]
    review_by: Mapped[date]
    needed: Mapped[int]
    withdrawn_at: Mapped[datetime | None]
    withdrawn_by: Mapped[str] = mapped_column(String(120), default="")
    withdrawn_why: Mapped[str] = mapped_column(Text, default="")


class InForceRow(Checked):
    """The time from which an edition is in force, until another edition is."""

    __tablename__ = "in_force"
    lock_order = 120
    bound_to = "number edition_digest from_at added_at"

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    edition_digest: Mapped[str] = mapped_column(ForeignKey("editions.digest"))
    from_at: Mapped[datetime]
    added_at: Mapped[datetime]


class DraftRow(Sealed):
    """A questionnaire being filled in; the key is the SHA-256 of the token in the cookie."""

    __tablename__ = "drafts"
    lock_order = 30
    is_restored = False

    bound_to = "token_hash"  # not to the expiry, which is extended

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    expires_at: Mapped[datetime] = mapped_column(index=True)
    sealed_draft: Mapped[bytes]


class ScreeningRow(Sealed):
    """One submitted questionnaire. The unique `draft_hash` prevents a second submission.

    The outcome is sealed too: in plain text, "none" would reveal the answers. `entries` is the
    number of entries, `changed_at` the time of submission or of the last entry. `announced_at` is
    the time since which the inbox announces the deletion of a screening without a decision, which
    stays until somebody has acknowledged that, at `acknowledged_at`.
    """

    __tablename__ = "screenings"
    # for what is announced: each inbox counts those, and shows the first ones
    __table_args__ = (
        Index("ix_screenings_announced", "announced_at", "changed_at", "acknowledged_at", "status"),
    )
    lock_order = 40
    # the columns that never change
    bound_to = "id reference draft_hash submitted_at language edition_digest"
    state_bound_to = "status entries changed_at"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    reference: Mapped[str] = mapped_column(String(9), unique=True)
    draft_hash: Mapped[str] = mapped_column(String(64), unique=True)
    submitted_at: Mapped[datetime] = mapped_column(index=True)
    language: Mapped[str] = mapped_column(String(16))
    edition_digest: Mapped[str] = mapped_column(ForeignKey("editions.digest"))
    status: Mapped[str] = mapped_column(String(16))
    entries: Mapped[int]
    changed_at: Mapped[datetime] = mapped_column(index=True)
    announced_at: Mapped[datetime | None]
    acknowledged_at: Mapped[datetime | None]
    sealed_patient: Mapped[bytes]
    sealed_answers: Mapped[bytes]
    sealed_state: Mapped[bytes]


class EntryRow(Sealed):
    """A clarification or review; the unique number prevents two at the same time."""

    __tablename__ = "entries"
    lock_order = 50
    bound_to = "screening_id number kind made_at"

    screening_id: Mapped[str] = mapped_column(
        ForeignKey("screenings.id", ondelete="CASCADE"), primary_key=True
    )
    number: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    made_at: Mapped[datetime] = mapped_column(index=True)
    sealed_entry: Mapped[bytes]


class SamePersonRow(Checked):
    """A prescriber's decision whether two screenings are of the same person; the last one counts.

    `id` is made of both references, the lower one first.
    """

    __tablename__ = "same_person"
    lock_order = 55
    bound_to = "id first_id second_id"
    state_bound_to = "is_same decided_by decided_at"

    id: Mapped[str] = mapped_column(String(19), primary_key=True)
    first_id: Mapped[str] = mapped_column(
        ForeignKey("screenings.id", ondelete="CASCADE"), index=True
    )
    second_id: Mapped[str] = mapped_column(
        ForeignKey("screenings.id", ondelete="CASCADE"), index=True
    )
    is_same: Mapped[bool]
    decided_by: Mapped[str] = mapped_column(String(120))
    decided_at: Mapped[datetime]


class SummaryRow(Sealed):
    """A printed summary; `number` is the number of entries that the screening had.

    `code` and `file` are keyed hashes of its check code and of its bytes, by which `/verify` finds
    it. `sealed_digest` holds the SHA-256 and the length of the bytes before they were signed.
    """

    __tablename__ = "summaries"
    lock_order = 60
    bound_to = "screening_id number made_at code file"

    screening_id: Mapped[str] = mapped_column(
        ForeignKey("screenings.id", ondelete="CASCADE"), primary_key=True
    )
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    made_at: Mapped[datetime]
    code: Mapped[bytes] = mapped_column(index=True)
    file: Mapped[bytes] = mapped_column(index=True)
    sealed_digest: Mapped[bytes]
    sealed_pdf: Mapped[bytes]


class CopyRow(Sealed):
    """A patient's copy of the answers as a PDF, printed at the first request in this language."""

    __tablename__ = "copies"
    lock_order = 70
    bound_to = "screening_id language"

    screening_id: Mapped[str] = mapped_column(
        ForeignKey("screenings.id", ondelete="CASCADE"), primary_key=True
    )
    language: Mapped[str] = mapped_column(String(16), primary_key=True)
    sealed_digest: Mapped[bytes]
    sealed_pdf: Mapped[bytes]


class JobRow(Checked):
    """A job to do for a screening with `number` entries: committed with it, deleted when done.

    `kind` is `summary` (print it) or that of a feature's JobKind, as a sealed name. A process that
    works on the job holds its `lease` until `due_at`; then the job is due again. `fault` names the
    last failure. These change with each attempt and are not bound: a job that fails or is late is
    shown.
    """

    __tablename__ = "outbox"
    __table_args__ = (UniqueConstraint("kind", "screening_id", "number"),)
    lock_order = 80
    may_be_unchecked = True
    bound_to = "kind screening_id number added_at"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(128))
    screening_id: Mapped[str] = mapped_column(
        ForeignKey("screenings.id", ondelete="CASCADE"), index=True
    )
    number: Mapped[int]
    added_at: Mapped[datetime | None]
    due_at: Mapped[datetime] = mapped_column(index=True)
    attempts: Mapped[int] = mapped_column(default=0)
    lease: Mapped[str] = mapped_column(String(32), default="")
    failed: Mapped[bool] = mapped_column(default=False)
    fault: Mapped[str] = mapped_column(String(255), default="")


class SearchRow(Base):
    """A row of the blind index: the keyed hash of a term by which a screening is found."""

    __tablename__ = "search"

    token: Mapped[bytes] = mapped_column(primary_key=True)
    screening_id: Mapped[str] = mapped_column(
        ForeignKey("screenings.id", ondelete="CASCADE"), primary_key=True, index=True
    )


class AuditRow(Base):
    """One event of the audit log.

    `mac` covers the row and the one before it; `subject` is a reference or a person. What would
    tell an outcome is a sealed name.
    """

    __tablename__ = "audit"

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime]
    actor: Mapped[str] = mapped_column(String(64))
    action: Mapped[str] = mapped_column(String(32), index=True)
    subject: Mapped[str] = mapped_column(String(128), index=True)
    detail: Mapped[str] = mapped_column(String(200))
    mac: Mapped[bytes]


class AuditHeadRow(Sealed):
    """The number and the mac of the newest audit row, sealed. Each new row locks it."""

    __tablename__ = "audit_head"
    lock_order = 140
    bound_to = "id"

    id: Mapped[int] = mapped_column(primary_key=True)
    sealed_head: Mapped[bytes]


class PersonRow(UserMixin, Checked):
    """A person who signs in, in columns named as Flask-Security reads them."""

    __tablename__ = "people"
    lock_order = 90

    id: Mapped[int] = mapped_column(primary_key=True)
    sign_in_name: Mapped[str] = mapped_column(String(64), unique=True)
    full_name: Mapped[str] = mapped_column(String(120))
    role_names: Mapped[str] = mapped_column(String(64))
    active: Mapped[bool]
    password: Mapped[str] = mapped_column(String(255))
    password_is_one_time: Mapped[bool]
    fs_uniquifier: Mapped[str] = mapped_column(String(64), unique=True)
    totp_required: Mapped[bool]
    tf_primary_method: Mapped[str | None] = mapped_column(String(16))
    tf_totp_secret: Mapped[str | None] = mapped_column(String(255))
    tf_last_counter: Mapped[int | None]
    mf_recovery_codes: Mapped[list[str] | None] = mapped_column(MutableList.as_mutable(JSON))
    credential: Mapped["CredentialRow | None"] = relationship()
    webauthn: Mapped[list["PasskeyRow"]] = relationship(  # type: ignore[assignment]
        order_by="PasskeyRow.id"
    )

    def place(self, column: str) -> str:
        """Return all values that decide on access, to which the check is bound.

        Only the full name may have the sign between two values: none can be moved to another.
        """
        flags = (self.active, self.password_is_one_time, self.totp_required)
        secrets = (self.password, self.fs_uniquifier, self.tf_primary_method, self.tf_totp_secret)
        parts = (self.role_names, *map(str, flags), *secrets, str(self.mf_recovery_codes))
        name, *others = ((part or "").replace("|", "/") for part in (self.sign_in_name, *parts))
        return "|".join((name, self.full_name or "", *others))

    @property
    def has_second_factor(self) -> bool:
        """Return whether this person has an authenticator app or a passkey."""
        return bool(self.tf_totp_secret or self.webauthn)

    @property
    def fs_webauthn_user_handle(self) -> str:  # type: ignore[override]
        """Return by what passkeys know this person; it names nobody and never changes."""
        keys: Keys = object_session(self).info["keys"]()  # type: ignore[union-attr]
        return keys.authenticate("passkeys", str(self.id).encode()).hex()

    def has_role(self, role: str | RoleMixin) -> bool:
        """Return whether this person is a `prescriber`, `staff` or `admin`."""
        return role in self.role_names.split()


class CredentialRow(Checked):
    """What else belongs to a person's password; rows of older releases have none.

    A one-time password can be used until `one_time_until`. `former_passwords` has the hashes of the
    last ones. `browser_key` makes the marks of browsers in which the person has signed in.
    """

    __tablename__ = "credentials"
    lock_order = 93
    bound_to = "person_id one_time_until former_passwords browser_key"

    person_id: Mapped[int] = mapped_column(ForeignKey("people.id"), primary_key=True)
    one_time_until: Mapped[datetime | None]
    former_passwords: Mapped[list[str]] = mapped_column(JSON)
    browser_key: Mapped[str] = mapped_column(String(32))


class PasskeyRow(WebAuthnMixin, Checked):
    """A passkey of a person, in columns named as Flask-Security reads them."""

    __tablename__ = "passkeys"
    lock_order = 95
    bound_to = "user_id name credential_id public_key sign_count usage lastuse_datetime"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("people.id"), index=True)
    name: Mapped[str] = mapped_column(String(64))
    credential_id: Mapped[bytes] = mapped_column(unique=True)
    public_key: Mapped[bytes]
    sign_count: Mapped[int]
    transports: Mapped[list[str] | None] = mapped_column(JSON)
    extensions: Mapped[str | None] = mapped_column(Text)
    usage: Mapped[str] = mapped_column(String(16))
    backup_state: Mapped[bool]
    device_type: Mapped[str] = mapped_column(String(16))
    lastuse_datetime: Mapped[datetime]


class SignInRow(Checked):
    """A signed-in browser, by the SHA-256 of the token in its cookie; deleting it signs out."""

    __tablename__ = "sign_ins"
    lock_order = 100
    is_restored = False
    bound_to = "token_hash person_id begun_at seen_at address"

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id"), index=True)
    begun_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    address: Mapped[str] = mapped_column(String(64))

    @classmethod
    def expired(cls, now: datetime) -> ColumnElement[bool]:
        """Return the condition of sign-ins that are past the longest permitted duration."""
        return cls.begun_at <= now - ONE_DAY


class AttemptRow(Base):
    """A failed sign-in or a draft begun, counted by the keyed hash of a name or an address."""

    __tablename__ = "attempts"

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[bytes] = mapped_column(index=True)
    at: Mapped[datetime] = mapped_column(index=True)


class ClockRow(Checked):
    """The time (`at`) on the clock of a machine that had been running for `uptime` seconds."""

    __tablename__ = "clocks"
    lock_order = 110
    bound_to = "host at uptime"

    host: Mapped[str] = mapped_column(String(64), primary_key=True)
    at: Mapped[datetime]
    uptime: Mapped[float]
