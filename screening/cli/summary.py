"""`flask summary`: print the summary of a stored screening, or write its PDF."""

from pathlib import Path

import click

from screening.cli.common import (
    WRITABLE,
    commands,
    current_actor,
    fail,
    on_a_ready_installation,
    write_file,
)
from screening.installation import current_installation
from screening.services import printing, review
from screening.storage import screenings
from screening.storage.search import normal_reference


@commands.command()
@click.argument("reference")
@click.option("--pdf", type=WRITABLE, help="Write the summary to this file.")
@on_a_ready_installation()
def summary(reference: str, pdf: Path | None) -> None:
    """Print the summary of the screening with this REFERENCE, such as 7F3K-9QWD."""
    installation = current_installation()
    reference = normal_reference(reference)
    try:
        screening = review.view(current_actor(), reference, action="printed", opens=False)
    except screenings.NoSuchScreening:
        fail(f"There is no screening {reference}; check the reference")
    content = installation.printer.summary(screening)
    click.echo(f"{content.reference}  {content.submitted}  check code {content.check_code}")
    click.echo(f"{content.headline}. {content.sentence}")
    if pdf is not None:
        try:
            write_file(pdf, installation.printer.pdf(reference))
        except printing.NotPrinted as err:
            fail(f"The PDF could not be made: {err}. See: flask outbox list")
