"""The `flask` commands. Exit codes: 0 done, 1 the input or the installation is at fault, 2 wrong usage."""

from __future__ import annotations

import fcntl
import itertools
import json
import logging
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn
from zoneinfo import ZoneInfo

import click
from alembic.util import CommandError
from flask import Flask
from flask.cli import AppGroup, with_appcontext
from sqlalchemy.exc import OperationalError

from screening.domain.answers import read_answers
from screening.domain.assessment import Assessment, Screening
from screening.domain.case import InvalidCase, read_case
from screening.domain.evaluate import evaluate
from screening.domain.rules import Question, RuleBook
from screening.extensions import alembic, db, installation
from screening.reports import fonts
from screening.reports.pdf import CannotPrint, print_summary, translations
from screening.reports.summary import Summary, citations, summarise
from screening.rulebooks.load import BASE_LANGUAGE, InvalidRuleBook, load_content
from screening.services import draft as draft_service
from screening.settings import FILE_NAME, InvalidSettings, load_settings, settings_file
from screening.storage import screenings
from screening.storage.database import DatabaseNotReady, check_keys, has_tables, make_private, note_keys, write
from screening.storage.encryption import KeyFault, new_keys, read_private, write_keys, write_private

START_FAULTS = (InvalidSettings, InvalidRuleBook, KeyFault, DatabaseNotReady)
SECRET_BYTES = 32


def init_app(app: Flask) -> None:
    """Add the commands to the application."""
    for command in (init, settings, screen, summary, rulebook):
        app.cli.add_command(command)


def check_ready(app: Flask) -> None:
    """Raise KeyFault or DatabaseNotReady unless this installation can serve. Drafts that have expired are deleted."""
    logging.getLogger("alembic").setLevel(logging.WARNING)
    here = installation(app)
    if len(read_private(here.secret_file)) < SECRET_BYTES:
        raise KeyFault(f"{here.secret_file} is too short; remove it and run `flask init`")
    with app.app_context():
        try:
            check_keys(db.session, here.keys)
            if alembic.needs_upgrade():
                raise DatabaseNotReady("The database is of an older release; make a backup, then run `flask init`")
            draft_service.expire(session=db.session, now=datetime.now(UTC))
        except (OperationalError, CommandError) as err:
            raise _not_reachable(err) from err
        finally:
            db.session.close()
            db.engine.dispose()  # no connection is handed on to another process


def _not_reachable(err: Exception) -> DatabaseNotReady:
    reason = str(getattr(err, "orig", err)).strip().splitlines()[0]
    return DatabaseNotReady(f"The database at {db.engine.url.render_as_string()} cannot be used: {reason}")


def _fail(*lines: str) -> NoReturn:
    for line in lines:
        click.echo(line, err=True)
    raise SystemExit(1)


# ------------------------------------------------------------------------------------------------- the installation


@click.command()
@with_appcontext
def init() -> None:
    """Prepare the instance folder, keys and database, or bring an older database up to date."""
    here = installation()
    instance = here.settings.instance
    instance.mkdir(mode=0o700, parents=True, exist_ok=True)
    instance.chmod(0o700)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    try:
        with _alone(instance):
            make_private(db.engine)
            _make_missing_files(instance, here.key_file, here.secret_file, stored=has_tables(db.session))
            db.session.rollback()
            alembic.upgrade()
            with write(db.session):
                note_keys(db.session, here.keys)
            check_keys(db.session, here.keys)
    except START_FAULTS as err:
        _fail(str(err))
    except (OperationalError, CommandError) as err:
        _fail(str(_not_reachable(err)))
    for missing in fonts.missing_parts():
        click.echo(f"Missing: {missing}", err=True)
    click.echo(f"Ready: {instance}. Keep a copy of {here.key_file.name} apart from your database backups.")


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Wait until no other process does this: two at once would both make keys and migrate."""
    lock = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _make_missing_files(instance: Path, key_file: Path, secret_file: Path, *, stored: bool) -> None:
    """Write the settings file and the keys of a new installation; never a new data key beside old data."""
    if not key_file.exists():
        if stored:
            raise KeyFault(
                f"{key_file} is missing, but the database was sealed with it. Restore the file from your copy; "
                "a new key could not read what is stored"
            )
        write_keys(key_file, new_keys())
    if not secret_file.exists():
        write_private(secret_file, secrets.token_hex(SECRET_BYTES) + "\n")
    if not (instance / FILE_NAME).exists():
        write_private(instance / FILE_NAME, settings_file())


@click.command()
def settings() -> None:
    """Print each setting, where it came from and what it does. Secrets are hidden."""
    for origin in load_settings()[1]:
        hidden = origin.secret and origin.value
        click.echo(f"{origin.name} = {'(hidden)' if hidden else origin.value!s}  [{origin.came_from}]")
        click.echo(f"    {origin.what}")


# -------------------------------------------------------------------------------------------------------- screenings


@click.command()
@click.argument("answers", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--pdf", type=click.Path(dir_okay=False, path_type=Path), help="Write the summary to this file.")
@click.option("--json", "as_json", is_flag=True, help="Print the assessment as JSON.")
@with_appcontext
def screen(answers: Path, pdf: Path | None, as_json: bool) -> None:
    """Evaluate one file of ANSWERS (JSON) without a web server or database.

    Exit code 0: evaluated, whatever the outcome. 1: the file is at fault; every fault is printed. 2: wrong usage.
    """
    here = installation()
    now = datetime.now(UTC)
    today = now.astimezone(ZoneInfo(here.settings.clinic_timezone)).date()
    try:
        content = json.loads(answers.read_text(encoding="utf-8"), object_pairs_hook=_once)
        case = read_case(here.books, content, today=today)
    except (OSError, ValueError, RecursionError) as err:
        _fail(f"{answers}: not a readable JSON file in UTF-8: {err}")
    except InvalidCase as err:
        _fail(*(f"{answers}: {fault}" for fault in err.faults))
    book = here.books[case.language]
    assessment = evaluate(book, case.answers)
    if as_json:
        click.echo(json.dumps(_assessment_json(assessment, book), ensure_ascii=False, indent=2))
    else:
        _echo_assessment(assessment)
    if pdf is not None:
        screening = Screening(
            reference="",
            submitted_at=now,
            language=case.language,
            patient=case.patient,
            answers=case.answers,
            digest=book.edition.digest,
        )
        _write_pdf(pdf, _summary_of(screening, here.books))


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """A JSON object in which no key stands twice: which of two answers holds must not be guessed."""
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"these keys stand there twice: {', '.join(sorted({k for k in keys if keys.count(k) > 1}))}")
    return found


@click.command()
@click.argument("reference")
@click.option("--pdf", type=click.Path(dir_okay=False, path_type=Path), help="Write the summary to this file.")
@with_appcontext
def summary(reference: str, pdf: Path | None) -> None:
    """Hand over the summary of the screening with this REFERENCE, such as 7F3K-9QWD."""
    here = installation()
    try:
        check_keys(db.session, here.keys)
        screening = screenings.find(db.session, here.keys, screenings.normal_reference(reference))
        if screening is None:
            _fail(f"There is no screening {screenings.normal_reference(reference)}; check the reference")
        # The edition it was made under, whatever the rule book says today.
        books = load_content(screenings.edition_content(db.session, screening.digest))
    except START_FAULTS as err:
        _fail(str(err))
    except OperationalError as err:
        _fail(str(_not_reachable(err)))
    made = _summary_of(screening, books, check_code=screenings.check_code(here.keys, screening))
    click.echo(f"{made.identity.reference}  {made.identity.submitted}  check code {made.check_code}")
    click.echo(f"{made.headline}. {made.sentence}")
    if pdf is not None:
        _write_pdf(pdf, made)


def _summary_of(screening: Screening, books: Mapping[str, RuleBook], check_code: str = "") -> Summary:
    settings = installation().settings
    # An old edition may not have been translated into the language that the clinic has chosen since.
    language = settings.clinic_language if settings.clinic_language in books else BASE_LANGUAGE
    return summarise(
        screening,
        evaluate(books[language], screening.answers),
        books=books,
        language=language,
        translations=translations(language),
        clinic_name=settings.clinic_name,
        timezone=settings.clinic_timezone,
        check_code=check_code,
    )


def _write_pdf(path: Path, made: Summary) -> None:
    try:
        printed = print_summary(made, paper=installation().settings.paper)
        path.touch(mode=0o600)  # health data: nobody else may read a file that is made here
        path.write_bytes(printed.content)
    except CannotPrint as err:
        _fail(str(err))
    except OSError as err:
        _fail(f"{path} cannot be written: {err.strerror}")
    click.echo(f"Wrote {path} ({len(printed.content)} bytes)", err=True)
    if printed.missing:
        points = ", ".join(f"U+{ord(character):04X}" for character in sorted(printed.missing))
        click.echo(f"No font has these characters, they are boxes on the page: {points}", err=True)


def _echo_assessment(assessment: Assessment) -> None:
    click.echo(f"Outcome: {assessment.outcome.word}")
    for finding in assessment.findings:
        click.echo(f"- {finding.severity.word}: {finding.title}. {finding.reason} [{citations(finding.cites)}]")


def _assessment_json(assessment: Assessment, book: RuleBook) -> dict[str, object]:
    return {
        "outcome": assessment.outcome.word,
        "findings": [
            {
                "rule": finding.rule,
                "severity": finding.severity.word,
                "title": finding.title,
                "reason": finding.reason,
                "cites": [fact.id for fact in finding.cites],
            }
            for finding in assessment.findings
        ],
        "edition": {"id": book.edition.id, "version": book.edition.version, "digest": book.edition.digest},
    }


# --------------------------------------------------------------------------------------------------------- rule book

rulebook = AppGroup("rulebook", help="Check and show the rule book.")


@rulebook.command("check")
def rulebook_check() -> None:
    """Prove the rule book and its translations; print every fault. The application does not start with one."""
    books = installation().books
    edition = books["en"].edition
    click.echo(f"{edition.id} {edition.version} ({edition.status}) is sound. SHA-256 {edition.digest}")
    for language, book in books.items():
        click.echo(f"  {language}: {book.translation_status}")


@rulebook.command("show")
@click.option("--language", default="en", show_default=True)
def rulebook_show(language: str) -> None:
    """Print the questions, rules and facts for reading."""
    books = installation().books
    if language not in books:
        _fail(f"There is no rule book in {language!r}; use one of: {', '.join(books)}")
    book = books[language]
    click.echo(f"{book.medicine.name} ({book.medicine.brand}), ATC {book.medicine.atc}")
    click.echo("\nQuestions")
    for item in book.asked():
        answers = " / ".join(option.id for option in item.options) or "own words"
        click.echo(f"  {item.id}: {item.ask} [{answers}]")
    click.echo("\nRules")
    for rule in book.rules:
        when = " and ".join(f"{asked} is {' or '.join(sorted(accepted))}" for asked, accepted in rule.when)
        of = rule.finding
        click.echo(f"  {of.rule}: when {when}: {of.severity.word}: {of.title} [{citations(of.cites)}]")
    click.echo("\nFacts")
    for fact in book.facts:
        click.echo(f"  {fact.citation}: {fact.says}")


@rulebook.command("table")
def rulebook_table() -> None:
    """Print every combination of the answers that rules read, with its outcome, separated by tabs."""
    book = installation().books["en"]
    columns = [item.id for item in book.asked() if (item.id, "missing") in book.open_findings]
    click.echo("\t".join([*columns, "outcome", "findings"]))
    for values in combinations(book):
        assessment = evaluate(book, read_answers(book, values))
        cells = [values.get(column, "-") for column in columns]
        click.echo("\t".join([*cells, assessment.outcome.word, ",".join(one.rule for one in assessment.findings)]))


def combinations(book: RuleBook) -> Iterator[dict[str, str]]:
    """Every combination of the choices of questions and of follow-ups that rules read, where those apply."""
    for pages in itertools.product(*([*_pages(question, book)] for question in book.questions)):
        yield {item: value for page in pages for item, value in page}


def _pages(question: Question, book: RuleBook) -> Iterator[tuple[tuple[str, str], ...]]:
    """Every way to answer one question's page."""
    for option in question.options:
        opened = [
            one for one in question.follow_ups if option.id in one.when and (one.id, "missing") in book.open_findings
        ]
        yield from itertools.product(
            [(question.id, option.id)], *([(one.id, given.id) for given in one.options] for one in opened)
        )
