"""Store a screening without walking through its pages; put an edition of the rule book in force."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from flask import Flask
from sqlalchemy.orm import Session

from screening.domain.answers import read_answers
from screening.domain.assessment import Screening
from screening.domain.rules import RuleBook
from screening.extensions import db
from screening.installation import current_installation
from screening.rulebooks.load import load_content
from screening.storage import editions, outbox, screenings
from screening.storage.audit import Actor
from screening.storage.codes import new_reference
from screening.storage.database import write
from screening.storage.encryption import Keys
from tests.builders import a_patient


def act_of(app: Flask, *, now: datetime | None = None) -> Actor:
    return Actor(
        session=db.session,
        keys=current_installation(app).keys,
        now=now or datetime.now(UTC),
        by="test",
    )


def store(
    session: Session,
    keys: Keys,
    book: RuleBook,
    values: dict[str, Any],
    *,
    at: datetime | None = None,
    jobs: Iterable[str] = outbox.PRINT,
    **patient: Any,
) -> Screening:
    """One screening with these answers, sent at that time (else now), with the jobs that follow."""
    now = at or datetime.now(UTC)
    screening = Screening(
        reference=new_reference(),
        submitted_at=now,
        language=book.language,
        patient=a_patient(**patient),
        answers=read_answers(book, values),
        digest=book.edition.digest,
    )
    with write(session):
        screenings.add(
            session, keys, screening, book=book, draft_hash=secrets.token_hex(32), jobs=jobs
        )
        Actor(session=session, keys=keys, now=now, by="patient").note(
            "submitted", screening.reference
        )
    return screening


def put_in_force(app: Flask, content: str) -> None:
    """Put the edition with this content in force, as an approval does."""
    with app.app_context(), write(db.session):
        actor = Actor(
            session=db.session, keys=current_installation().keys, now=datetime.now(UTC), by="dr"
        )
        edition = load_content(content)["en"].edition
        editions.keep(actor.session, edition, now=actor.now)
        editions.put_in_force(actor, edition, from_at=actor.now)


def book_in_force(app: Flask, language: str = "en") -> RuleBook:
    """The rule book that patients of this installation are asked by."""
    with app.app_context():
        return current_installation().books[language]
