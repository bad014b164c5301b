"""The settings of the server, with another clock and other waiting times for tests."""

from __future__ import annotations

import datetime
import os
import runpy
import time
from pathlib import Path

globals().update(runpy.run_path("gunicorn.conf.py"))
loglevel = "info"  # tests wait for lines of the log

# a file with the error of this machine's clock, in seconds
CLOCK = os.environ.get("TEST_CLOCK")


class Wrong(datetime.datetime):
    """The time of a machine whose clock is wrong.

    The time since the machine started stays true.
    """

    @classmethod
    def now(cls, tz: datetime.tzinfo | None = None) -> Wrong:
        """Return the wrong time."""
        return super().now(tz) + datetime.timedelta(seconds=_wrong_by())


def _wrong_by() -> float:
    return float(Path(str(CLOCK)).read_text(encoding="ascii"))


if CLOCK:
    right_time = time.time
    datetime.datetime = Wrong  # type: ignore[misc]
    time.time = lambda: right_time() + _wrong_by()

# Imported after the change of the clock, which these modules read.
import worker  # noqa: E402
from screening import background  # noqa: E402
from screening.storage import database  # noqa: E402

# For tests of a database that stays locked.
database.BUSY_SECONDS = int(os.environ.get("TEST_BUSY_SECONDS", database.BUSY_SECONDS))
# For tests of work that is due each minute.
background.EVERY = float(os.environ.get("TEST_EVERY", background.EVERY))
# For tests of stuck threads.
if stuck_seconds := float(os.environ.get("TEST_STUCK_SECONDS", 0)):
    worker.ANSWER_SECONDS = worker.STUCK_SECONDS = background.STUCK_AFTER = stuck_seconds
    worker.STUCK_SECONDS += 1
