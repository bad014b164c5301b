"""Sending the questionnaire to the clinic."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy.orm import Session

from screening.domain.assessment import Screening
from screening.domain.rules import RuleBook
from screening.services.draft import DraftGone
from screening.storage import audit, drafts, screenings
from screening.storage.database import write
from screening.storage.encryption import Keys


class Incomplete(Exception):
    """Something that must be answered is not, or was asked in words that the rule book no longer has."""


def submit(
    *, session: Session, keys: Keys, token: str, books: Mapping[str, RuleBook], language: str, now: datetime
) -> Screening:
    """Turn a draft into a screening, in one transaction. The same draft sent again gives the same screening.

    Raises DraftGone where there is neither draft nor screening, Incomplete where a required answer is missing.
    """
    token_hash = drafts.hash_token(token)
    with write(session):
        drafts.remove_expired(session, now=now)
        draft = drafts.find(session, keys, token_hash, now=now, lock=True)
        if draft is None:
            sent = screenings.find_by_draft(session, keys, token_hash)
            if sent is None:
                raise DraftGone
            return sent
        book = books[language]
        answers = draft.answers.still_asked(books)
        if draft.patient is None or answers.open_question(book) is not None:
            raise Incomplete
        screening = Screening(
            reference=_free_reference(session, keys),
            submitted_at=now,
            language=language,
            patient=draft.patient,
            answers=answers,
            digest=book.edition.digest,
        )
        screenings.add(session, keys, screening, book=book, draft_hash=token_hash)
        drafts.remove(session, token_hash)
        audit.append(session, keys, now=now, actor="patient", action="submitted", subject=screening.reference)
    return screening


def _free_reference(session: Session, keys: Keys) -> str:
    while screenings.find(session, keys, reference := screenings.new_reference()) is not None:
        pass
    return reference
