"""`flask settings`: print each setting and where it came from."""

import click

from screening.cli.common import (
    commands,
)
from screening.settings import load_settings


@commands.command()
def settings() -> None:
    """Print each setting, where it came from and what it does. Secrets are hidden."""
    for name, value, came_from, what in load_settings().described():
        click.echo(f"{name} = {value!s}  [{came_from}]\n    {what}")
