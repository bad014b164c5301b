"""The `flask` commands, each in a file of its name.

Exit codes: 0 done, 1 the input or the installation is at fault, 2 wrong usage.
"""

from importlib import import_module
from pathlib import Path

import click
from flask import Flask
from flask.cli import AppGroup

FOLDER = Path(__file__).parent
NOT_COMMANDS = {"__init__", "common"}


class LazyCommands(AppGroup):
    """Commands whose files are read when they are needed: the server needs none of them."""

    def list_commands(self, context: click.Context) -> list[str]:
        """Return the names of all commands."""
        names = {file.stem.replace("_", "-") for file in FOLDER.glob("*.py")} - NOT_COMMANDS
        return sorted({*names, *super().list_commands(context)} - NOT_COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        """Return a command, or None where there is none of this name."""
        module = name.replace("-", "_")
        if (
            name not in self.commands
            and (FOLDER / f"{module}.py").exists()
            and module not in NOT_COMMANDS
        ):
            from screening.cli.common import commands

            import_module(f"screening.cli.{module}")
            self.commands.update(commands.commands)
        return super().get_command(context, name)


def init_app(app: Flask) -> None:
    """Add the commands to the application."""
    app.cli = LazyCommands(app.cli.name, commands=app.cli.commands)
