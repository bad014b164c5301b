"""`flask rotate-key --forget` with three numbers of screenings, each with its printed summary."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from unittest.mock import patch

from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from benchmarks.filling import fill
from benchmarks.installed import installed
from benchmarks.timing import Progress, Table, milliseconds
from screening.extensions import db
from screening.installation import current_installation
from screening.operating import rotate_key
from screening.storage import summaries
from screening.storage.database import write
from screening.storage.tables import ScreeningRow

COUNTS = (5_000, 10_000, 20_000)
QUICK_COUNTS = (250, 500, 1_000)
PDF_BYTES = 32_000  # of a usual summary; it is stored as 64 KiB
PART = 500  # summaries in a transaction
TO_REACH = 0.2  # seconds


def measure(quick: bool) -> Table:
    """Fill an installation of each size and rotate its key."""
    counts = QUICK_COUNTS if quick else COUNTS
    durations = [_rotate(count) for count in counts]
    first = durations[0][0] / counts[0]
    rows = tuple(
        (
            f"{count:,}",
            f"{processor:.1f} s",
            milliseconds(processor / count),
            f"{processor / count / first:.2f}",
            milliseconds(longest),
        )
        for count, (processor, longest) in zip(counts, durations, strict=True)
    )
    return Table(
        title="Rotating the data key",
        head=(
            "screenings, each with its printed summary",
            "processor",
            "for each",
            "ratio",
            "longest write",
        ),
        rows=rows,
        notes=(
            "`flask rotate-key --forget` on SQLite. The ratio is that of the processor time for "
            "each screening to that in the first row (to reach: about 1). Other writers wait for "
            f"the longest write (to reach: under {milliseconds(TO_REACH)}).",
        ),
    )


def _rotate(count: int) -> tuple[float, float]:
    """Return the processor seconds of a rotation, and the seconds of its longest transaction."""
    with installed() as app:
        fill(app, count, reviewed=0, now=datetime.now(UTC))
        _add_summaries(app, count)
        writes: list[float] = []

        @contextmanager
        def timed(session: Session) -> Iterator[None]:
            begun = time.perf_counter()
            with write(session):
                yield
            writes.append(time.perf_counter() - begun)

        begun = time.process_time()
        with patch.object(rotate_key, "write", timed):
            result = app.test_cli_runner().invoke(args=["rotate-key", "--forget"])
        processor = time.process_time() - begun
        if result.exit_code != 0:
            raise RuntimeError(f"flask rotate-key failed: {result.output}")
    return processor, max(writes)


def _add_summaries(app: Flask, count: int) -> None:
    progress = Progress(f"printed summaries of {count:,}", count)
    with app.app_context():
        keys = current_installation().keys
        now = datetime.now(UTC)
        ids = list(db.session.scalars(select(ScreeningRow.id)))
        for first in range(0, count, PART):
            with write(db.session):
                for screening_id in ids[first : first + PART]:
                    pdf = os.urandom(PDF_BYTES)
                    summaries.add(
                        db.session,
                        keys,
                        screening_id=screening_id,
                        number=0,
                        code=secrets.token_hex(8),
                        pdf=pdf,
                        unsigned=pdf,
                        now=now,
                    )
                    progress.advance()
