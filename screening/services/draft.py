"""Filling in the questionnaire: each verb writes one step of the patient's draft and puts off its expiry."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from screening.domain.answers import Answers, Patient
from screening.domain.rules import Question
from screening.storage import drafts
from screening.storage.database import write
from screening.storage.drafts import Draft
from screening.storage.encryption import Keys


class DraftGone(Exception):
    """There is no such draft: never begun, expired, sent already, or a token that we did not give out."""


def begin(*, session: Session, keys: Keys, now: datetime, keep: timedelta) -> str:
    """Begin an empty draft and return its token (256 random bits). Expired drafts are deleted on the way."""
    token = secrets.token_urlsafe(32)
    with write(session):
        drafts.remove_expired(session, now=now)
        drafts.put(session, keys, drafts.hash_token(token), Draft(), expires_at=now + keep)
    return token


def record_patient(
    *, session: Session, keys: Keys, token: str, patient: Patient, now: datetime, keep: timedelta
) -> Draft:
    """Record who answers and return the draft as it is then. Raises DraftGone."""
    return _change(session, keys, token, now, keep, lambda draft: Draft(patient=patient, answers=draft.answers))


def record_page(
    *, session: Session, keys: Keys, token: str, question: Question, page: Answers, now: datetime, keep: timedelta
) -> Draft:
    """Record one question's page, dropping follow-ups it no longer opens, and return the draft. Raises DraftGone."""
    return _change(
        session,
        keys,
        token,
        now,
        keep,
        lambda draft: Draft(patient=draft.patient, answers=draft.answers.with_page(question, page)),
    )


def discard(*, session: Session, token: str) -> None:
    """Delete a draft at the patient's wish."""
    with write(session):
        drafts.remove(session, drafts.hash_token(token))


def _change(
    session: Session, keys: Keys, token: str, now: datetime, keep: timedelta, change: Callable[[Draft], Draft]
) -> Draft:
    token_hash = drafts.hash_token(token)
    with write(session):
        # Read inside the transaction: a second tab must not undo what the first one saved.
        draft = drafts.find(session, keys, token_hash, now=now, lock=True)
        if draft is None:
            raise DraftGone
        changed = change(draft)
        drafts.put(session, keys, token_hash, changed, expires_at=now + keep)
    return changed
