"""`flask delivery`: the channels that summaries go to."""

import click

from screening.cli.common import commands, current_actor, fail, on_a_ready_installation
from screening.extensions import db
from screening.features.deliveries import service
from screening.features.deliveries.channel import JOB_PREFIX, REASONS, DeliveryFailed
from screening.installation import current_installation
from screening.printing.renderer_process import PrintingFailed
from screening.storage import outbox


@commands.group()
def delivery() -> None:
    """The channels that summaries go to, as [deliver.NAME] in the settings file declares them."""


@delivery.command("list")
def delivery_list() -> None:
    """Print each channel: name, kind, outcomes, and how often."""
    for channel in service.channels().values():
        outcomes = ", ".join(outcome.word for outcome in sorted(channel.outcomes, reverse=True))
        often = "every edition" if channel.every_edition else "the first edition"
        click.echo(f"{channel.name}\t{channel.kind}\t{outcomes}\t{often}")


@delivery.command("test")
@click.argument("name")
@on_a_ready_installation()
def delivery_test(name: str) -> None:
    """Deliver a test summary of no patient to the channel NAME and say whether it was accepted."""
    channels = service.channels()
    if name not in channels:
        fail(f"There is no channel {name!r}; the settings have: {', '.join(channels) or 'none'}")
    try:
        service.deliver_test(current_installation(), channels[name])
    except DeliveryFailed as err:
        fail(f"Not delivered to {name}: {REASONS[err.fault]} ({err})")
    except PrintingFailed as err:
        fail(f"The summary could not be printed: {err}; run: flask doctor")
    click.echo(
        f"Delivered to {name}: a summary with the reference TEST-TEST. Look whether it arrived."
    )


@delivery.command("drop")
@click.argument("name")
@click.confirmation_option(
    prompt="Summaries that wait for this channel will never be delivered to it. Go on?"
)
@on_a_ready_installation()
def delivery_drop(name: str) -> None:
    """Delete the jobs of the channel NAME, such as after it was removed from the settings."""
    waiting = outbox.kinds(db.session)
    if f"{JOB_PREFIX}{name}" not in waiting:
        names = ", ".join(
            kind.removeprefix(JOB_PREFIX) for kind in waiting if kind.startswith(JOB_PREFIX)
        )
        fail(f"Nothing waits for {name}; there are deliveries to: {names or 'none'}")
    click.echo(f"{service.drop(current_actor(), name)} deliveries were dropped.")
