"""The `flask` commands. Exit codes: 0 done, 1 the input or the installation is at fault, 2 wrong usage."""

from flask import Flask

from screening.cli import keeping, people, rulebook, screenings, setup
from screening.cli.common import START_FAULTS, check_ready

__all__ = ["START_FAULTS", "check_ready", "init_app"]


def init_app(app: Flask) -> None:
    """Add the commands to the application."""
    for command in (
        *(setup.init, setup.settings, setup.doctor),
        *(screenings.screen, screenings.summary, screenings.export),
        *(rulebook.rulebook, people.people, keeping.audit, keeping.purge),
        *(keeping.backup, keeping.restore, keeping.verify, keeping.rotate_key),
    ):
        app.cli.add_command(command)
