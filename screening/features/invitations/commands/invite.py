"""`flask invite`: links for patients, one or many."""

from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path
from uuid import uuid4

import click

from screening.cli.common import (
    READABLE,
    commands,
    current_actor,
    fail,
    on_a_ready_installation,
    print_table,
    progress,
)
from screening.domain.rules import BASE_LANGUAGE
from screening.features.invitations import service
from screening.features.invitations import slip as printed_slip
from screening.features.invitations.dates import Order
from screening.features.invitations.invitation import Invitation, last_moment
from screening.features.invitations.patient_list import (
    InvitationList,
    Row,
    read_list,
    read_table,
    with_doubles,
)
from screening.features.invitations.spreadsheet import Table, as_seen
from screening.installation import current_installation
from screening.printing.renderer_process import PrintingFailed
from screening.reports.summary import day, moment
from screening.settings import LONGEST_DAYS

SOME = 5  # of the days that the person is asked about


@commands.command()
@click.option(
    "--list",
    "file",
    type=READABLE,
    help="Invite all in this: .xlsx, .ods or CSV, as a spreadsheet saves it.",
)
@click.option(
    "--dates",
    type=click.Choice([order.value for order in Order]),
    help="What stands first in days of the list such as 03/12/1988.",
)
@click.option("--dry-run", is_flag=True, help="Only say how the list is understood.")
@click.option("--yes", is_flag=True, help="Invite all in the list without asking.")
@click.option(
    "--slips",
    type=click.Path(file_okay=False, path_type=Path),
    help="Print a slip for each into this folder.",
)
@click.option("--name", help="The patient's name.")
@click.option("--birth-date", help="The patient's date of birth, such as 1988-03-12.")
@click.option("--visit", help="The clinic's reference for the visit.")
@click.option("--appointment", help="Day and time at the clinic, such as '2027-03-31 14:30'.")
@click.option("--prescriber", help="The prescriber's name.")
@click.option("--language", help="The patient's language, such as es.")
@click.option("--email", help="Where a reminder may go.")
@click.option(
    "--days",
    type=click.IntRange(1, LONGEST_DAYS),
    help="Days for which the links work. [default: invitation_days]",
)
def invite(
    file: Path | None,
    dates: str | None,
    dry_run: bool,
    yes: bool,
    slips: Path | None,
    days: int | None,
    **alone: str | None,
) -> None:
    """Invite one patient, or all in a list, and print a link for each (CSV in UTF-8).

    The list has headings: name, date of birth and, where wanted, visit, appointment, prescriber,
    language, e-mail. The command first shows how it understands each row. If a cell is at fault,
    nobody is invited.
    """
    if file is None and not (alone["name"] and alone["birth_date"]):
        raise click.UsageError("Give --list FILE, or --name and --birth-date.")
    if file is not None and any(alone.values()):
        raise click.UsageError("Give --list FILE or one patient, not both.")
    order = Order(dates) if dates else None
    seed = uuid4().hex
    installation = current_installation()
    if file is None:
        given = {name: value for name, value in alone.items() if value}
        table = Table(rows=as_seen([(0, list(given)), (1, list(given.values()))]))
        patients = read_table(
            table, settings=installation.offering, today=installation.today(), order=order
        )
        _refuse(patients, "")
    else:
        patients = read_list(
            file.read_bytes(),
            settings=installation.offering,
            today=installation.today(),
            order=order,
        )
    with on_a_ready_installation():
        actor = current_actor()
        settings = installation.settings
        if file is not None:
            patients = with_doubles(patients, service.open_ones(actor), seed)
            _show(patients, str(file))
            _refuse(patients, str(file))
        several = patients.to_invite(seed)
        if dry_run:
            click.echo(f"{len(several)} can be invited; nothing was done.")
            return
        if file is not None and not yes and several:
            click.confirm(f"Invite {len(several)} patients?", abort=True, err=True)
        until = last_moment(
            now=actor.now, days=days or settings.invitation_days, timezone=settings.clinic_timezone
        )
        done = 0
        try:
            with progress("Inviting") as tell:
                for done in service.create_in_parts(actor, several, until=until):
                    tell(done, len(several))
        finally:  # patients invited so far have links, even if the rest failed
            invited = dict(list(several.items())[:done])
            links = [
                (row.patient.name, row.patient.visit, service.address(settings, actor, id_))
                for id_, row in invited.items()
            ]
            print_table([("name", "visit", "link"), *links])
        if slips is not None:
            _print_slips(slips, invited, until=until)
    click.echo(f"{len(invited)} invited, until {until:%Y-%m-%d %H:%M} UTC.", err=True)
    early = sum(invitation.is_after(until) for invitation in several.values())
    if early:
        click.echo(
            f"{early} of these links end before the appointment; --days lets them last longer.",
            err=True,
        )


def _show(patients: InvitationList, file: str) -> None:
    """Print each row as it was understood, and what to know about the list, on stderr."""
    for row in patients.rows:
        double = f" [not invited: {row.double}]" if row.double else ""
        click.echo(f"row {row.number}: {' | '.join(_values(row))}{double}", err=True)
    for note in patients.notes:
        click.echo(f"{file}: {note}", err=True)


def _values(row: Row) -> list[str]:
    """Return what is known of a patient, days with the month in words."""
    zone = current_installation().settings.clinic_timezone
    texts = []
    for name, value in row.values.items():
        if isinstance(value, datetime):
            texts.append(moment(value, BASE_LANGUAGE, zone))
        elif isinstance(value, date):
            texts.append(day(value, BASE_LANGUAGE))
        elif value:
            texts.append(f"“{value}”?" if name in row.faults else value)
    return texts


def _refuse(patients: InvitationList, file: str) -> None:
    """Print every fault with file, row, column and remedy, and end; return if there is none."""
    prefix = f"{file}: " if file else ""
    faults = [f"{prefix}{fault}" for fault in patients.faults]
    for row in patients.rows:
        place = f"{prefix}row {row.number}, " if file else ""
        faults += [
            f"{place}{patients.headings.get(column, column) or 'no heading'}: {fault}"
            for column, fault in row.faults.items()
        ]
    if patients.asked:
        faults.append(
            f"{prefix}is the day or the month first in {', '.join(patients.asked[:SOME])}? "
            "Run this again with --dates day-first or --dates month-first."
        )
    if faults:
        fail(*faults, "Nobody was invited.")


def _print_slips(folder: Path, invited: Mapping[str, Invitation], *, until: datetime) -> None:
    """Write a PDF for each patient, under a file name that does not identify the patient."""
    installation = current_installation()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with progress("Printing slips") as tell:
            for done, (invitation_id, invitation) in enumerate(invited.items(), start=1):
                book = installation.books.get(
                    invitation.language, installation.books[BASE_LANGUAGE]
                )
                link = service.address(installation.settings, current_actor(), invitation_id)
                slip = printed_slip.printed(
                    invitation, book, installation.settings, address=link, until=until
                )
                file = folder / f"invitation-{done:04}-{invitation_id[: service.SHORT_ID]}.pdf"
                file.touch(mode=0o600)
                file.write_bytes(slip.content)
                tell(done, len(invited))
    except OSError as err:
        fail(f"{folder} cannot be written: {err.strerror}; the links above hold all the same")
    except PrintingFailed as err:
        fail(f"A slip could not be printed: {err}; the links above hold all the same")
