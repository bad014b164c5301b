"""The application as `flask init` installs it, in a folder that is removed afterwards."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flask import Flask

from screening.application import create_app
from screening.extensions import db
from screening.settings import load_settings


@contextmanager
def installed(database_url: str = "") -> Iterator[Flask]:
    """A new installation with default settings and an empty database, SQLite unless there is a URL."""
    with tempfile.TemporaryDirectory() as folder:
        environ = {
            "SCREENING_INSTANCE": str(Path(folder) / "instance"),
            "SCREENING_DATABASE_URL": database_url,
        }
        settings = load_settings(environ)
        result = create_app(settings).test_cli_runner().invoke(args=["init"])
        if result.exit_code != 0:
            raise RuntimeError(f"flask init failed: {result.output}")
        # Once more: the application that makes the keys was started without them.
        app = create_app(settings)
        yield app
        with app.app_context():
            db.engine.dispose()
