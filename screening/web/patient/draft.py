"""The draft of the patient on this device, and what was sent from it."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime

from screening.domain.assessment import Screening
from screening.extensions import db
from screening.installation import installation
from screening.services import questionnaire
from screening.services.questionnaire import DraftGone
from screening.storage import drafts, screenings
from screening.storage.audit import Act
from screening.storage.drafts import Draft, DraftMoved
from screening.storage.tables import ScreeningRow
from screening.web.patient.draft_cookie import draft_token, keep_copy, keep_draft


class OutOfOrder(Exception):
    """A step was opened before the ones it needs."""


class AlreadySent(Exception):
    """The answers of this patient are with the clinic and cannot be changed here."""


def _now() -> datetime:
    return datetime.now(UTC)


def acting(by: str = "patient") -> Act:
    """What a patient, or whoever has a tablet that patients take in turn, does now."""
    return Act(session=db.session, keys=installation().keys, now=_now(), by=by)


def record(change: Callable[[Draft], Draft]) -> None:
    """Store a change of this patient's draft. Raises DraftGone, DraftMoved."""
    questionnaire.record(acting(), draft_token(), change, keep=keep_draft())


def find_draft() -> Draft | None:
    """This patient's draft, or None if there is none here."""
    with suppress(DraftMoved):
        return find_draft_here()
    return None


def find_draft_here() -> Draft | None:
    """The draft, without answers to questions whose wording has changed since.

    Raises DraftMoved.
    """
    if not draft_token():
        return None
    here = installation()
    draft = drafts.find(db.session, here.keys, drafts.hash_token(draft_token()), now=_now())
    return draft and replace(draft, answers=draft.answers.still_asked(here.books))


def is_here() -> bool:
    """Whether this device has a draft, or something sent that it may still show."""
    return find_draft() is not None or find_sent() is not None


def this_draft() -> Draft:
    """This patient's draft.

    Raises AlreadySent where it has become a screening, DraftMoved, DraftGone.
    """
    draft = find_draft_here()
    if draft is None:
        raise AlreadySent if find_sent(at_any_time=True) else DraftGone
    return draft


def find_sent(*, at_any_time: bool = False) -> Screening | None:
    """What this patient has sent from this device within `copy_minutes` (or at any time), or None."""
    if not draft_token():
        return None
    here = installation()
    conditions = [ScreeningRow.draft_hash == drafts.hash_token(draft_token())]
    if not at_any_time:
        conditions.append(ScreeningRow.submitted_at > _now() - keep_copy())
    return screenings.find(db.session, here.keys, *conditions)


def what_was_sent() -> Screening:
    """What this patient has just sent.

    Raises OutOfOrder before, AlreadySent after its time, DraftGone without any.
    """
    screening = find_sent()
    if screening is None:
        this_draft()
        raise OutOfOrder
    return screening
