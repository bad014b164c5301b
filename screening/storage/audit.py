"""The audit log: a chain of keyed hashes that reveals an edited, removed, inserted or moved row.

The end of the chain is also written to a file beside the keys, after each commit. A database that
was restored to an earlier state, or has lost its newest commits, does not contain that end.
"""

import fcntl
import os
import re
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from sqlalchemy import event, func, select
from sqlalchemy.orm import Session

from screening.storage import checksums, records
from screening.storage.database import write
from screening.storage.encryption import SEALED, Keys
from screening.storage.private_files import KeyFault
from screening.storage.tables import AuditHeadRow, AuditRow, PersonRow, ScreeningRow

BEGINNING = b"\0" * 32
CHECKSUMS = "checksums"
_EMPTY = {"number": 0, "mac": BEGINNING.hex()}
HOW_TO = Path(__file__).parents[2] / "docs" / "operations.md"


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The end of the chain: the number and the mac of the newest row."""

    number: int = 0
    mac: bytes = BEGINNING

    def __str__(self) -> str:
        return f"{self.number}:{self.mac.hex()}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the end of the chain from its text, for invalid text that of an empty chain."""
        number, _, mac = text.strip().partition(":")
        try:
            return cls(number=int(number), mac=bytes.fromhex(mac))
        except ValueError:
            return cls()


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Somebody who changes something now (UTC), with the session and the keys for it.

    `by` is the name in the log, of a person or a program; `full_name` is shown to people.
    """

    session: Session
    keys: Keys
    now: datetime
    by: str
    full_name: str = ""

    def __post_init__(self) -> None:
        self.session.info.setdefault("keys", lambda: self.keys)  # for rows sealed on each write

    def note(self, action: str, subject: str = "", detail: str = "", *, seals: str = "") -> None:
        """Add one event to the log.

        `seals` is `subject` or `detail` where that would tell the outcome of a screening. The end
        of the chain stays locked until this transaction ends: call this last.
        """
        self.session.flush()  # pending rows come earlier in the order of locks
        row, content = _locked_head(self.session, self.keys)
        before = _head_in(content)
        added = AuditRow(
            number=before.number + 1,
            at=self.now,
            actor=self.by[:64],
            action=action,
            subject=subject[:64],
            detail=detail[:200],
        )
        added.mac = _mac(self.keys, before.mac, added)
        if seals:
            setattr(added, seals, sealed(self.keys, added.number, getattr(added, seals)))
        self.session.add(added)
        content |= {"number": added.number, "mac": added.mac.hex()}
        _seal_head(self.session, self.keys, row, content)
        self.session.flush()
        file = head_file(self.session, self.keys)
        with suppress(OSError):  # a file that cannot be read stays as it is: `lost` tells of it
            if _contains(self.session, before, _noted(file)):
                self.session.info["audit head"] = file, Head(number=added.number, mac=added.mac)

    def note_at_once(self, action: str, subject: str = "", detail: str = "") -> None:
        """Add one event to the log in a transaction of its own."""
        with write(self.session):
            self.note(action, subject, detail)


def prepare(actor: Actor, *, is_migrated: bool) -> None:
    """Add the end of an empty chain to a new database, and begin the checksums of new tables.

    They begin anew for all tables after a migration, which changes rows without the keys. Where
    rows are stored without an end, it was taken away: that stays to be found by `verify`.
    """
    session = actor.session
    is_new = not any(
        session.scalar(select(func.count()).select_from(table))
        for table in (AuditHeadRow, AuditRow, PersonRow, ScreeningRow)
    )
    if is_new:
        row = AuditHeadRow(id=1)
        row.seal(actor.keys, "sealed_head", records.encode({**_EMPTY, CHECKSUMS: {}}))
        session.add(row)
        session.flush()
    kept = _content(session.get(AuditHeadRow, 1), actor.keys).get(CHECKSUMS, {})
    names = {*checksums.names()}
    if kept is not None and (names := names if is_migrated else names - kept.keys()):
        take_as_it_is(actor, names)


def take_as_it_is(actor: Actor, tables: Collection[str]) -> None:
    """Begin the checksums of these tables anew, from the rows that are there now."""
    session = actor.session
    session.flush()
    row, content = _locked_head(session, actor.keys)
    present = checksums.read(session, actor.keys)
    kept = checksums.updated(session, content.get(CHECKSUMS) or {})
    content[CHECKSUMS] = kept | {name: present[name] for name in tables}
    _seal_head(session, actor.keys, row, content)
    if content["number"]:  # not in a new installation: `flask move-database` needs an empty log
        actor.note("taken as it is", detail=", ".join(sorted(tables)))


@event.listens_for(Session, "before_commit")
def _seal_checksums(session: Session) -> None:
    """Bring the checksums up to date in a transaction that changed rows without an event."""
    if session.in_nested_transaction():
        return
    session.flush()
    if checksums.has_changes(session):
        keys = session.info["keys"]()
        _seal_head(session, keys, *_locked_head(session, keys))


def _locked_head(session: Session, keys: Keys) -> tuple[AuditHeadRow, dict[str, Any]]:
    """Lock the end of the chain until this transaction ends; return its row and content.

    Where it was taken away, the new one has no checksums: `verify` reports that.
    """
    row = session.get(AuditHeadRow, 1, with_for_update=True, populate_existing=True)
    content = _content(row, keys)
    if row is None:
        row = AuditHeadRow(id=1)
        session.add(row)
    return row, content


def _seal_head(session: Session, keys: Keys, row: AuditHeadRow, content: dict[str, Any]) -> None:
    """Seal the end of the chain, with the checksums as they are after this transaction."""
    if (kept := content.get(CHECKSUMS)) is not None:
        content[CHECKSUMS] = checksums.updated(session, kept)
    row.seal(keys, "sealed_head", records.encode(content))


def head_file(session: Session, keys: Keys, folder: str = "") -> Path:
    """Return the path to which the end of this database's chain is written.

    It is beside the key file, or in the `folder`.
    """
    assert keys.file is not None  # noqa: S101 - the keys of an installation have a file
    url = session.get_bind().engine.url
    is_sqlite = url.host is None
    name = Path(url.database or "").name if is_sqlite else f"{url.host} {url.port} {url.database}"
    parent = Path(folder) if folder else keys.file.parent
    return parent / f"audit-{re.sub(r'[^A-Za-z0-9]+', '-', name)}.head"


def lost(session: Session, keys: Keys, folder: str) -> str:
    """Compare the chain with the ends noted beside the keys and in the `folder`, if it is named.

    Return what is missing, or "" if nothing is.
    """
    for file in {head_file(session, keys), head_file(session, keys, folder)}:
        try:
            noted = _noted(file)
        except OSError as err:
            return f"{file}, which notes the end of the audit log, cannot be read: {err.strerror}"
        session.rollback()  # so that the database is read after the file: others write meanwhile
        end = head(session, keys)
        if not _contains(session, end, noted):
            return _lost(file, noted, end)
    return ""


def _lost(file: Path, noted: Head, end: Head) -> str:
    return (
        f"the audit log ends at row {end.number}, but {file} tells of row {noted.number}, "
        "which is not in it: what was sent and recorded last is lost, or an older database was put "
        f"back. Bring the database files or a newer backup back ({HOW_TO}); or, to go on with what "
        f"there is, move {file} away"
    )


def copy_head(session: Session, keys: Keys, folder: str) -> None:
    """Note the end of the chain in a folder elsewhere, if the chain contains what it noted last.

    Raises OSError.
    """
    file = head_file(session, keys, folder)
    end = head(session, keys)
    if _contains(session, end, _noted(file)):
        _write_noted(file, end)


def begin_anew(actor: Actor, source: str, folder: str) -> tuple[Head, Head]:
    """Continue the chain of a restored backup, which left out some tables.

    Return the end that the file had before, and the end of the backup.
    """
    session = actor.session
    file = head_file(session, actor.keys)
    end = head(session, actor.keys)
    noted = _noted(file)
    with write(session):
        row, content = _locked_head(session, actor.keys)
        if content.get(CHECKSUMS):
            left_out = [
                table.__tablename__ for table in checksums.tables() if not table.is_restored
            ]
            content[CHECKSUMS] |= dict.fromkeys(left_out, checksums.NOTHING)
            _seal_head(session, actor.keys, row, content)
        actor.note("restored", detail=source)
    for stale in {file, head_file(session, actor.keys, folder)}:
        if stale.exists():
            stale.unlink()
            _write_noted(stale, head(session, actor.keys))
    _write_noted(file, head(session, actor.keys))
    return noted, end


def _contains(session: Session, end: Head, noted: Head) -> bool:
    """Return whether the chain that ends with `end` contains the row of `noted`."""
    if noted.number in (0, end.number):
        return noted.number == 0 or noted.mac == end.mac
    return session.scalar(select(AuditRow.mac).where(AuditRow.number == noted.number)) == noted.mac


def _noted(file: Path) -> Head:
    return Head.parse(file.read_text(errors="replace")) if file.exists() else Head()


@event.listens_for(Session, "after_commit")
def _note_outside(session: Session) -> None:
    """Write the end of the committed chain to its file; a newer end of another process stays.

    A disk error is ignored: the transaction is committed and must not fail.
    """
    if (pending := session.info.pop("audit head", None)) is None:
        return
    with suppress(OSError):
        _write_noted(*pending)


def _write_noted(path: Path, newest: Head) -> None:
    with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+", errors="replace") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        if Head.parse(file.read()).number < newest.number:
            file.seek(0)
            file.truncate()
            file.write(str(newest))


@event.listens_for(Session, "after_rollback")
def _forget_head(session: Session) -> None:
    session.info.pop("audit head", None)


def head(session: Session, keys: Keys) -> Head:
    """Return the end of the chain."""
    return _head_in(_content(session.get(AuditHeadRow, 1), keys))


def _content(row: AuditHeadRow | None, keys: Keys) -> dict[str, Any]:
    """Return what is sealed in the end of the chain."""
    if row is None:
        return {**_EMPTY, CHECKSUMS: None}
    content: dict[str, Any] = records.decode(row.unseal(keys, "sealed_head"))
    return content


def _head_in(content: dict[str, Any]) -> Head:
    return Head(number=content["number"], mac=bytes.fromhex(content["mac"]))


def checksum_faults(session: Session, keys: Keys) -> Iterator[str]:
    """Yield each table that does not have the rows that the program left in it."""
    session.rollback()  # the checksums and all tables are read in one snapshot
    kept = _content(session.get(AuditHeadRow, 1), keys).get(CHECKSUMS)
    if kept is None:
        yield "the end of the audit log was taken away, and with it the checksums of all tables"
    else:
        yield from checksums.faults(session, keys, kept)


def sealed(keys: Keys, number: int, text: str) -> str:
    """Return the subject or detail of the event with this number as a sealed name."""
    return keys.seal_name(text, place=f"audit {number}")


def unsealed(keys: Keys, number: int, text: str) -> str:
    """Return the subject or detail of the event with this number, also where it is sealed."""
    return keys.unseal_name(text, place=f"audit {number}")


def opened(keys: Keys, row: AuditRow) -> tuple[str, str]:
    """Return subject and detail of an event, also where they are sealed."""
    return unsealed(keys, row.number, row.subject), unsealed(keys, row.number, row.detail)


def unopened(row: AuditRow) -> tuple[str, str]:
    """Return subject and detail of an event for people who must not learn an outcome."""
    subject, detail = (
        "sealed" if text.startswith(SEALED) else text for text in (row.subject, row.detail)
    )
    return subject, detail


def _mac(keys: Keys, before: bytes, row: AuditRow) -> bytes:
    """Return the keyed hash of a row and of the one before it; sealed texts count as opened."""
    about = opened(keys, row)
    content = [row.number, row.at.isoformat(), row.actor, row.action, *about]
    return keys.authenticate("audit", before + records.encode(content))


def rows(
    session: Session, *, newest_first: bool = False, after: int = 0, limit: int = 0
) -> Iterator[AuditRow]:
    """Yield the rows in their order, or the newest first, without the first `after` rows."""
    order = AuditRow.number.desc() if newest_first else AuditRow.number
    query = select(AuditRow).order_by(order).offset(after).limit(limit or None)
    yield from session.scalars(query.execution_options(yield_per=1000))


def last(session: Session, action: str = "") -> AuditRow | None:
    """Return the newest event, or the newest with this action."""
    query = select(AuditRow).order_by(AuditRow.number.desc()).limit(1)
    return session.scalars(query.where(AuditRow.action == action) if action else query).first()


def count(session: Session, action: str, *, after: int) -> int:
    """Return the number of events with this action after the row with the number `after`."""
    query = select(func.count()).where(AuditRow.action == action, AuditRow.number > after)
    return session.scalar(query) or 0


def size(session: Session) -> int:
    """Return the number of rows."""
    return session.scalar(select(func.count()).select_from(AuditRow)) or 0


def verify(session: Session, keys: Keys, *, kept: str = "") -> Iterator[str]:
    """Yield each fault of the chain in words.

    `kept` is an end of the chain that was noted earlier (`Head` as text).
    """
    before = BEGINNING
    expected = 1
    noted_number, _, noted_mac = kept.strip().partition(":")
    contains_kept = not kept
    for row in rows(session):
        if row.number > expected + 1:
            yield f"rows {expected} to {row.number - 1} are missing"
        elif row.number > expected:
            yield f"row {expected} is missing"
        elif row.mac != _mac(keys, before, row):
            description = f"{row.at:%Y-%m-%d %H:%M} {row.action}"
            yield f"row {row.number} ({description}) was edited, inserted or moved"
        if str(row.number) == noted_number and row.mac.hex() == noted_mac:
            contains_kept = True
        before = row.mac
        expected = row.number + 1
    try:
        head_row = session.get(AuditHeadRow, 1)
        end = _head_in(_content(head_row, keys))
        if head_row is None:
            yield "the end of the audit log was taken away"
        elif (end.number, end.mac) != (expected - 1, before):
            last = expected - 1
            yield f"the chain ends at row {last}, but row {end.number} was the last one written"
    except KeyFault as err:
        yield str(err)
    if not contains_kept:
        yield f"the chain does not contain the row that was noted: {noted_number}"
