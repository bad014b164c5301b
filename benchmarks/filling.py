"""Fill an installation with made-up screenings, stored as by the application, in large parts."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

from flask import Flask
from sqlalchemy.orm import Session

from benchmarks.timing import Progress
from screening.domain.answers import Answers, Patient, read_answers
from screening.domain.assessment import Screening
from screening.domain.entries import Decision, Review, Status
from screening.domain.evaluate import evaluate
from screening.domain.rules import Kind, RuleBook
from screening.extensions import db
from screening.installation import current_installation
from screening.storage import screenings
from screening.storage.audit import Actor
from screening.storage.codes import new_reference
from screening.storage.tables import AuditRow, EntryRow, ScreeningRow, SearchRow

SEED = 20260302
PART = 1_000  # screenings in a transaction
DAYS = 80  # between the first and the last submission: none is old enough for deletion
SETS = 500  # of answers
WEIGHTS = {"yes": 4, "no": 91, "unsure": 4, "private": 1}  # for each question
DECISIONS = {
    Decision.PROCEED: 70,
    Decision.PROCEED_WITH_CHANGES: 14,
    Decision.DO_NOT_START: 8,
    Decision.DEFER: 8,
}
GIVEN_NAMES = [
    first + last
    for first in ("Al", "Ber", "Cor", "El", "Fi", "Jo")
    for last in ("ina", "mo", "ra", "tis")
]
FAMILY_NAMES = [
    first + last
    for first in ("Ander", "Berg", "Cam", "Dal", "Fal", "Hol", "Lind", "Mar", "Nor", "Sol")
    for last in ("berg", "by", "feld", "gren", "holm", "man", "mont", "quist", "son", "well")
]


class BulkSession:
    """Collects the rows that storage functions add, and inserts all rows of a table at once.

    It replaces the session, from which it reads. No other process writes meanwhile, so it locks
    nothing.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._added: list[object] = []
        self._read: dict[tuple[type, object], object] = {}
        self.info: dict[str, object] = {}

    def get(self, kind: type, key: object, **_options: Any) -> object:
        """Return a stored row, such as the end of the audit log; it is read once."""
        if (kind, key) not in self._read:
            self._read[kind, key] = self._session.get(kind, key)
        return self._read[kind, key]

    def get_bind(self) -> object:
        """Return the database."""
        return self._session.get_bind()

    def scalar(self, query: Any) -> object:
        """Return a stored value."""
        return self._session.scalar(query)

    def scalars(self, query: Any) -> Sequence[object]:
        """Return nothing: a new screening has no jobs yet."""
        return ()

    def add(self, row: object) -> None:
        """Collect a row."""
        self._added.append(row)

    def add_all(self, rows: Sequence[object]) -> None:
        """Collect rows."""
        self._added.extend(rows)

    def flush(self) -> None:
        """Insert nothing yet."""

    def store(self) -> None:
        """Insert the collected rows, and commit."""
        for kind in (ScreeningRow, SearchRow, EntryRow, AuditRow):
            self._session.bulk_save_objects([row for row in self._added if isinstance(row, kind)])
        self._session.commit()
        self._added.clear()

    def last_screening(self) -> ScreeningRow:
        """Return the row of the screening that was added last."""
        return next(row for row in reversed(self._added) if isinstance(row, ScreeningRow))


def fill(app: Flask, count: int, *, reviewed: float, now: datetime) -> list[Patient]:
    """Store `count` screenings, the oldest first, and return their patients.

    `reviewed` is the fraction of reviewed screenings. Only this function of the benchmarks depends
    on how the application stores a screening.
    """
    chance = random.Random(SEED)
    progress = Progress(f"filling with {count:,}, {reviewed:.0%} reviewed", count)
    with app.app_context():
        keys = current_installation().keys
        book = current_installation().books["en"]
        sets = [_answers(chance, book) for _ in range(SETS)]
        references = _references(count)
        bulk = BulkSession(db.session)
        patients = []
        for number in range(count):
            sent = now - timedelta(days=DAYS) * (1 - (number + 0.5) / count)
            screening = Screening(
                reference=references[number],
                submitted_at=sent,
                language=book.language,
                patient=_patient(chance, number),
                answers=chance.choice(sets),
                digest=book.edition.digest,
            )
            # The usual session stores the first screening, with the edition and the beginning of
            # the audit log.
            session: Any = bulk if number else db.session
            actor = Actor(session=session, keys=keys, now=sent, by="patient")
            screenings.add(session, keys, screening, book=book, draft_hash=f"{number:064x}")
            actor.note("submitted", screening.reference)
            if number and chance.random() < reviewed:
                _review(bulk, screening, book, chance, now=now)
            patients.append(screening.patient)
            if number % PART == 0 or number + 1 == count:
                bulk.store()
            progress.advance()
    return patients


def _review(
    bulk: Any, screening: Screening, book: RuleBook, chance: random.Random, *, now: datetime
) -> None:
    """Add a decision with the time of the submission.

    A deferred screening is due between two days ago and four weeks from now.
    """
    keys = current_installation().keys
    decision = chance.choices([*DECISIONS], [*DECISIONS.values()])[0]
    until = None
    if decision is Decision.DEFER:
        until = now.date() + timedelta(days=chance.randint(-2, 28))
    entry = Review(
        by="Dr Bench", at=screening.submitted_at, decision=decision, until=until, reason="Discussed"
    )
    reviewed = replace(screening, status=Status.REVIEWED, entries=(entry,))
    assessment = evaluate(book, reviewed.established)
    screenings.change(bulk, keys, bulk.last_screening(), reviewed, assessment)
    for action in ("opened", "reviewed"):
        Actor(session=bulk, keys=keys, now=entry.at, by="bench").note(action, screening.reference)


def _references(count: int) -> list[str]:
    references: dict[str, None] = {}
    while len(references) < count:
        references[new_reference()] = None
    return list(references)


def _patient(chance: random.Random, number: int) -> Patient:
    name = f"{chance.choice(GIVEN_NAMES)} {chance.choice(FAMILY_NAMES)}"
    born = date(1935, 1, 1) + timedelta(days=chance.randrange(25_000))
    return Patient(name=name, birth_date=born, visit=f"V-{number:06d}")


def _answers(chance: random.Random, book: RuleBook) -> Answers:
    """Return the answers of a patient, most of them "no"; each required question has an answer."""
    values: dict[str, object] = {}
    for question in book.questions:
        values[question.id] = chance.choices([*WEIGHTS], [*WEIGHTS.values()])[0]
        for follow_up in question.follow_ups:
            if values[question.id] in follow_up.when:
                options = sorted(follow_up.option_ids)
                match follow_up.kind:
                    case Kind.ONE:
                        usual = "no" if "no" in options else None
                        values[follow_up.id] = usual or chance.choice(options)
                    case Kind.SEVERAL:
                        values[follow_up.id] = chance.sample(options, 2)
                    case Kind.TEXT:
                        values[follow_up.id] = "For some days, since I was at the lake"
    return read_answers(book, values)
