"""`flask settings`: print each setting and its origin."""

import click

from screening.cli.common import commands
from screening.settings import load_settings


@commands.command()
def settings() -> None:
    """Print each setting with its origin and purpose. Secrets are hidden."""
    for name, value, came_from, purpose in load_settings().described():
        click.echo(f"{name} = {value!s}  [{came_from}]\n    {purpose}")
