"""The `flask` commands, each in a file of its name, here or in the folder `commands` of a feature.

Exit codes: 0 done, 1 the input or the installation is at fault, 2 wrong usage.
"""

from importlib import import_module
from pathlib import Path

import click
from flask import Flask
from flask.cli import AppGroup

from screening.extensions import alembic

ROOT = Path(__file__).parent.parent
FOLDERS = [ROOT / "cli", *ROOT.glob("features/*/commands")]
MODULES = {
    file.stem.replace("_", "-"): ".".join(file.relative_to(ROOT.parent).with_suffix("").parts)
    for folder in FOLDERS
    for file in folder.glob("*.py")
    if file.stem not in ("__init__", "common")
}


class LazyCommands(AppGroup):
    """Commands whose modules are imported when needed: the server needs none of them."""

    def list_commands(self, context: click.Context) -> list[str]:
        """Return the names of all commands."""
        return sorted({*MODULES, *self.commands, "db"})

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        """Return the command of this name, or None."""
        if name == "db":
            alembic._get_current_object()  # adds this command to the application
        if name not in self.commands and name in MODULES:
            from screening.cli.common import commands

            import_module(MODULES[name])
            self.commands.update(commands.commands)
        return super().get_command(context, name)


def init_app(app: Flask) -> None:
    """Add the commands to the application."""
    app.cli = LazyCommands(app.cli.name, commands=app.cli.commands)
