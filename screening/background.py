"""What the server does by itself: once a minute it looks whether anything is due."""

from __future__ import annotations

import logging
import threading
from datetime import UTC, datetime

from flask import Flask

from screening.extensions import db, installation
from screening.services import retention

EVERY = 60.0  # seconds

log = logging.getLogger("screening")


def start(app: Flask) -> threading.Event:
    """Begin to look, in a thread that ends with the process or when the event that is returned is set."""
    stop = threading.Event()

    def run() -> None:
        while not stop.wait(EVERY):
            once(app)

    threading.Thread(target=run, name="background", daemon=True).start()
    return stop


def once(app: Flask) -> None:
    """Do what is due. A failure is logged, without anything personal, and tried again next time."""
    here = installation(app)
    with app.app_context():
        try:
            days = here.settings.retention_days
            retention.daily(session=db.session, keys=here.keys, days=days, now=datetime.now(UTC))
        except Exception as err:  # noqa: BLE001 - whatever failed, the server goes on and tries again
            log.error("background: %s", type(err).__name__)
