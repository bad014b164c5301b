"""The `flask` commands.

Exit codes: 0 done, 1 the input or the installation is at fault, 2 wrong usage.
"""

import click
from flask import Flask
from flask.cli import AppGroup

from screening.cli.common import START_FAULTS, check_ready, commands
from screening.extensions import alembic

__all__ = ["START_FAULTS", "check_ready", "init_app"]


class CommandsOnDemand(AppGroup):
    """Our commands, whose modules are imported when one is asked for: a server needs none."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands."""
        _load("")
        return sorted({*commands.commands, *super().list_commands(ctx), "db"})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command with this name."""
        _load(cmd_name)
        return commands.get_command(ctx, cmd_name) or super().get_command(ctx, cmd_name)


def _load(name: str) -> None:
    from screening.cli import (  # noqa: F401 - they add their commands
        delivery,
        invite,
        keeping,
        people,
        printing,
        rulebook,
        screenings,
        setup,
    )

    if name == "db":
        alembic._get_current_object()  # adds this command to the application


def init_app(app: Flask) -> None:
    """Add the commands to the application."""
    app.cli = CommandsOnDemand(app.name)
