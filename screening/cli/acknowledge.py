"""`flask acknowledge`: let screenings be deleted that nobody has decided on."""

import click

from screening.cli.common import commands, current_actor, fail, on_a_ready_installation
from screening.extensions import db
from screening.installation import current_installation
from screening.operating import retention

MOST = 10_000


@commands.command()
@click.argument("references", nargs=-1)
@click.option("--all", "every", is_flag=True, help="All that are announced now.")
@on_a_ready_installation()
def acknowledge(references: tuple[str, ...], every: bool) -> None:
    """Let screenings that are due for deletion without a decision be deleted.

    Without REFERENCES it lists them.
    """
    days = current_installation().settings.retention_days
    count, first, announced = retention.announced(db.session, days=days, shown=MOST)
    if not references and not every:
        click.echo(f"{count} screenings without a decision are due for deletion from {first}:")
        click.echo("\n".join(announced))
        return
    unknown = sorted({*references} - {*announced})
    if unknown:
        fail(f"Not announced, or acknowledged already: {', '.join(unknown)}")
    acknowledged = retention.acknowledge(current_actor(), announced if every else references)
    click.echo(f"{acknowledged} screenings may be deleted.")
