"""The checks of `flask doctor`."""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.client import HTTPException
from importlib.metadata import version
from urllib.request import ProxyHandler, build_opener

from sqlalchemy.exc import DatabaseError

from screening.domain.rules import BASE_LANGUAGE
from screening.extensions import db
from screening.installation import Installation
from screening.operating import drill, overlooked, retention
from screening.operating.clock import doubt
from screening.operating.readiness import START_FAULTS, not_reachable
from screening.printing import fonts
from screening.printing.signature import CannotSign
from screening.reports.summary import standing
from screening.rulebooks.adopt import is_packaged_newer
from screening.rulebooks.load import InvalidRuleBook
from screening.services import texts
from screening.services.people import everyone
from screening.settings import allows_passkeys
from screening.storage import audit, database, outbox, search
from screening.storage.audit import Actor
from screening.storage.editions import VersionUsed, refuse_used_version
from screening.storage.encryption import read_keys
from screening.storage.private_files import KeyFault, read_private

DISK_GIB = 1
SERVER_SECONDS = 10
READ_SECONDS = 60  # for the list of screenings
RENEW = timedelta(days=60)  # before a certificate expires
LATE = timedelta(days=2)  # for a daily task
# By which the clocks of two machines may differ; the leases of jobs depend on them.
APART = timedelta(seconds=10)


def examined(installation: Installation) -> Iterator[tuple[bool | None, str, str]]:
    """Yield the result of each check: whether it is well (None: a note), its subject, a message."""
    packages = ("flask", "weasyprint", "cryptography")
    yield True, "versions", ", ".join(f"{name} {version(name)}" for name in packages)
    missing = fonts.missing_parts()
    yield not missing, "fonts and subsetting", "; ".join(missing) or "all there"
    for file, read in (
        (installation.key_file, read_keys),
        (installation.secret_file, read_private),
    ):
        try:
            read(file)
            yield True, file.name, f"{file} is there, and only its owner can read it"
        except KeyFault as err:
            yield False, file.name, str(err)
    folder = installation.settings.instance
    mode = folder.stat().st_mode & 0o777 if folder.exists() else 0
    yield mode == 0o700, "instance folder", f"{folder}, mode {mode:04o} (to be 0700)"
    free = shutil.disk_usage(folder.parent).free / 2**30
    yield free >= DISK_GIB, "disk", f"{free:.1f} GiB free (to be {DISK_GIB} or more)"
    is_safe = installation.settings.over_tls or not installation.settings.allow_plain_http
    unencrypted = "" if is_safe else ", unencrypted over the network"
    yield is_safe, "address", f"{installation.settings.public_url}{unencrypted}"
    fault = _server_fault(installation.settings.public_url)
    yield not fault, "server", fault or "it answers at that address"
    try:
        database.check_keys(db.session, installation.keys)
        database.check_release(db.session)
        search.check(db.session, installation.keys)
        address = db.engine.url.render_as_string()
        yield True, "database", f"{address}: the tables are those of this release"
        yield from _examined_data(installation, datetime.now(UTC))
    except START_FAULTS as err:
        yield False, "database", str(err)
    except DatabaseError as err:
        yield False, "database", str(not_reachable(err))


def _server_fault(url: str) -> str:
    """Return why the running server does not answer at the address of patients, or ""."""
    opener = build_opener(ProxyHandler({}))
    try:
        with opener.open(f"{url}/healthz", timeout=SERVER_SECONDS) as answer:
            return "" if answer.read(10) == b"ok\n" else f"something else answers at {url}"
    except (OSError, HTTPException) as err:
        return f"{url} does not answer: {getattr(err, 'reason', err) or type(err).__name__}"


def _examined_data(
    installation: Installation, now: datetime
) -> Iterator[tuple[bool | None, str, str]]:
    newest = audit.last(db.session)
    in_doubt = doubt(db.session)
    apart = abs(database.clock(db.session, local=now) - now)
    faults = []
    if newest is not None and newest.at > now + timedelta(minutes=5):
        faults.append(", behind the newest audit row")
    if apart > APART:
        faults.append(f", {apart.total_seconds():.0f} seconds away from the database's")
    if in_doubt is not None:
        faults.append(
            f"; it jumped by {in_doubt.detail}, nothing is deleted: "
            "set it right, then `flask confirm-clock`"
        )
    yield not faults, "clock", f"{now:%Y-%m-%d %H:%M} UTC" + "".join(faults)
    lost = audit.lost(db.session, installation.keys, installation.settings.audit_head_folder)
    words = lost or "it contains the end that was noted outside of the database"
    yield not lost, "audit log", words
    changed = "; ".join(audit.checksum_faults(db.session, installation.keys))
    yield (
        not changed,
        "tables",
        changed or "people, invitations, jobs ... are as the program left them",
    )
    if folder := installation.settings.audit_head_folder:
        is_there = audit.head_file(db.session, installation.keys, folder).exists()
        words = "is copied to" if is_there else "was not copied to"
        yield is_there, "audit log elsewhere", f"its end {words} {folder}"
    for action, subject, command in (
        ("backed up", "last backup", "flask backup FILE"),
        ("purged", "last purge", "flask purge"),
    ):
        row = audit.last(db.session, action)
        recent = row is not None and row.at > now - LATE
        yield recent, subject, f"{row.at:%Y-%m-%d %H:%M} UTC" if row else f"never; run: {command}"
    yield drill.last(db.session, now)
    text_faults = "; ".join(
        texts.faults(installation.settings.instance, installation.settings.languages)
    )
    yield not text_faults, "own texts", text_faults or "short and plain, or none"
    yield from _examined_rule_book(installation)
    yield from _examined_waiting(installation, now)
    people = [person for person in everyone(db.session) if person.active]
    no_factor = sum(not person.has_second_factor for person in people)
    words = f"{len(people)} may sign in, {no_factor} of them without a second factor"
    yield bool(people), "people", words
    if with_passkeys := sum(bool(person.webauthn) for person in people):
        is_allowed = allows_passkeys(installation.settings.public_url)
        words = f"{with_passkeys} people have passkeys"
        words += "" if is_allowed else ", which need https and a name in public_url"
        yield is_allowed, "passkeys", words
    jobs = outbox.totals(db.session, now=now)
    troubled = jobs.failed + jobs.repeating
    words = f"{jobs.waiting} jobs wait, {jobs.failed} of them failed, "
    words += f"{jobs.repeating} fail again and again or are late"
    words += ": see flask outbox list" if troubled else ""
    words += ", is flask outbox run needed?" if jobs.idle else ""
    yield not troubled, "outbox", words
    yield from _examined_signing(installation, now)
    for check in installation.points.checks:
        yield from check()


def _examined_waiting(installation: Installation, now: datetime) -> Iterator[tuple[bool, str, str]]:
    actor = Actor(session=db.session, keys=installation.keys, now=now, by="doctor")
    waiting = overlooked.read(actor, installation, patience=READ_SECONDS)
    words = (
        f"{len(waiting.unopened)} screenings were not opened in time, "
        f"{len(waiting.appointed)} have no decision although their appointment has come"
    )
    yield not (waiting.unopened or waiting.appointed), "overlooked", words
    if installation.settings.overlooked_mail:
        has_mailer = bool(installation.points.mailers)
        words = f"to {installation.settings.overlooked_mail}"
        yield has_mailer, "overlooked mail", words + ("" if has_mailer else ": no e-mail channel")
    days = installation.settings.retention_days
    count, first, _references = retention.announced(db.session, days=days, shown=1)
    words = f"{count} screenings without a decision are due"
    if count:
        words += f" from {first}; they stay until a prescriber acknowledges them in the inbox"
    yield not count, "deletion", words


def not_offered(installation: Installation) -> str:
    """Return which languages of the settings are not offered to patients, and why, or ""."""
    codes = ", ".join(sorted({*installation.settings.languages} - {*installation.languages}))
    why = "incomplete or unreviewed, see unreviewed_languages"
    return f"not offered to patients: {codes} ({why})" if codes else ""


def _examined_rule_book(installation: Installation) -> Iterator[tuple[bool | None, str, str]]:
    edition = installation.approved_books[BASE_LANGUAGE].edition
    overdue = edition.overdue_since(installation.today())
    words = f"{edition.id} {edition.version}: {standing(edition, 'en', on=installation.today())}"
    yield not overdue if edition.approvals else None, "rule book", words
    if words := not_offered(installation):
        yield None, "languages", words
    try:
        candidate = installation.read(installation.rule_book_file)[BASE_LANGUAGE].edition
        refuse_used_version(db.session, candidate)
        words = "is not in force: see the page Rule book, or flask rulebook diff"
        is_current = candidate.digest == edition.digest
        if is_current:
            words = "is in force"
        yield is_current or None, "rule book file", f"{installation.rule_book_file} {words}"
    except (InvalidRuleBook, VersionUsed) as err:
        yield False, "rule book file", f"the last good one stays in force. {err}"
    if is_packaged_newer(installation.rule_book_folder):
        words = "this release came with other rules; see flask rulebook diff adopted-from packaged"
        yield None, "new rules", words


def _examined_signing(installation: Installation, now: datetime) -> Iterator[tuple[bool, str, str]]:
    try:
        signature = installation.signature
        if signature is None:
            yield True, "signature", "PDFs are not signed; to sign them: flask signing-key create"
        else:
            is_valid = now + RENEW < signature.certificate.not_valid_after_utc
            yield is_valid, "signature", signature.described + ("" if is_valid else ": renew it")
    except (CannotSign, KeyFault) as err:
        yield False, "signature", str(err)
