"""`flask confirm-clock`: confirm the time after the clock jumped."""

from datetime import datetime

import click

from screening.cli.common import commands, current_actor, on_a_ready_installation
from screening.operating import clock
from screening.operating.clock import this_machine


@commands.command("confirm-clock")
@click.option(
    "--was-off",
    is_flag=True,
    help="The time by which it jumped has passed: the machine was off or asleep.",
)
@click.option("--yes", is_flag=True, help="Do not ask whether the time is right.")
@on_a_ready_installation()
def confirm_clock(was_off: bool, yes: bool) -> None:
    """Confirm that the clock is right after it jumped. Until then nothing is deleted."""
    if not yes:
        click.confirm(
            f"This machine says {datetime.now().astimezone():%d %B %Y, %H:%M %Z}. Is that right?",
            abort=True,
        )
    clock.confirm(current_actor(), this_machine(), was_off=was_off)
    click.echo("Confirmed. Screenings will again be deleted at the end of their retention period.")
