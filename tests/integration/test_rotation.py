"""A new data key: each row is read and sealed again once, in short transactions."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from screening.extensions import db
from screening.installation import current_installation
from screening.operating import rotate_key
from screening.storage import drafts, summaries
from screening.storage.database import note_keys, write
from screening.storage.drafts import Draft
from screening.storage.encryption import Keys, with_new_key, write_keys
from screening.storage.tables import ScreeningRow, SummaryRow
from tests.builders import all_no
from tests.storing import store

NOW = datetime.now(UTC)
STEPS = 50  # of SQLite's machine, counted at once


@pytest.fixture(autouse=True)
def _inside(app: Flask) -> Iterator[None]:
    with app.app_context():
        yield


def begin_drafts(keys: Keys, tokens: range) -> None:
    with write(db.session):
        for token in tokens:
            drafts.put(
                db.session, keys, f"{token:064d}", Draft(), expires_at=NOW + timedelta(days=1)
            )


def print_summaries(keys: Keys, *, screenings: int, editions: int) -> None:
    for number in range(screenings):
        store(
            db.session, keys, current_installation().books["en"], all_no(), name=f"Person {number}"
        )
    with write(db.session):
        for screening_id in db.session.scalars(select(ScreeningRow.id)).all():
            for number in range(editions):
                pdf = f"{screening_id} {number}".encode()
                summaries.add(
                    db.session, keys, screening_id=screening_id, number=number, code=pdf.hex(),
                    pdf=pdf, unsigned=pdf, now=NOW,
                )  # fmt: skip


def rotated(keys: Keys) -> Keys:
    """The same keys with one more, written to the file."""
    assert keys.file is not None
    write_keys(keys.file, with_new_key(keys), instead=True)
    keys.follow()
    with write(db.session):
        note_keys(db.session, keys)
    return keys


def steps(job: Callable[[], object]) -> int:
    """How many steps SQLite's machine takes for a job, which is what it reads and writes."""
    counted = 0

    def count() -> int:
        nonlocal counted
        counted += STEPS
        return 0

    connection = db.session.connection().connection.driver_connection
    assert isinstance(connection, sqlite3.Connection)
    connection.set_progress_handler(count, STEPS)
    job()
    connection.set_progress_handler(None, 0)
    return counted


@pytest.mark.one_database
def test_four_times_as_many_rows_take_four_times_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rotate_key, "PART", 5)
    keys = current_installation().keys

    def rotate(rows: int) -> int:
        begin_drafts(keys, range(rows))
        rotated(keys)
        return steps(lambda: list(rotate_key.seal_anew(db.session, keys)))

    few = rotate(100)
    many = rotate(400)
    assert many < 5 * few


def test_every_edition_of_every_summary_is_sealed_anew_in_small_parts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rotate_key, "PDFS", 2)
    keys = current_installation().keys
    print_summaries(keys, screenings=3, editions=3)
    rotated(keys)
    before = rotate_key.left(db.session, keys)
    parts = list(rotate_key.seal_anew(db.session, keys))
    # the end of the audit log is sealed anew with the first part of a table that has a checksum
    assert sum(parts) == before - 1
    assert parts.count(2) >= 4  # of nine summaries
    assert rotate_key.left(db.session, keys) == 0
    for row in db.session.scalars(select(SummaryRow)).all():
        assert row.sealed_pdf.startswith(b"k2:")
        assert summaries.pdf(row, keys) == f"{row.screening_id} {row.number}".encode()


def test_what_comes_in_behind_with_an_old_key_is_sealed_anew_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rotate_key, "PART", 5)
    keys = current_installation().keys
    # of one who began before the new key
    slow = Keys(current=keys.current, data=keys.data, index=keys.index)
    begin_drafts(keys, range(100, 120))
    rotated(keys)
    sealing = rotate_key.seal_anew(db.session, keys)
    next(sealing)
    begin_drafts(slow, range(10))
    list(sealing)
    assert rotate_key.left(db.session, keys) == 0
    begin_drafts(slow, range(10))
    assert rotate_key.left(db.session, keys) == 10
    rotate_key.forget(db.session, keys, lambda: None)
    assert rotate_key.left(db.session, keys) == 0


def test_a_summary_stored_while_the_key_changes_is_sealed_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    keys = current_installation().keys
    real = SummaryRow.seal
    sealed = []

    def seal(row: SummaryRow, keys: Keys, column: str, plain: bytes) -> None:
        real(row, keys, column, plain)
        sealed.append(column)
        if len(sealed) == 1:
            assert keys.file is not None
            write_keys(keys.file, with_new_key(keys), instead=True)

    with monkeypatch.context() as patched:
        patched.setattr(SummaryRow, "seal", seal)
        print_summaries(keys, screenings=1, editions=1)
    row = db.session.scalars(select(SummaryRow)).one()
    assert (row.sealed_digest[:3], row.sealed_pdf[:3]) == (b"k1:", b"k2:")
    list(rotate_key.seal_anew(db.session, keys))
    row = db.session.scalars(select(SummaryRow)).one()
    assert (row.sealed_digest[:3], row.sealed_pdf[:3]) == (b"k2:", b"k2:")
