"""What gunicorn does for the tests beyond serving."""

from __future__ import annotations

import os
from typing import Any

from screening.storage import database

# For tests that wait until nothing is waited for any more.
database.BUSY_SECONDS = int(os.environ.get("TEST_BUSY_SECONDS", database.BUSY_SECONDS))


def when_ready(server: Any) -> None:
    """Compile all templates before the first worker is forked."""
    templates = server.app.wsgi().jinja_env
    for name in templates.list_templates(extensions=["html"]):
        templates.get_template(name)
