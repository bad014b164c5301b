"""The `flask` commands, each in a file of its name.

Exit codes: 0 done, 1 the input or the installation is at fault, 2 wrong usage.
"""

from importlib import import_module
from pathlib import Path

import click
from flask import Flask
from flask.cli import AppGroup

FOLDER = Path(__file__).parent
FILES = {
    file.stem.replace("_", "-"): file.stem
    for file in FOLDER.glob("*.py")
    if file.stem not in ("__init__", "common")
}


class LazyCommands(AppGroup):
    """Commands whose files are read when they are needed: the server needs none of them."""

    def list_commands(self, context: click.Context) -> list[str]:
        """Return the names of all commands."""
        return sorted({*FILES, *self.commands})

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        """Return a command, or None where there is none of this name."""
        if name not in self.commands and name in FILES:
            from screening.cli.common import commands

            import_module(f"screening.cli.{FILES[name]}")
            self.commands.update(commands.commands)
        return super().get_command(context, name)


def init_app(app: Flask) -> None:
    """Add the commands to the application."""
    app.cli = LazyCommands(app.cli.name, commands=app.cli.commands)
