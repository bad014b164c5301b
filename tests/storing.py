"""Store a screening without walking through its pages."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.orm import Session

from screening.domain.answers import read_answers
from screening.domain.assessment import Screening
from screening.domain.rules import RuleBook
from screening.storage import outbox, screenings
from screening.storage.audit import Act
from screening.storage.database import write
from screening.storage.encryption import Keys
from tests.builders import a_patient


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
        reference=screenings.new_reference(),
        submitted_at=now,
        language=book.language,
        patient=a_patient(**patient),
        answers=read_answers(book, values),
        digest=book.edition.digest,
    )
    with write(session):
        screenings.add(session, keys, screening, book=book, draft_hash=secrets.token_hex(32), jobs=jobs)
        Act(session=session, keys=keys, now=now, by="patient").note("submitted", screening.reference)
    return screening
