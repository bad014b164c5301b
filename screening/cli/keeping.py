"""Keeping the data: `flask audit | purge | backup | restore | move-database | verify | rotate-key`."""

from datetime import datetime
from itertools import chain
from pathlib import Path

import click
from pydantic import SecretStr

from screening.cli.common import (
    READABLE,
    acting,
    commands,
    fail,
    on_a_ready_installation,
    print_table,
    progress,
)
from screening.extensions import db, installation
from screening.services import clock, retention
from screening.services.clock import ClockInDoubt, this_machine
from screening.services.export import prove
from screening.settings import FILE_NAME, as_called
from screening.storage import audit as audit_log
from screening.storage import backup as copies
from screening.storage import editions, moving, rotation, screenings
from screening.storage.database import check_keys, integrity, note_keys, write
from screening.storage.encryption import only_current, with_new_key, write_keys


@commands.group()
def audit() -> None:
    """The audit log: prove it, write it out, note its end."""


@audit.command("verify")
@click.option(
    "--head",
    default="",
    help="An end of the chain noted earlier; finds rows removed from the end too.",
)
@on_a_ready_installation()
def audit_verify(head: str) -> None:
    """Prove that no row was edited, removed, inserted or moved."""
    keys = installation().keys
    faults = list(audit_log.verify(db.session, keys, kept=head))
    if faults:
        fail(*faults)
    end = audit_log.head(db.session, keys)
    click.echo(f"The chain is whole: {audit_log.size(db.session)} rows. Its end: {end}")


@audit.command("head")
@on_a_ready_installation()
def audit_head() -> None:
    """Print the end of the chain, to be kept elsewhere."""
    click.echo(audit_log.head(db.session, installation().keys))


@audit.command("export")
@on_a_ready_installation()
def audit_export() -> None:
    """Write the log to standard output as CSV. It names staff and references, no patient."""
    rows = (
        (
            one.number,
            one.at.isoformat(),
            one.actor,
            one.action,
            one.subject,
            one.detail,
            one.mac.hex(),
        )
        for one in audit_log.rows(db.session)
    )
    print_table(
        chain([("number", "at", "actor", "action", "subject", "detail", "mac")], rows), is_log=True
    )


@commands.command()
@click.option("--dry-run", is_flag=True, help="Only say what would be deleted.")
@on_a_ready_installation()
def purge(dry_run: bool) -> None:
    """Delete screenings kept for longer than retention_days, and drafts that expired.

    The server does so daily.
    """
    here = installation()
    days = here.settings.retention_days
    if dry_run:
        found = retention.due(acting(), days=days)
        click.echo(
            f"{len(found)} screenings would be deleted, {sum(not seen for _, seen in found)} never opened:"
        )
        click.echo("\n".join(reference for reference, _ in found))
        return
    try:
        with progress("Deleting") as tell:
            deleted, unread, _left = retention.purge(
                acting(), this_machine(), days=days, progress=tell
            )
    except ClockInDoubt:
        fail(
            "Nothing was deleted: the clock jumped. See flask doctor; set it right, then: flask confirm-clock"
        )
    click.echo(
        f"Deleted {deleted} screenings older than {days} days, {unread} of them never opened."
    )


@commands.command("confirm-clock")
@click.option(
    "--was-off",
    is_flag=True,
    help="The time by which it jumped has passed: the machine was off or asleep.",
)
@click.option("--yes", is_flag=True, help="Do not ask whether the time is right.")
@on_a_ready_installation()
def confirm_clock(was_off: bool, yes: bool) -> None:
    """Say that the clock is right, after it jumped: until then nothing is deleted."""
    if not yes:
        click.confirm(
            f"This machine says {datetime.now().astimezone():%d %B %Y, %H:%M %Z}. Is that right?",
            abort=True,
        )
    clock.confirm(acting(), this_machine(), was_off=was_off)
    click.echo("Confirmed. Screenings will again be deleted at the end of their retention period.")


@commands.command()
@click.argument("target", type=click.Path(path_type=Path))
def backup(target: Path) -> None:
    """Copy the whole database to the new file TARGET while the application runs.

    The keys are not in it.
    """
    here = installation()
    check_keys(db.session, here.keys)  # of whatever release the tables are
    acting().note_at_once("backup begun", detail=target.name)
    with progress("Copying") as tell:
        removed = copies.backup(db.engine, here.keys, target, tell)
    acting().note_at_once("backed up", detail=target.name)
    for left_over in removed:
        click.echo(f"Removed {left_over}: a backup that was ended before it was whole.", err=True)
    click.echo(
        f"Wrote {target} ({target.stat().st_size} bytes), and read it. Keep {here.key_file} apart from it."
    )


@commands.command()
@click.argument("source", type=READABLE)
def restore(source: Path) -> None:
    """Bring the backup SOURCE into an empty place, in which data.key is already.

    Then run: flask init; flask verify.
    """
    here = installation()
    if not here.key_file.exists():
        fail(f"Put your copy to {here.key_file} first: without that key the backup cannot be read")
    with progress("Copying") as tell:
        copies.restore(db.engine, here.keys, source, tell)
    noted, end = audit_log.begin_anew(acting(), source.name)
    click.echo(
        as_called(
            f"Restored {screenings.count(db.session)} screenings. Now run: flask init; flask verify"
        )
    )
    if noted.number > end.number:
        click.echo(
            f"The audit log here went to row {noted.number}, that of the backup to {end.number}."
        )
    click.echo(
        as_called(
            "Whoever was disabled since the copy was made can sign in again: see flask people list"
        )
    )


@commands.command("move-database")
@click.argument("url")
@on_a_ready_installation()
def move_database(url: str) -> None:
    """Move everything from SQLite to the PostgreSQL database URL, in which `flask init` was run with these keys.

    Stop the server first. The SQLite file stays, closed for writing.
    """
    here = installation()
    act = acting()
    target = here.settings.model_copy(update={"database_url": SecretStr(url)})
    with progress("Moving") as tell:
        rows = moving.move(
            db.engine, target.database, here.keys, now=act.now, by=act.by, progress=tell
        )
    click.echo(
        f"Moved {rows} rows; each was compared, and keys and audit chain fit. Nothing is written here any more."
    )
    click.echo(
        as_called(
            f"Now set database_url in {here.settings.instance / FILE_NAME}, run flask verify, start the server."
        )
    )


@commands.command()
@on_a_ready_installation()
def verify() -> None:
    """Prove what is stored: database files, keys, audit chain, and every screening by assessing it again."""
    here = installation()
    faults = [*filter(None, [audit_log.lost(db.session, here.keys)]), *integrity(db.session)]
    faults += [*audit_log.verify(db.session, here.keys), *editions.faults(db.session)]
    if clock.doubt(db.session) is not None:
        faults.append(
            "the clock jumped, and nobody has confirmed it: times noted since may be wrong"
        )
    total = screenings.count(db.session)
    with progress("Assessing again") as tell:
        for done, fault in enumerate(prove(db.session, here.keys), start=1):
            faults += [fault] if fault else []
            tell(done, total)
    if faults:
        fail(*faults)
    click.echo(
        f"All is as it was stored: {total} screenings, {audit_log.size(db.session)} audit rows, keys fit."
    )


@commands.command("rotate-key")
@click.option(
    "--forget",
    is_flag=True,
    help="Afterwards forget the old keys: backups made before cannot be read then.",
)
@on_a_ready_installation()
def rotate_key(forget: bool) -> None:
    """Make a new data key and seal everything anew with it.

    May be interrupted: run it again to go on.
    """
    here = installation()
    total = rotation.left(db.session, here.keys)
    if not total and not (forget and len(here.keys.data) > 1):
        write_keys(here.key_file, with_new_key(here.keys), instead=True)
        here.keys.follow()
        total = rotation.left(db.session, here.keys)
    with write(db.session):
        note_keys(db.session, here.keys)
    done = 0
    with progress("Sealing anew") as tell:
        for part in rotation.seal_anew(db.session, here.keys):
            done += part
            tell(done, max(total, done))
    acting().note_at_once("key rotated", detail=here.keys.current)
    if forget:
        kept = only_current(here.keys)
        rotation.forget(
            db.session, here.keys, lambda: write_keys(here.key_file, kept, instead=True)
        )
        here.keys.follow()
    click.echo(
        f"{done} rows are sealed with {here.keys.current} now. Copy {here.key_file} to its safe place again."
    )
    if not forget and len(here.keys.data) > 1:
        click.echo(
            as_called(
                "Old keys stay in it for the backups made before; `flask rotate-key --forget` drops them."
            )
        )
