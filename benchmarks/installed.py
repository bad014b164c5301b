"""A temporary installation by `flask init`."""

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
    """Create an installation with default settings and an empty database; the default is SQLite."""
    with tempfile.TemporaryDirectory() as folder:
        environ = {
            "SCREENING_INSTANCE": str(Path(folder) / "instance"),
            "SCREENING_DATABASE_URL": database_url,
        }
        settings = load_settings(environ)
        result = create_app(settings).test_cli_runner().invoke(args=["init"])
        if result.exit_code != 0:
            raise RuntimeError(f"flask init failed: {result.output}")
        # A second application: the first started without keys.
        app = create_app(settings)
        yield app
        with app.app_context():
            db.engine.dispose()
