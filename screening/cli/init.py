"""`flask init`: prepare an installation, or bring an older one up to date."""

import fcntl
import logging
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from screening.cli.common import commands, current_actor, progress
from screening.domain.rules import BASE_LANGUAGE
from screening.extensions import alembic, db
from screening.installation import Installation, current_installation
from screening.operating.doctor import not_offered
from screening.operating.readiness import SECRET_BYTES, not_reachable
from screening.printing import fonts
from screening.rulebooks.load import AZATHIOPRINE
from screening.services import editions
from screening.settings import FILE_NAME, settings_file
from screening.storage import audit, database, search
from screening.storage.editions import VersionUsed
from screening.storage.encryption import new_keys, write_keys
from screening.storage.private_files import KeyFault, write_private


@commands.command()
def init() -> None:
    """Prepare the instance folder, keys and database, or bring an older database up to date."""
    installation = current_installation()
    instance = installation.settings.instance
    instance.mkdir(mode=0o700, parents=True, exist_ok=True)
    instance.chmod(0o700)
    with _alone(instance):
        database.make_private(db.engine)
        _make_missing_files(installation, stored=database.has_tables(db.session))
        db.session.rollback()
        before = database.stored_release(db.session)
        db.session.rollback()
        _migrate()
        with database.write(db.session):
            database.note_keys(db.session, installation.keys)
            database.seal_unsealed(db.session)
            audit.prepare(current_actor(), is_migrated=before != database.release())
        database.check_keys(db.session, installation.keys)
        with database.write(db.session):
            for prepare in installation.points.preparations:
                prepare(db.session, installation.keys)
        _begin_rule_book(installation)
        _index_anew(installation)
        # Made last: its presence shows that the database was complete once.
        if not installation.secret_file.exists():
            write_private(installation.secret_file, secrets.token_hex(SECRET_BYTES) + "\n")
    for missing in fonts.missing_parts():
        click.echo(f"Missing: {missing}", err=True)
    if words := not_offered(installation):
        click.echo(f"Languages {words}", err=True)
    key_file = installation.key_file
    click.echo(f"Ready: {instance}. Keep a copy of {key_file} apart from your database backups.")


def _migrate() -> None:
    """Bring the tables up to date. Raises DatabaseNotReady."""
    from alembic.util import CommandError

    upgrade = alembic.upgrade
    logging.getLogger("alembic").setLevel(logging.WARNING)  # after Flask-Alembic has set it
    try:
        upgrade()
    except CommandError as err:
        raise not_reachable(err) from err


def _begin_rule_book(installation: Installation) -> None:
    """Put the rule book of this release in force, where the clinic has approved none."""
    try:
        editions.begin(
            current_actor(),
            lambda: installation.read(installation.rule_book_file)[BASE_LANGUAGE].edition,
            adopted=installation.rule_book_file != AZATHIOPRINE,
        )
    except VersionUsed as err:
        click.echo(f"The rule book in force stays: {err}", err=True)


def _index_anew(installation: Installation) -> None:
    """Rebuild the index of names where an older release has made it."""
    if search.is_current(db.session, installation.keys):
        return
    with progress("Indexing names") as update:
        unread = search.build(db.session, installation.keys, update)
    if unread:
        click.echo(
            f"{len(unread)} screenings cannot be read, first {unread[0]}; run: flask verify",
            err=True,
        )


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Wait until no other process holds this lock: two would both make keys and migrate."""
    lock = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _make_missing_files(installation: Installation, *, stored: bool) -> None:
    """Write the settings file and the keys of a new installation.

    Raises KeyFault and DatabaseNotReady where a part of an older installation is missing.
    """
    if not installation.key_file.exists():
        if stored:
            raise KeyFault(
                f"{installation.key_file} is missing, but the database was sealed with it. "
                "Restore the file from your copy; a new key could not read what is stored"
            )
        write_keys(installation.key_file, new_keys())
    was_used = audit.head_file(db.session, installation.keys).exists()
    if not stored and (
        was_used or (not installation.settings.database_url and installation.secret_file.exists())
    ):
        raise database.DatabaseNotReady(
            f"{db.engine.url.render_as_string()} is empty, but it was in use: what it held is "
            "missing. Bring the file back, or a backup: `flask restore FILE`. Only where nothing "
            f"is to be kept, move {installation.settings.instance} away and run `flask init` again"
        )
    if not (file := installation.settings.instance / FILE_NAME).exists():
        write_private(file, settings_file())
