"""`flask invite`: links for patients, one or many."""

import csv
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import click

from screening.cli.common import READABLE, acting, commands, fail, on_a_ready_installation, progress
from screening.domain.invitation import (
    COLUMNS,
    LONGEST_DAYS,
    InvalidInvitation,
    Invitation,
    last_moment,
    read_invitation,
)
from screening.extensions import installation
from screening.reports import paper
from screening.reports.press import PrintingFailed
from screening.reports.spreadsheet import cell
from screening.services import invite as service

MOST = 5000  # rows of one file
PART = 100  # invitations made in one transaction, so that no patient waits long


@commands.command()
@click.option("--csv", "table", type=READABLE, help="Invite all in this.")
@click.option("--dry-run", is_flag=True, help="Only say whether the file is right.")
@click.option(
    "--slips", type=click.Path(file_okay=False, path_type=Path), help="Print a slip for each into this folder."
)
@click.option("--name", help="The patient's name.")
@click.option("--birth-date", help="The patient's date of birth, such as 1988-03-12.")
@click.option("--visit", help="The clinic's reference for the visit.")
@click.option("--appointment", help="Day and time at the clinic, such as '2027-03-31 14:30'.")
@click.option("--prescriber", help="The prescriber's name.")
@click.option("--language", help="The patient's language, such as es.")
@click.option("--email", help="Where a reminder may go.")
@click.option(
    "--days", type=click.IntRange(1, LONGEST_DAYS), help="Days for which the links work. [default: invitation_days]"
)
def invite(table: Path | None, dry_run: bool, slips: Path | None, days: int | None, **alone: str | None) -> None:
    """Invite one patient, or all in a table (CSV in UTF-8), and print a link for each.

    The table begins with headings: name, birth_date and, where wanted, visit, appointment, prescriber, language, email.
    Where a row is at fault, nobody is invited.
    """
    if table is None and not (alone["name"] and alone["birth_date"]):
        raise click.UsageError("Give --csv FILE, or --name and --birth-date.")
    if table is not None and any(alone.values()):
        raise click.UsageError("Give --csv FILE or one patient, not both.")
    rows = [(0, {name: value or "" for name, value in alone.items()})] if table is None else _rows(table)
    invitations = _read(rows)
    if dry_run:
        click.echo(f"{len(invitations)} can be invited; nothing was done.")
        return
    with on_a_ready_installation():
        act, settings = acting(), installation().settings
        until = last_moment(now=act.now, days=days or settings.invitation_days, timezone=settings.clinic_timezone)
        made: list[tuple[str, Invitation, str]] = []
        try:
            with progress("Inviting") as tell:
                for begin in range(0, len(invitations), PART):
                    part = {service.new_id(): one for one in invitations[begin : begin + PART]}
                    service.create(act, part, until=until)
                    made += ((new, one, service.address(settings, act, new)) for new, one in part.items())
                    tell(len(made), len(invitations))
        finally:  # whoever is invited by now has a link, whatever went wrong after that
            lines = csv.writer(sys.stdout)
            lines.writerow(("name", "visit", "link"))
            lines.writerows((cell(one.patient.name), cell(one.patient.visit), link) for _id, one, link in made)
        if slips is not None:
            _print_slips(slips, made, until=until)
    click.echo(f"{len(made)} invited, until {until:%Y-%m-%d %H:%M} UTC.", err=True)
    early = sum(one.appointment is not None and one.appointment > until for one in invitations)
    if early:
        click.echo(f"{early} of these links end before the appointment; --days lets them last longer.", err=True)


def _rows(table: Path) -> list[tuple[int, dict[str, str]]]:
    """The rows of a table, each with its line in the file."""
    try:
        with table.open(encoding="utf-8-sig", newline="") as file:
            lines = csv.DictReader(file, restkey="too many columns", strict=True)
            unknown = sorted(set(lines.fieldnames or ()) - set(COLUMNS))
            if unknown or not lines.fieldnames:
                what = f"has the column {unknown[0]!r}" if unknown else "has no line of headings"
                fail(f"{table}: {what}; the columns are, in small letters and between commas: {','.join(COLUMNS)}")
            found = [(lines.line_num, row) for row in lines]
    except (OSError, UnicodeDecodeError, csv.Error) as err:
        fail(f"{table}: not a readable table (CSV in UTF-8): {err}")
    if not found:
        fail(f"{table}: has no rows below its headings")
    if len(found) > MOST:
        fail(f"{table}: has {len(found)} rows; invite at most {MOST} at once")
    return found


def _read(rows: list[tuple[int, dict[str, str]]]) -> list[Invitation]:
    """The invitations; where a row is at fault, print every fault and end."""
    settings, today, faults, found = installation().settings, installation().today(), [], []
    for line, row in rows:
        try:
            if "too many columns" in row:
                raise InvalidInvitation(["there are more columns than headings; put texts with a comma between quotes"])
            found.append(
                read_invitation(row, languages=settings.languages, today=today, timezone=settings.clinic_timezone)
            )
        except InvalidInvitation as err:
            faults += [f"line {line}, {fault}" if line else fault for fault in err.faults]
    if faults:
        fail(*faults, "Nobody was invited.")
    return found


def _print_slips(folder: Path, made: Sequence[tuple[str, Invitation, str]], *, until: datetime) -> None:
    """Write a PDF for each, with a name that tells nobody whom it is for."""
    here = installation()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with progress("Printing slips") as tell:
            for done, (invitation_id, invitation, link) in enumerate(made, start=1):
                book = here.books[invitation.language]
                slip = paper.slip(invitation, book, here.settings, address=link, until=until)
                file = folder / f"invitation-{done:04}-{invitation_id[: service.SHORT_ID]}.pdf"
                file.touch(mode=0o600)
                file.write_bytes(slip.content)
                tell(done, len(made))
    except OSError as err:
        fail(f"{folder} cannot be written: {err.strerror}; the links above hold all the same")
    except PrintingFailed as err:
        fail(f"A slip could not be printed: {err}; the links above hold all the same")
