"""Filling in the questionnaire and sending it to the clinic: each verb is one step of the patient's draft."""

import secrets
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta

from sqlalchemy.orm import Session

from screening.domain.assessment import Screening
from screening.domain.rules import RuleBook
from screening.storage import drafts, screenings
from screening.storage.audit import Act
from screening.storage.database import write
from screening.storage.drafts import Draft
from screening.storage.tables import ScreeningRow


class DraftGone(Exception):
    """There is no such draft: never begun, expired, sent already, or a token that we did not give out."""


def new_token() -> str:
    """The token of a new draft (256 random bits)."""
    return secrets.token_urlsafe(32)


def begin(act: Act, *, keep: timedelta) -> str:
    """Begin an empty draft and return its token. Every expired draft is deleted on the way."""
    token = new_token()
    with write(act.session):
        drafts.remove_expired(act.session, now=act.now)
        drafts.put(act.session, act.keys, drafts.hash_token(token), Draft(), expires_at=act.now + keep)
    return token


def record(act: Act, token: str, change: Callable[[Draft], Draft], *, keep: timedelta) -> None:
    """Record one step. Every expired draft is deleted on the way. Raises DraftGone."""
    token_hash = drafts.hash_token(token)
    with write(act.session):
        drafts.remove_expired(act.session, now=act.now)
        # Read inside the transaction: a second tab must not undo what the first one saved.
        draft = drafts.find(act.session, act.keys, token_hash, now=act.now, lock=True)
        if draft is None:
            raise DraftGone
        drafts.put(act.session, act.keys, token_hash, change(draft), expires_at=act.now + keep)


def discard(*, session: Session, token: str) -> None:
    """Delete a draft at the patient's wish."""
    with write(session):
        drafts.remove(session, drafts.hash_token(token))


class Incomplete(Exception):
    """Something that must be answered is not, or was asked in words that the rule book no longer has."""


def submit(act: Act, token: str, books: Mapping[str, RuleBook], language: str, *, jobs: Iterable[str]) -> Screening:
    """Turn a draft into a screening, in one transaction with the `jobs` that follow from it.

    The same draft sent again gives the same screening.
    Raises DraftGone where there is neither draft nor screening, Incomplete where a required answer is missing.
    """
    token_hash, session, keys, now = drafts.hash_token(token), act.session, act.keys, act.now
    with write(session):
        drafts.remove_expired(session, now=now)
        draft = drafts.find(session, keys, token_hash, now=now, lock=True)
        if draft is None:
            sent = screenings.find(session, keys, ScreeningRow.draft_hash == token_hash)
            if sent is None:
                raise DraftGone
            return sent
        book = books[language]
        answers = draft.answers.still_asked(books)
        if draft.patient is None or answers.open_question(book) is not None:
            raise Incomplete
        screening = Screening(
            reference=screenings.new_reference(),
            submitted_at=now,
            language=language,
            patient=draft.patient,
            answers=answers,
            digest=book.edition.digest,
        )
        screenings.add(session, keys, screening, book=book, draft_hash=token_hash, jobs=jobs)
        drafts.remove(session, token_hash)
        act.note("submitted", screening.reference)
    return screening
