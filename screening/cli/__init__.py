"""The `flask` commands.

Exit codes: 0 done, 1 the input or the installation is at fault, 2 wrong usage.
"""

from flask import Flask

from screening.cli import delivery, invite, keeping, people, printing, rulebook, screenings, setup  # noqa: F401 - they add their commands
from screening.cli.common import START_FAULTS, check_ready, commands

__all__ = ["START_FAULTS", "check_ready", "init_app"]


def init_app(app: Flask) -> None:
    """Add the commands to the application."""
    app.cli.commands.update(commands.commands)
