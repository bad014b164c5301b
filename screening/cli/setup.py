"""`flask init | settings | doctor`: prepare an installation, and say how it is."""

import fcntl
import logging
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.client import HTTPException
from importlib.metadata import version
from pathlib import Path
from urllib.request import ProxyHandler, build_opener

import click
from sqlalchemy.exc import OperationalError

from screening.cli.common import (
    SECRET_BYTES,
    START_FAULTS,
    acting,
    commands,
    not_reachable,
    progress,
)
from screening.domain.rules import BASE_LANGUAGE
from screening.extensions import Installation, alembic, db, installation
from screening.reports import fonts
from screening.reports.signature import CannotSign
from screening.reports.summary import standing
from screening.rulebooks.adopt import is_packaged_newer
from screening.rulebooks.load import AZATHIOPRINE, InvalidRuleBook
from screening.services import editions, texts
from screening.services.clock import doubt
from screening.services.people import everyone
from screening.settings import FILE_NAME, as_called, load_settings, settings_file
from screening.storage import audit, database, outbox, screenings, search
from screening.storage.editions import VersionUsed, refuse_used_version
from screening.storage.encryption import (
    KeyFault,
    new_keys,
    read_keys,
    read_private,
    write_keys,
    write_private,
)
from screening.storage.tables import ScreeningRow

DISK_GIB = 1
SERVER_SECONDS = 10
RENEW = timedelta(days=60)  # before a certificate is over
LATE = timedelta(days=2)  # for what is to happen daily
# what clocks of two machines may differ: those of leases must be the same
APART = timedelta(seconds=10)


@commands.command()
def init() -> None:
    """Prepare the instance folder, keys and database, or bring an older database up to date."""
    here = installation()
    instance = here.settings.instance
    instance.mkdir(mode=0o700, parents=True, exist_ok=True)
    instance.chmod(0o700)
    with _alone(instance):
        database.make_private(db.engine)
        _make_missing_files(here, stored=database.has_tables(db.session))
        db.session.rollback()
        _migrate()
        with database.write(db.session):
            database.note_keys(db.session, here.keys)
            audit.prepare(db.session, here.keys)
            database.seal_unsealed(db.session)
        database.check_keys(db.session, here.keys)
        _begin_rule_book(here)
        _index_anew(here)
        # the last thing that is made: it tells that the database was ready once
        if not here.secret_file.exists():
            write_private(here.secret_file, secrets.token_hex(SECRET_BYTES) + "\n")
    for missing in fonts.missing_parts():
        click.echo(f"Missing: {missing}", err=True)
    if words := _not_offered(here):
        click.echo(f"Languages {words}", err=True)
    click.echo(
        f"Ready: {instance}. Keep a copy of {here.key_file} apart from your database backups."
    )


def _migrate() -> None:
    from alembic.util import CommandError

    upgrade = alembic.upgrade
    logging.getLogger("alembic").setLevel(logging.WARNING)  # after Flask-Alembic has set it
    try:
        upgrade()
    except CommandError as err:
        raise not_reachable(err) from err


def _begin_rule_book(here: Installation) -> None:
    """Put the rule book in force that came with this release, where the clinic has approved none."""
    try:
        editions.begin(
            acting(),
            lambda: here.read(here.rule_book_file)[BASE_LANGUAGE].edition,
            adopted=here.rule_book_file != AZATHIOPRINE,
        )
    except VersionUsed as err:
        click.echo(f"The rule book in force stays: {err}", err=True)


def _index_anew(here: Installation) -> None:
    """Let what an older release made of names be found as this one looks for them."""
    if search.is_current(db.session, here.keys):
        return
    with progress("Indexing names") as tell:
        unread = search.build(db.session, here.keys, tell)
    if unread:
        click.echo(
            f"{len(unread)} screenings cannot be read, first {unread[0]}; run: flask verify",
            err=True,
        )


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Wait until no other process does this: two at once would both make keys and migrate."""
    lock = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _make_missing_files(here: Installation, *, stored: bool) -> None:
    """Write the settings file and the keys of a new installation; never a new data key beside old data."""
    if not here.key_file.exists():
        if stored:
            raise KeyFault(
                f"{here.key_file} is missing, but the database was sealed with it. Restore the file from your copy; "
                "a new key could not read what is stored"
            )
        write_keys(here.key_file, new_keys())
    was_used = audit.head_file(db.session, here.keys).exists()
    if not stored and (was_used or (not here.settings.database_url and here.secret_file.exists())):
        raise database.DatabaseNotReady(
            f"{db.engine.url.render_as_string()} is empty, but it was in use: what it held is missing. Bring the file "
            "back, or a backup: `flask restore FILE`. Only where nothing is to be kept, move "
            f"{here.settings.instance} away and run `flask init` again"
        )
    if not (file := here.settings.instance / FILE_NAME).exists():
        write_private(file, settings_file())


@commands.command()
def settings() -> None:
    """Print each setting, where it came from and what it does. Secrets are hidden."""
    for name, value, came_from, what in load_settings().described():
        click.echo(f"{name} = {value!s}  [{came_from}]\n    {what}")


# ------------------------------------------------------------------------------------------------------------
# doctor


@commands.command()
def doctor() -> None:
    """Say on one page what is well and what is not. Exit code 1 where something is not."""
    well = True
    for ok, what, words in _examined():
        well = well and ok is not False
        note = (
            click.style("note ", fg="yellow")
            if ok is None
            else click.style("FAULT", fg="red", bold=True)
        )
        mark = click.style("ok   ", fg="green") if ok else note
        click.echo(f"{mark}  {what}: {as_called(words)}")
    raise SystemExit(0 if well else 1)


def _examined() -> Iterator[tuple[bool | None, str, str]]:
    """Whether it is well (None for what is only to be known), what was looked at, and what was found."""
    here = installation()
    yield (
        True,
        "versions",
        ", ".join(f"{name} {version(name)}" for name in ("flask", "weasyprint", "cryptography")),
    )
    missing = fonts.missing_parts()
    yield not missing, "fonts and subsetting", "; ".join(missing) or "all there"
    for file, read in ((here.key_file, read_keys), (here.secret_file, read_private)):
        try:
            read(file)
            yield True, file.name, f"{file} is there, and only its owner can read it"
        except KeyFault as err:
            yield False, file.name, str(err)
    mode = here.settings.instance.stat().st_mode & 0o777 if here.settings.instance.exists() else 0
    yield (
        mode == 0o700,
        "instance folder",
        f"{here.settings.instance}, mode {mode:04o} (to be 0700)",
    )
    free = shutil.disk_usage(here.settings.instance.parent).free / 2**30
    yield free >= DISK_GIB, "disk", f"{free:.1f} GiB free (to be {DISK_GIB} or more)"
    https = here.settings.over_tls or not here.settings.allow_plain_http
    yield (
        https,
        "address",
        here.settings.public_url + ("" if https else ", unencrypted over the network"),
    )
    fault = _server_fault(here.settings.public_url)
    yield not fault, "server", fault or "it answers at that address"
    try:
        database.check_keys(db.session, here.keys)
        database.check_release(db.session)
        search.check(db.session, here.keys)
        yield (
            True,
            "database",
            f"{db.engine.url.render_as_string()}: the tables are those of this release",
        )
        yield from _examined_data(datetime.now(UTC))
    except START_FAULTS as err:
        yield False, "database", str(err)
    except OperationalError as err:
        yield False, "database", str(not_reachable(err))


def _server_fault(url: str) -> str:
    """Why the running server does not answer as patients reach it, or ""."""
    try:
        with build_opener(ProxyHandler({})).open(
            f"{url}/healthz", timeout=SERVER_SECONDS
        ) as answer:
            return "" if answer.read(10) == b"ok\n" else f"something else answers at {url}"
    except (OSError, HTTPException) as err:
        return f"{url} does not answer: {getattr(err, 'reason', err) or type(err).__name__}"


def _examined_data(now: datetime) -> Iterator[tuple[bool | None, str, str]]:
    here = installation()
    newest = audit.last(db.session)
    in_doubt = doubt(db.session)
    off = abs(database.clock(db.session, here=now) - now)
    faults = [", behind the newest audit row"] * (
        newest is not None and newest.at > now + timedelta(minutes=5)
    )
    faults += [f", {off.total_seconds():.0f} seconds away from the database's"] * (off > APART)
    if in_doubt is not None:
        faults += [
            f"; it jumped by {in_doubt.detail}, nothing is deleted: set it right, then `flask confirm-clock`"
        ]
    yield not faults, "clock", f"{now:%Y-%m-%d %H:%M} UTC" + "".join(faults)
    lost = audit.lost(db.session, here.keys)
    yield (
        not lost,
        "audit log",
        lost or "it contains the end that was noted outside of the database",
    )
    for action, what, command in (
        ("backed up", "last backup", "flask backup FILE"),
        ("purged", "last purge", "flask purge"),
    ):
        row = audit.last(db.session, action)
        recent = row is not None and row.at > now - LATE
        yield recent, what, f"{row.at:%Y-%m-%d %H:%M} UTC" if row else f"never; run: {command}"
    of_texts = "; ".join(texts.faults(here.settings.instance, here.settings.languages))
    yield not of_texts, "own texts", of_texts or "short and plain, or none"
    yield from _examined_rule_book(here)
    unread = screenings.count(
        db.session, ScreeningRow.status == "new", ScreeningRow.submitted_at < now - LATE
    )
    yield not unread, "unread", f"{unread} screenings wait unopened for more than {LATE.days} days"
    people = [one for one in everyone(db.session) if one.active]
    no_factor = sum(one.tf_totp_secret is None for one in people)
    yield (
        bool(people),
        "people",
        f"{len(people)} may sign in, {no_factor} of them without a second factor",
    )
    jobs = outbox.totals(db.session, now=now)
    troubled = jobs.failed + jobs.repeating
    words = f"{jobs.waiting} jobs wait, {jobs.failed} of them failed, {jobs.repeating} fail again and again or are late"
    words += (": see flask outbox list" if troubled else "") + (
        ", is flask outbox run needed?" if jobs.idle else ""
    )
    yield not troubled, "outbox", words
    yield from _examined_signing(now)
    names = ", ".join(here.channels)
    yield (
        True,
        "deliveries",
        f"to {names}; to try one: flask delivery test NAME" if names else "none is set up",
    )


def _not_offered(here: Installation) -> str:
    """Say which languages of the settings patients are not offered, and why; "" where they are offered all."""
    codes = ", ".join(sorted({*here.settings.languages} - {*here.languages}))
    return (
        codes
        and f"not offered to patients: {codes} (incomplete or unreviewed, see unreviewed_languages)"
    )


def _examined_rule_book(here: Installation) -> Iterator[tuple[bool | None, str, str]]:
    edition = here.approved_books[BASE_LANGUAGE].edition
    overdue = edition.overdue_since(here.today())
    words = f"{edition.id} {edition.version}: {standing(edition, 'en', on=here.today())}"
    yield not overdue if edition.approvals else None, "rule book", words
    if words := _not_offered(here):
        yield None, "languages", words
    try:
        candidate = here.read(here.rule_book_file)[BASE_LANGUAGE].edition
        refuse_used_version(db.session, candidate)
        same = candidate.digest == edition.digest
        words = (
            "is in force"
            if same
            else "is not in force: see the page Rule book, or flask rulebook diff"
        )
        yield same or None, "rule book file", f"{here.rule_book_file} {words}"
    except (InvalidRuleBook, VersionUsed) as err:
        yield False, "rule book file", f"the last good one stays in force. {err}"
    if is_packaged_newer(here.rule_book_folder):
        yield (
            None,
            "new rules",
            "this release came with other rules; see flask rulebook diff adopted-from packaged",
        )


def _examined_signing(now: datetime) -> Iterator[tuple[bool, str, str]]:
    try:
        signature = installation().signature
        if signature is None:
            yield True, "signature", "PDFs are not signed; to sign them: flask signing-key create"
        else:
            holds = now + RENEW < signature.certificate.not_valid_after_utc
            yield holds, "signature", signature.described + ("" if holds else ": renew it")
    except (CannotSign, KeyFault) as err:
        yield False, "signature", str(err)
