"""Filling in the questionnaire: each verb writes one step of the patient's draft and puts off its expiry."""

import secrets
from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from screening.storage import drafts
from screening.storage.database import write
from screening.storage.drafts import Draft
from screening.storage.encryption import Keys


class DraftGone(Exception):
    """There is no such draft: never begun, expired, sent already, or a token that we did not give out."""


def begin(*, session: Session, keys: Keys, now: datetime, keep: timedelta) -> str:
    """Begin an empty draft and return its token (256 random bits). Every expired draft is deleted on the way."""
    token = secrets.token_urlsafe(32)
    with write(session):
        drafts.remove_expired(session, now=now)
        drafts.put(session, keys, drafts.hash_token(token), Draft(), expires_at=now + keep)
    return token


def record(
    *, session: Session, keys: Keys, token: str, change: Callable[[Draft], Draft], now: datetime, keep: timedelta
) -> None:
    """Record one step. Every expired draft is deleted on the way. Raises DraftGone."""
    token_hash = drafts.hash_token(token)
    with write(session):
        drafts.remove_expired(session, now=now)
        # Read inside the transaction: a second tab must not undo what the first one saved.
        draft = drafts.find(session, keys, token_hash, now=now, lock=True)
        if draft is None:
            raise DraftGone
        drafts.put(session, keys, token_hash, change(draft), expires_at=now + keep)


def discard(*, session: Session, token: str) -> None:
    """Delete a draft at the patient's wish."""
    with write(session):
        drafts.remove(session, drafts.hash_token(token))
