"""The editions of the rule book: their content, their approvals, and the edition in force."""

import hashlib
import json
from collections.abc import Iterator
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, Row, bindparam, func, or_, select
from sqlalchemy.orm import Session

from screening.domain.rules import BASE_LANGUAGE, Edition
from screening.storage import audit
from screening.storage.audit import Actor
from screening.storage.database import delete_in_order
from screening.storage.encryption import Keys
from screening.storage.private_files import KeyFault
from screening.storage.tables import ApprovalRow, AuditRow, EditionRow, InForceRow

APPROVED = "rule book approved"  # in the audit log
WITHDRAWN = "approval withdrawn"
IN_FORCE = "rule book in force"


class VersionUsed(Exception):
    """The version of an edition was used before, with other content."""

    def __init__(self, edition: Edition, other: str) -> None:
        super().__init__(
            f"{edition.id} {edition.version} was used before with other content "
            f"(SHA-256 {other[:16]}…, now {edition.digest[:16]}…); give [edition] another version"
        )


def refuse_used_version(session: Session, edition: Edition) -> None:
    """Raise VersionUsed where another edition has this id and version."""
    for row in session.scalars(select(EditionRow).where(EditionRow.digest != edition.digest)):
        stored = json.loads(row.content)[BASE_LANGUAGE]["edition"]
        if (stored["id"], stored["version"]) == (edition.id, edition.version):
            raise VersionUsed(edition, row.digest)


def keep(session: Session, edition: Edition, *, now: datetime) -> None:
    """Store the content of an edition, if it is not stored yet."""
    if session.get(EditionRow, edition.digest) is None:
        session.add(EditionRow(digest=edition.digest, content=edition.content, first_used_at=now))


def content(session: Session, digest: str) -> str:
    """Return the canonical JSON of a stored edition. Raises KeyFault where it was changed."""
    stored = session.get_one(EditionRow, digest).content
    if hashlib.sha256(stored.encode()).hexdigest() != digest:
        raise KeyFault(
            f"the stored rule book {digest[:16]} was changed; restore the database from a backup"
        )
    return stored


def in_force(session: Session, keys: Keys, *, now: datetime) -> str | None:
    """Return the digest of the edition in force; None before `flask init`. Raises KeyFault."""
    # Each page executes this: the connection takes a third of the time of the session.
    stored = session.connection().execute(_NEWEST_BEGUN, {"now": now}).one_or_none()
    if stored is None:
        return None
    _prove(stored, keys, keys.written)
    digest: str = stored.edition_digest
    return digest


@lru_cache(maxsize=1)
def _prove(stored: Row[*tuple[Any, ...]], keys: Keys, _written: int) -> None:
    """Check the seal of a row: once for the same bytes and keys, because each page needs it.

    Raises KeyFault.
    """
    InForceRow(**stored._mapping).unseal(keys, "sealed_check")


def coming(session: Session, *, now: datetime) -> list[tuple[datetime, str, str]]:
    """Return time, name and digest of each edition that comes into force later, soonest first."""
    later = select(InForceRow).where(~_begun(now)).order_by(InForceRow.from_at)
    rows = session.scalars(later).all()
    return [(row.from_at, name(session, row.edition_digest), row.edition_digest) for row in rows]


def _begun(now: datetime | BindParameter[datetime]) -> ColumnElement[bool]:
    """Return the condition of rows that have come into force.

    A row that came into force at once stays in force, also where the clock is set back.
    """
    return or_(InForceRow.from_at <= now, InForceRow.from_at <= InForceRow.added_at)


_COLUMNS = InForceRow.__table__.columns
_NEWEST_BEGUN = (
    select(*_COLUMNS).where(_begun(bindparam("now"))).order_by(_COLUMNS.number.desc()).limit(1)
)


def lock(session: Session) -> None:
    """Lock approvals and the edition in force until this transaction ends (PostgreSQL)."""
    session.scalars(select(InForceRow.number).order_by(InForceRow.number).with_for_update()).all()


def put_in_force(actor: Actor, edition: Edition, *, from_at: datetime) -> None:
    """Put an edition in force from a time on, in place of editions that would follow later."""
    later = (~_begun(actor.now), InForceRow.from_at >= from_at)
    delete_in_order(actor.session, InForceRow.number, *later)
    newest = actor.session.scalar(select(func.max(InForceRow.number))) or 0
    row = InForceRow(
        number=newest + 1, edition_digest=edition.digest, from_at=from_at, added_at=actor.now
    )
    actor.session.add(row)
    if newest:  # not in a new installation: `flask move-database` needs an empty audit log
        actor.note(IN_FORCE, f"{edition.id} {edition.version}", _noted(actor.session))


def keep_out_of_force(actor: Actor, edition: Edition) -> None:
    """Cancel the time at which an edition would come into force later."""
    later = (InForceRow.edition_digest == edition.digest, ~_begun(actor.now))
    if delete_in_order(actor.session, InForceRow.number, *later):
        actor.note(IN_FORCE, f"not {edition.id} {edition.version}", _noted(actor.session))


def _noted(session: Session) -> str:
    """Describe the last row for the audit log, with a digest of all rows; "" without rows."""
    rows = session.scalars(select(InForceRow).order_by(InForceRow.number)).all()
    if not rows:
        return ""
    content = repr([(row.number, row.edition_digest, row.from_at.timestamp()) for row in rows])
    digest = hashlib.sha256(content.encode()).hexdigest()
    last = f"{rows[-1].edition_digest[:16]} from {rows[-1].from_at:%Y-%m-%d %H:%M} UTC"
    return f"{last}, of {len(rows)}: {digest[:16]}"


def approvals(
    session: Session, keys: Keys, digest: str, *, at: datetime | None = None
) -> list[ApprovalRow]:
    """Return the approvals of an edition that are valid now, or those that were valid `at` a time.

    Raises KeyFault.
    """
    query = select(ApprovalRow).where(ApprovalRow.edition_digest == digest)
    rows = session.scalars(query.order_by(ApprovalRow.given_at, ApprovalRow.id)).all()
    for row in rows:
        row.unseal(keys, "sealed_check")
    if at is None:
        return [row for row in rows if row.withdrawn_at is None]
    return [
        row
        for row in rows
        if row.given_at <= at and (row.withdrawn_at is None or row.withdrawn_at > at)
    ]


def withdrawn(session: Session, keys: Keys, digest: str) -> list[ApprovalRow]:
    """Return the withdrawn approvals of an edition, the latest first. Raises KeyFault."""
    query = select(ApprovalRow).where(
        ApprovalRow.edition_digest == digest, ApprovalRow.withdrawn_at.is_not(None)
    )
    rows = list(session.scalars(query.order_by(ApprovalRow.withdrawn_at.desc())))
    for row in rows:
        row.unseal(keys, "sealed_check")
    return rows


def beginning(session: Session, digits: str) -> list[str]:
    """Return the digests of stored editions that begin with `digits`."""
    query = select(EditionRow.digest).where(EditionRow.digest.startswith(digits, autoescape=True))
    return list(session.scalars(query.order_by(EditionRow.digest)))


def name(session: Session, digest: str) -> str:
    """Return id and version of a stored edition, such as `azathioprine 2026.3`. Raises KeyFault."""
    edition = json.loads(content(session, digest))[BASE_LANGUAGE]["edition"]
    return f"{edition['id']} {edition['version']}"


def waiting(session: Session) -> dict[str, str]:
    """Return the names, by digest, of editions that have approvals but need more of them."""
    counts: dict[str, int] = {}
    for row in session.scalars(select(ApprovalRow).where(ApprovalRow.withdrawn_at.is_(None))):
        counts[row.edition_digest] = counts.get(row.edition_digest, -row.needed) + 1
    return {digest: name(session, digest) for digest, beyond in counts.items() if beyond < 0}


def faults(session: Session) -> Iterator[str]:
    """Yield each difference from the audit log: in approvals, and in the edition in force."""
    events = select(AuditRow).where(AuditRow.action.in_((APPROVED, WITHDRAWN)))
    logged = {  # by id, whether the approval was withdrawn
        event.detail[:32]: event.action == WITHDRAWN
        for event in session.scalars(events.order_by(AuditRow.number))
    }
    rows = session.execute(select(ApprovalRow.id, ApprovalRow.withdrawn_at.is_not(None)))
    stored = {approval_id: bool(is_withdrawn) for approval_id, is_withdrawn in rows}
    for approval_id in sorted(logged.keys() | stored.keys()):
        if logged.get(approval_id) != stored.get(approval_id):
            yield f"approval {approval_id[:8]}: it differs from the audit log"
    for digest in session.scalars(select(EditionRow.digest)).all():
        try:
            content(session, digest)
        except KeyFault as err:
            yield str(err)
    noted = _noted(session)
    last = audit.last(session, IN_FORCE)
    # early releases logged no digest of all rows
    if not noted or (last is not None and not noted.startswith(last.detail)):
        logged_last = last.detail if last else "none"
        yield f"the rule book in force differs from the audit log, which has: {logged_last}"
