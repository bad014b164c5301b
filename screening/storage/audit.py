"""The audit log: a chain of keyed hashes in which an edited, removed, inserted or moved row is found.

The end of the chain is also noted in a file beside the keys, after each commit. A database that was
put back to an earlier state, or has lost its newest commits, does not contain that end.
"""

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Self

from sqlalchemy import event, func, select
from sqlalchemy.orm import Session

from screening.storage import records
from screening.storage.database import write
from screening.storage.encryption import Keys
from screening.storage.private_files import KeyFault
from screening.storage.tables import AuditHeadRow, AuditRow

BEGINNING = b"\0" * 32
HOW_TO = Path(__file__).parents[2] / "docs" / "operations.md"


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The end of the chain: the number of the newest row and its mac, both to be kept elsewhere."""

    number: int = 0
    mac: bytes = BEGINNING

    def __str__(self) -> str:
        return f"{self.number}:{self.mac.hex()}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """The end that was written as text; that of an empty chain where it is none."""
        number, _, mac = text.strip().partition(":")
        try:
            return cls(number=int(number), mac=bytes.fromhex(mac))
        except ValueError:
            return cls()


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """Somebody acts at one moment (UTC): on what, and the name for the log: a person's, or what did it by itself.

    `full_name` is the name that people read.
    """

    session: Session
    keys: Keys
    now: datetime
    by: str
    full_name: str = ""

    def __post_init__(self) -> None:
        self.session.info.setdefault(
            "keys", lambda: self.keys
        )  # for rows that are sealed when written

    def note(self, action: str, subject: str = "", detail: str = "") -> None:
        """Add one event to the log.

        Others who add wait until this transaction ends, so do it after all else.
        """
        self.session.flush()  # what is still to be written locks rows too: that has to come before
        row = self.session.get(AuditHeadRow, 1, with_for_update=True, populate_existing=True)
        before = _head(row, self.keys)
        if row is None:
            row = AuditHeadRow(id=1)
            self.session.add(row)
        who = self.by[:64]
        about = subject[:64]
        more = detail[:200]
        added = AuditRow(
            number=before.number + 1,
            at=self.now,
            actor=who,
            action=action,
            subject=about,
            detail=more,
        )
        added.mac = _mac(self.keys, before.mac, added)
        self.session.add(added)
        row.seal(
            self.keys,
            "sealed_head",
            records.encode({"number": added.number, "mac": added.mac.hex()}),
        )
        self.session.flush()
        file = head_file(self.session, self.keys)
        if _contains(self.session, before, _noted(file)):
            self.session.info["audit head"] = file, Head(number=added.number, mac=added.mac)

    def note_at_once(self, action: str, subject: str = "", detail: str = "") -> None:
        """Add one event to the log in a transaction of its own."""
        with write(self.session):
            self.note(action, subject, detail)


def prepare(session: Session, keys: Keys) -> None:
    """Add the end of an empty chain where there is none: two first events at once must not both add it."""
    if session.get(AuditHeadRow, 1) is None:
        row = AuditHeadRow(id=1)
        row.seal(keys, "sealed_head", records.encode({"number": 0, "mac": BEGINNING.hex()}))
        session.add(row)


def head_file(session: Session, keys: Keys) -> Path:
    """Where the end of the chain is noted outside of this database: beside the file of the keys."""
    assert keys.file is not None  # noqa: S101 - those of an installation have one
    url = session.get_bind().engine.url
    place = (
        Path(url.database or "").name
        if url.host is None
        else f"{url.host} {url.port} {url.database}"
    )
    return keys.file.with_name(f"audit-{re.sub(r'[^A-Za-z0-9]+', '-', place)}.head")


def lost(session: Session, keys: Keys) -> str:
    """What is missing at the end of the chain, by the end that was noted outside of the database; "" if nothing is."""
    file = head_file(session, keys)
    noted = _noted(file)
    session.rollback()  # to look at the database after the file: others write meanwhile
    end = head(session, keys)
    if _contains(session, end, noted):
        return ""
    return (
        f"the audit log ends at row {end.number}, but {file} tells of row {noted.number}, which is not in it: what was "
        "sent and recorded last is lost, or an older database was put back. Bring the database files or a newer backup "
        f"back ({HOW_TO}); or, to go on with what there is, move {file} away"
    )


def begin_anew(act: Act, source: str) -> tuple[Head, Head]:
    """Go on with the chain of a restored backup.

    Returns the end noted here before, and that of the backup.
    """
    file = head_file(act.session, act.keys)
    end = head(act.session, act.keys)
    noted = _noted(file)
    act.note_at_once("restored", detail=source)
    file.unlink(missing_ok=True)
    _write_noted(file, head(act.session, act.keys))
    return noted, end


def _contains(session: Session, end: Head, noted: Head) -> bool:
    """Whether the chain with this end contains that row."""
    if noted.number in (0, end.number):
        return noted.number == 0 or noted.mac == end.mac
    return session.scalar(select(AuditRow.mac).where(AuditRow.number == noted.number)) == noted.mac


def _noted(file: Path) -> Head:
    return Head.parse(file.read_text()) if file.exists() else Head()


@event.listens_for(Session, "after_commit")
def _note_outside(session: Session) -> None:
    """Note the end of the chain that was just committed.

    A newer one that another process has noted stays.

    A disk that refuses this must not make a failure of what is committed.
    """
    if (given := session.info.pop("audit head", None)) is None:
        return
    with suppress(OSError):
        _write_noted(*given)


def _write_noted(path: Path, newest: Head) -> None:
    with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        if Head.parse(file.read()).number < newest.number:
            file.seek(0)
            file.write(str(newest))


@event.listens_for(Session, "after_rollback")
def _forget_head(session: Session) -> None:
    session.info.pop("audit head", None)


def head(session: Session, keys: Keys) -> Head:
    """The end of the chain."""
    return _head(session.get(AuditHeadRow, 1), keys)


def _head(row: AuditHeadRow | None, keys: Keys) -> Head:
    if row is None:
        return Head()
    content = records.decode(row.unseal(keys, "sealed_head"))
    return Head(number=content["number"], mac=bytes.fromhex(content["mac"]))


def _mac(keys: Keys, before: bytes, row: AuditRow) -> bytes:
    content = [row.number, row.at.isoformat(), row.actor, row.action, row.subject, row.detail]
    return keys.authenticate("audit", before + records.encode(content))


def rows(
    session: Session, *, newest_first: bool = False, after: int = 0, limit: int = 0
) -> Iterator[AuditRow]:
    """The rows in their order, or the newest first; `after` leaves out that many at the beginning."""
    order = AuditRow.number.desc() if newest_first else AuditRow.number
    query = select(AuditRow).order_by(order).offset(after).limit(limit or None)
    yield from session.scalars(query.execution_options(yield_per=1000))


def last(session: Session, action: str = "") -> AuditRow | None:
    """The newest event, or the newest of this kind."""
    query = select(AuditRow).order_by(AuditRow.number.desc()).limit(1)
    return session.scalars(query.where(AuditRow.action == action) if action else query).first()


def count(session: Session, action: str, *, after: int) -> int:
    """How many events of this kind came after the row of that number."""
    query = select(func.count()).where(AuditRow.action == action, AuditRow.number > after)
    return session.scalar(query) or 0


def size(session: Session) -> int:
    """How many rows there are."""
    return session.scalar(select(func.count()).select_from(AuditRow)) or 0


def verify(session: Session, keys: Keys, *, kept: str = "") -> Iterator[str]:
    """Each fault of the chain in words.

    `kept` is an end of the chain that was noted earlier (`Head` as text).
    """
    before = BEGINNING
    expected = 1
    noted = kept.strip().partition(":")
    found = not kept
    for row in rows(session):
        if row.number > expected:
            many = (
                f"rows {expected} to {row.number - 1} are"
                if row.number - expected > 1
                else f"row {expected} is"
            )
            yield f"{many} missing"
        elif row.mac != _mac(keys, before, row):
            yield f"row {row.number} ({row.at:%Y-%m-%d %H:%M} {row.action}) was edited, inserted or moved"
        if str(row.number) == noted[0] and row.mac.hex() == noted[2]:
            found = True
        before = row.mac
        expected = row.number + 1
    try:
        end = head(session, keys)
        if (end.number, end.mac) != (expected - 1, before):
            yield f"the chain ends at row {expected - 1}, but row {end.number} was the last one written"
    except KeyFault as err:
        yield str(err)
    if not found:
        yield f"the chain does not contain the row that was noted: {noted[0]}"
