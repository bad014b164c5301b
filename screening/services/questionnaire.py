"""The patient's draft: begin it, record each step, and send it to the clinic."""

import secrets
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta

from screening.domain.assessment import Screening
from screening.domain.rules import RuleBook
from screening.services import attempts
from screening.storage import drafts, screenings
from screening.storage.audit import Actor
from screening.storage.codes import new_reference
from screening.storage.database import write
from screening.storage.drafts import Draft, Typed
from screening.storage.tables import ScreeningRow

# from one address, which all patients in the clinic's network may share
MOST_BEGUN = 200
MOST_WRONG = 60


class DraftGone(Exception):
    """There is no such draft: it never was, has expired or was sent, or the token is invalid."""


class TooManyTries(Exception):
    """Too many forms were begun or wrong codes typed from one address."""


def new_token() -> str:
    """Return a token for a new draft (256 random bits)."""
    return secrets.token_urlsafe(32)


def begin(actor: Actor, *, address: str, keep: timedelta) -> str:
    """Begin an empty draft and return its token.

    Raises TooManyTries where MOST_BEGUN were begun from this address within the last hour. Without
    an address, nothing is counted.
    """
    token = new_token()
    with write(actor.session):
        if address:
            _count(actor, "begun", address, MOST_BEGUN)
        _put(actor, drafts.hash_token(token), Draft(), keep)
    return token


def _put(actor: Actor, token_hash: str, draft: Draft, keep: timedelta) -> None:
    drafts.put(actor.session, actor.keys, token_hash, draft, expires_at=actor.now + keep)


def _count(actor: Actor, what: str, address: str, most: int) -> list[int]:
    """Count something from an address.

    Raises TooManyTries where as many as `most` were counted within the last hour.
    """
    key = actor.keys.authenticate(what, attempts.network(address).encode())
    counted = attempts.count(actor, {key: most}, within=attempts.LONGEST)
    if not counted:
        raise TooManyTries
    return counted


def go_on(actor: Actor, code: str, *, address: str, keep: timedelta) -> str:
    """Move the draft of a code to another device, and return its new token.

    The token is empty for an unknown code, whether that never was, has expired, was sent or
    deleted. Raises TooManyTries after MOST_WRONG unknown codes from this address within the last
    hour, DraftMoved where another device takes the draft at the same moment.
    """
    token = new_token()
    with write(actor.session):
        counted = _count(actor, "wrong code", address, MOST_WRONG)
        place = drafts.find(
            actor.session, actor.keys, drafts.hash_code(actor.keys, code), now=actor.now
        )
        draft = place and drafts.find(
            actor.session, actor.keys, place.leads_to, now=actor.now, lock=True
        )
        if place and draft:
            _put(actor, place.leads_to, Draft(moved=True), keep)
            _put(actor, drafts.hash_token(token), draft, keep)
            attempts.forget(actor, counted)
        actor.note("code accepted" if draft else "code refused")
    return token if draft else ""


def record(actor: Actor, token: str, change: Callable[[Draft], Draft], *, keep: timedelta) -> None:
    """Record one step of a draft. Raises DraftGone, DraftMoved."""
    token_hash = drafts.hash_token(token)
    with write(actor.session):
        # Read inside the transaction: a second tab must not undo what the first one saved.
        draft = drafts.find(actor.session, actor.keys, token_hash, now=actor.now, lock=True)
        if draft is None:
            raise DraftGone
        _put(actor, token_hash, change(draft), keep)


def keep(actor: Actor, typed: Typed, *, keep: timedelta) -> str:
    """Store typed text where there is no draft, and return a token for it."""
    token = new_token()
    with write(actor.session):
        _put(actor, drafts.hash_token(token), Draft(typed=typed), keep)
    return token


def discard(actor: Actor, token: str) -> None:
    """Delete a draft at the patient's wish. Raises DraftMoved."""
    token_hash = drafts.hash_token(token)
    with write(actor.session):
        draft = drafts.find(actor.session, actor.keys, token_hash, now=actor.now, lock=True)
        code_hash = drafts.hash_code(actor.keys, draft.code) if draft else ""
        drafts.remove(actor.session, token_hash, code_hash)


class Incomplete(Exception):
    """A required answer is missing, or its question has another wording in the rule book now."""


def submit(
    actor: Actor, token: str, books: Mapping[str, RuleBook], language: str, *, jobs: Iterable[str]
) -> Screening:
    """Turn a draft into a screening, in one transaction with the `jobs` that follow from it.

    A draft that is sent again returns the same screening. Raises DraftGone where there is neither
    draft nor screening, DraftMoved, Incomplete.
    """
    token_hash = drafts.hash_token(token)
    session = actor.session
    keys = actor.keys
    now = actor.now
    with write(session):
        draft = drafts.find(session, keys, token_hash, now=now, lock=True)
        if draft is None:
            sent = screenings.find(session, keys, ScreeningRow.draft_hash == token_hash)
            if sent is None:
                raise DraftGone
            return sent
        book = books[language]
        answers = draft.answers.still_asked(books)
        if draft.patient is None or answers.open_question(book, draft.left_empty) is not None:
            raise Incomplete
        screening = Screening(
            reference=new_reference(),
            submitted_at=now,
            language=language,
            patient=draft.patient,
            answers=answers,
            digest=book.edition.digest,
            replaces=draft.replaces,
        )
        screenings.add(session, keys, screening, book=book, draft_hash=token_hash, jobs=jobs)
        drafts.remove(session, token_hash, drafts.hash_code(keys, draft.code))
        actor.note("submitted", screening.reference, "from paper" if draft.patient.paper else "")
    return screening
