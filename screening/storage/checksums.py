"""Checksums of the tables whose rows are sealed as a whole, kept with the end of the audit log.

The seal of a row proves that the program wrote it, but not that it is its present state: an older
row that is put back has a valid seal. Each row counts with a keyed hash of its key and its seal,
which is new whenever the row changes. The checksum of a table is the XOR of these hashes, so that
it follows each change without reading the other rows.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import event, inspect, select
from sqlalchemy.orm import InstrumentedAttribute, Session, UOWTransaction

from screening.storage.encryption import Keys
from screening.storage.private_files import KeyFault
from screening.storage.tables import Checked

Checksum = Sequence[int]  # the number of rows, and the XOR of their hashes
NOTHING: Checksum = (0, 0)
COUNTED = "counted"  # marks a statement whose caller counts the rows that it deletes, for tests
_CHANGES = "changes of checksums"  # in Session.info, of the present transaction


def _combined(one: Checksum, other: Checksum) -> Checksum:
    return one[0] + other[0], one[1] ^ other[1]


def _of_row(keys: Keys, table: str, key: object, seal: bytes) -> Checksum:
    hashed = keys.authenticate("row", f"{table}\0{key}\0".encode() + bytes(seal))
    return 1, int.from_bytes(hashed)


@cache
def _key(table: type[Checked]) -> InstrumentedAttribute[Any]:
    (column,) = inspect(table).primary_key
    key: InstrumentedAttribute[Any] = getattr(table, column.name)
    return key


def _note(session: Session, row: Checked, seal: bytes, by: int) -> None:
    """Note that a row with this seal was added (`by` 1) or is gone (`by` -1)."""
    _note_key(session, row.__tablename__, getattr(row, _key(type(row)).key), seal, by)


def _note_key(session: Session, table: str, key: object, seal: bytes, by: int) -> None:
    changes: dict[str, Checksum] = session.info.setdefault(_CHANGES, {})
    _one, hashed = _of_row(session.info["keys"](), table, key, seal)
    changes[table] = _combined(changes.get(table, NOTHING), (by, hashed))


@event.listens_for(Session, "before_flush")
def _seal(session: Session, *_flush: object) -> None:
    """Seal each row that is about to be written, unless its seal fits already."""
    for row in session.new:
        if isinstance(row, Checked):
            row.seal(session.info["keys"](), "sealed_check", b"")
    for row in session.dirty:
        if isinstance(row, Checked):
            _ = row.sealed_check  # loads it, so that `_count` knows what it was
            if not _is_sealed(session, row):
                row.seal(session.info["keys"](), "sealed_check", b"")
    for row in session.deleted:
        if isinstance(row, Checked):
            _ = row.sealed_check


def _is_sealed(session: Session, row: Checked) -> bool:
    try:
        row.unseal(session.info["keys"](), "sealed_check")
    except KeyFault:
        return False
    return True


@event.listens_for(Session, "after_flush")
def _count(session: Session, _flush: UOWTransaction) -> None:
    """Note which rows were written. A flush that failed does not come here."""
    for row in session.new:
        if isinstance(row, Checked):
            _note(session, row, row.sealed_check, 1)
    for row in session.dirty:
        if isinstance(row, Checked):
            for replaced in inspect(row).attrs.sealed_check.history.deleted or ():
                _note(session, row, replaced, -1)
                _note(session, row, row.sealed_check, 1)
    for row in session.deleted:
        if isinstance(row, Checked):
            _note(session, row, row.sealed_check, -1)


@event.listens_for(Session, "after_rollback")
def _forget(session: Session) -> None:
    if not session.in_nested_transaction():
        session.info.pop(_CHANGES, None)


def count_deleted(
    session: Session, table: type[Checked], deleted: Iterable[tuple[object, bytes]]
) -> int:
    """Note rows that a statement has deleted, given by key and seal, and return their number."""
    rows = list(deleted)
    for key, seal in rows:
        _note_key(session, table.__tablename__, key, seal, -1)
    return len(rows)


def has_changes(session: Session) -> bool:
    """Return whether this transaction has written rows that are not in the checksums yet."""
    return bool(session.info.get(_CHANGES))


def updated(session: Session, checksums: Mapping[str, Checksum]) -> dict[str, Checksum]:
    """Return the checksums with the changes of this transaction."""
    changes: dict[str, Checksum] = session.info.pop(_CHANGES, {})
    changed = {
        table: _combined(checksums.get(table, NOTHING), change) for table, change in changes.items()
    }
    return {**checksums, **changed}


def read(session: Session, keys: Keys) -> dict[str, Checksum]:
    """Read every row, and return the checksum of each table."""
    return {table.__tablename__: _of_table(session, keys, table) for table in tables()}


def _of_table(session: Session, keys: Keys, table: type[Checked]) -> Checksum:
    total = NOTHING
    for key, seal in session.execute(select(_key(table), table.sealed_check)):
        total = _combined(total, _of_row(keys, table.__tablename__, key, seal))
    return total


def tables() -> list[type[Checked]]:
    """Return the tables that have a checksum."""
    return Checked.__subclasses__()


def names() -> list[str]:
    """Return the names of these tables."""
    return [table.__tablename__ for table in tables()]


def faults(session: Session, keys: Keys, kept: Mapping[str, Checksum]) -> Iterator[str]:
    """Yield each table that differs from its checksum. Both must be of the same snapshot."""
    for table, present in read(session, keys).items():
        expected = kept.get(table, NOTHING)
        if tuple(present) != tuple(expected):
            yield (
                f"{table}: a row was put back, changed, added or taken away behind the program "
                f"({present[0]} rows are there, the program left {expected[0]})"
            )
