"""A new data key for everything that is stored, at three sizes: the work grows with the rows, and nobody waits long."""

from __future__ import annotations

import secrets
import time
from datetime import UTC, datetime

from flask import Flask
from sqlalchemy import select

from benchmarks.filling import fill
from benchmarks.installed import installed
from benchmarks.timing import Progress, Table, milliseconds
from screening.extensions import db, installation
from screening.storage import rotation, summaries
from screening.storage.database import note_keys, write
from screening.storage.encryption import with_new_key, write_keys
from screening.storage.tables import ScreeningRow

SIZES, QUICK_SIZES = (5_000, 10_000, 20_000), (250, 500, 1_000)
PDF_BYTES = 45_000  # about a usual summary
PART = 200


def measure(quick: bool) -> Table:
    """Fill, make a new key, seal everything anew, and measure each transaction."""
    rows = []
    first = 0.0
    for size in QUICK_SIZES if quick else SIZES:
        with installed() as app:
            fill(app, size, reviewed=0.8, now=datetime.now(UTC))
            processor, sealed, longest = _rotate(app)
        each = processor / sealed
        first = first or each
        rows.append((f"{size:,}", f"{sealed:,}", f"{processor:.1f} s", f"{each / first:.2f}", milliseconds(longest)))
    return Table(
        title="A new data key",
        head=("Screenings", "rows", "processor", "for each row, to the first", "longest write"),
        rows=tuple(rows),
        notes=(
            f"On SQLite, each screening with a printed summary of {PDF_BYTES:,} random bytes, 80 % of them reviewed.",
            "The longest write is the longest transaction with its commit, for which others who write wait. To reach: "
            "under 200 ms.",
        ),
    )


def _rotate(app: Flask) -> tuple[float, int, float]:
    """The seconds of processor, how many rows were sealed anew, and the seconds of the longest transaction."""
    with app.app_context():
        session, here = db.session, installation()
        identifiers = session.scalars(select(ScreeningRow.id)).all()
        progress = Progress("printing", -(-len(identifiers) // PART))
        for begin in range(0, len(identifiers), PART):
            with write(session):
                for one in identifiers[begin : begin + PART]:
                    pdf = secrets.token_bytes(PDF_BYTES)
                    given = {"screening_id": one, "number": 0, "code": one, "now": datetime.now(UTC)}
                    summaries.add(session, here.keys, pdf=pdf, unsigned=pdf, **given)
            progress.advance()
        write_keys(here.key_file, with_new_key(here.keys), instead=True)
        here.keys.follow()
        with write(session):
            note_keys(session, here.keys)
        begun, last, sealed, longest = time.process_time(), time.perf_counter(), 0, 0.0
        for done in rotation.seal_anew(session, here.keys):
            sealed += done
            longest = max(longest, time.perf_counter() - last)
            last = time.perf_counter()
        if rotation.left(session, here.keys):
            raise RuntimeError("something was not sealed anew")
        return time.process_time() - begun, sealed, longest
