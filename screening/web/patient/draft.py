"""The draft of the patient on this device, and the screening that was sent from it."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime

from screening.domain.assessment import Screening
from screening.extensions import db
from screening.installation import current_installation
from screening.services import questionnaire
from screening.services.questionnaire import DraftGone
from screening.storage import drafts, screenings
from screening.storage.audit import Actor
from screening.storage.drafts import Draft, DraftMoved
from screening.storage.tables import ScreeningRow
from screening.web.patient.draft_cookie import draft_token, keep_copy, keep_draft


class OutOfOrder(Exception):
    """A page was opened before those that must be answered first."""


class AlreadySent(Exception):
    """The clinic has the answers of this patient, which cannot be changed here."""


def _now() -> datetime:
    return datetime.now(UTC)


def current_actor(by: str = "patient") -> Actor:
    """Return the patient as the actor, or the staff who hand out a shared tablet."""
    return Actor(session=db.session, keys=current_installation().keys, now=_now(), by=by)


def record(change: Callable[[Draft], Draft]) -> None:
    """Store a changed draft of this patient. Raises DraftGone, DraftMoved."""
    questionnaire.record(current_actor(), draft_token(), change, keep=keep_draft())


def find_draft() -> Draft | None:
    """Return this patient's draft, or None where this device has none, or no longer."""
    with suppress(DraftMoved):
        return find_draft_here()
    return None


def find_draft_here() -> Draft | None:
    """Return this patient's draft, or None where this device has none.

    It is without answers to questions whose wording has changed since. Raises DraftMoved where
    another device has taken it over.
    """
    if not draft_token():
        return None
    installation = current_installation()
    draft = drafts.find(db.session, installation.keys, drafts.hash_token(draft_token()), now=_now())
    return draft and replace(draft, answers=draft.answers.still_asked(installation.books))


def is_here() -> bool:
    """Return whether this device has a draft, or a screening that it may still show."""
    return find_draft() is not None or find_sent() is not None


def this_draft() -> Draft:
    """Return this patient's draft.

    Raises AlreadySent where it has become a screening, DraftMoved, DraftGone.
    """
    draft = find_draft_here()
    if draft is None:
        raise AlreadySent if find_sent(at_any_time=True) else DraftGone
    return draft


def find_sent(*, at_any_time: bool = False) -> Screening | None:
    """Return what this patient has sent from this device within `copy_minutes`, or None.

    With `at_any_time` return it after that, too.
    """
    if not draft_token():
        return None
    installation = current_installation()
    conditions = [ScreeningRow.draft_hash == drafts.hash_token(draft_token())]
    if not at_any_time:
        conditions.append(ScreeningRow.submitted_at > _now() - keep_copy())
    return screenings.find(db.session, installation.keys, *conditions)


def what_was_sent() -> Screening:
    """Return what this patient has just sent.

    Raises OutOfOrder where it is not sent yet, AlreadySent after `copy_minutes`, DraftMoved, and
    DraftGone without a draft.
    """
    screening = find_sent()
    if screening is None:
        this_draft()
        raise OutOfOrder
    return screening
