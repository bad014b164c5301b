"""Filling in the questionnaire and sending it to the clinic: each verb is one step of the patient's draft."""

import secrets
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta

from sqlalchemy import func, select

from screening.domain.assessment import Screening
from screening.domain.rules import RuleBook
from screening.storage import drafts, screenings
from screening.storage.audit import Act
from screening.storage.database import delete_in_order, write
from screening.storage.drafts import Draft, Typed
from screening.storage.tables import AttemptRow, ScreeningRow

# From one address, which all patients in the clinic's network may share.
MOST_BEGUN = 200
MOST_WRONG = 60
COUNTED = timedelta(hours=1)


class DraftGone(Exception):
    """There is no such draft: never begun, expired, sent already, or a token that we did not give out."""


class TooManyTries(Exception):
    """So many forms were begun, or wrong codes typed, from one address that it may be no patients who do it."""


def new_token() -> str:
    """The token of a new draft (256 random bits)."""
    return secrets.token_urlsafe(32)


def begin(act: Act, *, address: str, keep: timedelta) -> str:
    """Begin an empty draft and return its token.

    Raises TooManyTries where MOST_BEGUN were begun from this address within the last hour; "" is
    not counted.
    """
    token = new_token()
    counted = act.keys.authenticate("begun", address.encode())
    with write(act.session):
        if address:
            _refuse_more(act, counted, MOST_BEGUN)
            act.session.add(AttemptRow(key=counted, at=act.now))
        drafts.put(
            act.session, act.keys, drafts.hash_token(token), Draft(), expires_at=act.now + keep
        )
    return token


def _refuse_more(act: Act, counted: bytes, most: int) -> None:
    """Raise TooManyTries where as many as `most` were counted within the last hour."""
    of_this_hour = AttemptRow.at.between(act.now - COUNTED, act.now)
    delete_in_order(act.session, AttemptRow.id, AttemptRow.at < act.now - COUNTED, wait=False)
    tries = select(func.count()).where(AttemptRow.key == counted, of_this_hour)
    if (act.session.scalar(tries) or 0) >= most:
        raise TooManyTries


def go_on(act: Act, code: str, *, address: str, keep: timedelta) -> str:
    """Take the draft of a code away from the device that had it; its new token, or nothing where there is no such code.

    Whether it never was, has expired, was sent or deleted is not told. Raises TooManyTries after
    MOST_WRONG of these from this address within the last hour, DraftMoved where another device
    takes the draft in this moment.
    """
    token = new_token()
    counted = act.keys.authenticate("wrong code", address.encode())
    with write(act.session):
        _refuse_more(act, counted, MOST_WRONG)
        place = drafts.find(act.session, act.keys, drafts.hash_code(act.keys, code), now=act.now)
        draft = place and drafts.find(act.session, act.keys, place.leads_to, now=act.now, lock=True)
        if place and draft:
            drafts.put(
                act.session, act.keys, place.leads_to, Draft(moved=True), expires_at=act.now + keep
            )
            drafts.put(
                act.session, act.keys, drafts.hash_token(token), draft, expires_at=act.now + keep
            )
        else:
            act.session.add(AttemptRow(key=counted, at=act.now))
        act.note("code accepted" if draft else "code refused")
    return token if draft else ""


def record(act: Act, token: str, change: Callable[[Draft], Draft], *, keep: timedelta) -> None:
    """Record one step. Raises DraftGone, DraftMoved."""
    token_hash = drafts.hash_token(token)
    with write(act.session):
        # Read inside the transaction: a second tab must not undo what the first one saved.
        draft = drafts.find(act.session, act.keys, token_hash, now=act.now, lock=True)
        if draft is None:
            raise DraftGone
        drafts.put(act.session, act.keys, token_hash, change(draft), expires_at=act.now + keep)


def keep(act: Act, typed: Typed, *, keep: timedelta) -> str:
    """Keep what somebody typed where there is no draft, and return a token for it."""
    token = new_token()
    with write(act.session):
        drafts.put(
            act.session,
            act.keys,
            drafts.hash_token(token),
            Draft(typed=typed),
            expires_at=act.now + keep,
        )
    return token


def discard(act: Act, token: str) -> None:
    """Delete a draft at the patient's wish. Raises DraftMoved."""
    token_hash = drafts.hash_token(token)
    with write(act.session):
        draft = drafts.find(act.session, act.keys, token_hash, now=act.now, lock=True)
        drafts.remove(
            act.session, token_hash, drafts.hash_code(act.keys, draft.code) if draft else ""
        )


class Incomplete(Exception):
    """Something that must be answered is not, or was asked in words that the rule book no longer has."""


def submit(
    act: Act, token: str, books: Mapping[str, RuleBook], language: str, *, jobs: Iterable[str]
) -> Screening:
    """Turn a draft into a screening, in one transaction with the `jobs` that follow from it.

    The same draft sent again gives the same screening. Raises DraftGone where there is neither
    draft nor screening, DraftMoved, Incomplete where a required answer is missing.
    """
    token_hash = drafts.hash_token(token)
    session = act.session
    keys = act.keys
    now = act.now
    with write(session):
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
            replaces=draft.replaces,
        )
        screenings.add(session, keys, screening, book=book, draft_hash=token_hash, jobs=jobs)
        drafts.remove(session, token_hash, drafts.hash_code(keys, draft.code))
        act.note("submitted", screening.reference)
    return screening
