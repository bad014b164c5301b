"""Whether the process lives, for a process supervisor. Says nothing about anyone."""

from flask import Blueprint

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
def alive() -> tuple[str, dict[str, str]]:
    """200 while the process answers."""
    return "ok\n", {"Content-Type": "text/plain; charset=utf-8"}
