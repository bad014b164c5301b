"""Handing screenings over to other systems, each time noted in the audit log; and proving what is stored."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from sqlalchemy.orm import Session

from screening.domain.assessment import Assessment, Screening
from screening.domain.evaluate import evaluate
from screening.domain.rules import BASE_LANGUAGE, RuleBook
from screening.services.review import books_of
from screening.storage import audit, screenings
from screening.storage.database import write
from screening.storage.encryption import KeyFault, Keys


def export(
    *, session: Session, keys: Keys, since: datetime, kind: str, by: str, now: datetime
) -> Iterator[tuple[Screening, Assessment, RuleBook]]:
    """Every screening sent since then, assessed under its own edition in English. The audit log is told first."""
    with write(session):
        detail = f"since {since:%Y-%m-%d} as {kind}"
        audit.append(session, keys, now=now, actor=by, action="exported", detail=detail)
    for row in screenings.all_rows(session, since=since):
        screening = screenings.read(session, keys, row)
        book = books_of(session, screening)[BASE_LANGUAGE]
        yield screening, evaluate(book, screening.established), book


def prove(session: Session, keys: Keys) -> Iterator[str]:
    """Assess every stored screening again under its own edition: yields "" where it is as stored, else the fault."""
    for row in screenings.all_rows(session):
        try:
            screening = screenings.read(session, keys, row)
            assessment = evaluate(books_of(session, screening)[BASE_LANGUAGE], screening.established)
            stored, again = screenings.state(row, keys), screenings.state_of(screening, assessment)
            yield "" if stored == again else f"{row.reference}: assessed again, it is {again}; stored was {stored}"
        except KeyFault as err:
            yield f"{row.reference}: {err}"
