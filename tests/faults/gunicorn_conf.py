"""What gunicorn does for the tests beyond serving."""

from __future__ import annotations

from typing import Any


def when_ready(server: Any) -> None:
    """Compile all templates before the first worker is forked."""
    templates = server.app.wsgi().jinja_env
    for name in templates.list_templates(extensions=["html"]):
        templates.get_template(name)
