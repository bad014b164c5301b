"""Inviting a patient to one visit. Only that patient can use the link."""

import time
from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from itertools import islice
from uuid import uuid4
from zoneinfo import ZoneInfo

from babel.dates import format_date
from sqlalchemy import select

from screening.domain.answers import Answers
from screening.domain.assessment import Screening
from screening.domain.rules import RuleBook
from screening.extension_points import Mailer
from screening.features.invitations import store
from screening.features.invitations.invitation import Invitation
from screening.features.invitations.store import TRIES, InvitationState, token_of
from screening.features.invitations.tables import InvitationRow
from screening.reports.templates import plain_text
from screening.services import questionnaire
from screening.settings import Settings
from screening.storage import drafts, screenings
from screening.storage.audit import Actor
from screening.storage.database import write
from screening.storage.drafts import Draft
from screening.storage.tables import ScreeningRow

PART = 20  # invitations made in one transaction, so that no patient waits long
BETWEEN = 0.02  # seconds after each, in which other writers go first
SHORT_ID = 8  # characters of an id in the audit log


class NotUsable(Exception):
    """The link cannot be used in this state; the state is None if no invitation has this token."""

    def __init__(self, state: InvitationState | None) -> None:
        super().__init__(state)
        self.state = state


class TooLate(Exception):
    """The time for changing answers that were sent is over."""


class WrongPatient(Exception):
    """The date of birth is not that of the invited patient."""


def new_id() -> str:
    """Return an id for a new invitation."""
    return uuid4().hex


def create(actor: Actor, several: Mapping[str, Invitation], *, until: datetime) -> None:
    """Invite patients, each under an id of its own, all or none.

    An id that is there already stays as it is.
    """
    with write(actor.session):
        added = [
            invitation_id
            for invitation_id, invitation in sorted(several.items())
            if store.add(
                actor.session,
                actor.keys,
                invitation,
                id=invitation_id,
                by=actor.by,
                now=actor.now,
                until=until,
            )
        ]
        for invitation_id in added:
            actor.note("invited", invitation_id[:SHORT_ID])


def create_in_parts(
    actor: Actor, several: Mapping[str, Invitation], *, until: datetime
) -> Iterator[int]:
    """Invite many, PART in each transaction, and yield after each how many are invited.

    Those that are invited stay so if a later part fails.
    """
    left = iter(several.items())
    done = 0
    while part := dict(islice(left, PART)):
        create(actor, part, until=until)
        done += len(part)
        yield done
        time.sleep(BETWEEN)


def open_ones(actor: Actor) -> dict[str, Invitation]:
    """Return the invitations that can still be answered, by id."""
    kept = store.awaited(actor.session, actor.keys, now=actor.now)
    actor.session.rollback()  # nobody should wait for what the caller does with them
    return {row.id: row.invitation for row in kept if row.invitation and row.is_usable}


def address(settings: Settings, actor: Actor, invitation_id: str) -> str:
    """Return the link of an invitation."""
    return f"{settings.public_url}/invited/{token_of(actor.keys, invitation_id)}"


def links(
    actor: Actor, settings: Settings, several: Mapping[str, Invitation]
) -> list[tuple[str, str, str]]:
    """Return name, visit and link of each that can still be answered, and note that in the log."""
    still_open = open_ones(actor)
    actor.note_at_once("links listed", detail=f"{len(several.keys() & still_open.keys())} lines")
    return [
        (invitation.patient.name, invitation.patient.visit, address(settings, actor, id_))
        for id_, invitation in several.items()
        if id_ in still_open
    ]


def look(actor: Actor, token: str) -> tuple[InvitationRow, Invitation]:
    """Return row and invitation of a link that can be used. Changes nothing. Raises NotUsable."""
    return _usable(actor, store.row_of(actor.session, token))


def _usable(actor: Actor, row: InvitationRow | None) -> tuple[InvitationRow, Invitation]:
    if row is None:
        raise NotUsable(None)
    state = store.state(row, is_finished=store.is_finished(actor.session, row), now=actor.now)
    if (
        state not in (InvitationState.SENT, InvitationState.OPENED, InvitationState.FINISHED)
        or row.tries >= TRIES
    ):
        raise NotUsable(InvitationState.BLOCKED if state is InvitationState.FINISHED else state)
    return row, store.read(row, actor.keys)


def redeem(
    actor: Actor, token: str, birth_date: date, *, keep: timedelta
) -> tuple[str, Draft | None]:
    """Return a token and its draft, or None for the draft if the answers were sent.

    The draft is the one that was begun before, which moves to this device, or a new one with name,
    date of birth and visit filled in. Raises NotUsable, WrongPatient. Each wrong date of birth
    counts, on any device; after TRIES the link is worthless.
    """
    draft_token = questionnaire.new_token()
    draft = None
    with write(actor.session):
        row = store.row_of(actor.session, token, lock=True)
        earlier = row and row.draft_hash
        # Locked before it is looked at: it may be sent in this moment.
        begun = earlier and drafts.find(
            actor.session, actor.keys, earlier, now=actor.now, lock=True
        )
        row, invitation = _usable(actor, row)
        is_right = birth_date == invitation.patient.birth_date
        if not is_right:
            row.tries += 1
        elif not store.is_finished(actor.session, row):
            draft = begun or Draft(patient=invitation.patient)
            row.opened_at = row.opened_at or actor.now
            row.draft_hash = drafts.hash_token(draft_token)
            if earlier and begun:
                drafts.put(
                    actor.session,
                    actor.keys,
                    earlier,
                    Draft(moved=True),
                    expires_at=actor.now + keep,
                )
            drafts.put(
                actor.session, actor.keys, row.draft_hash, draft, expires_at=actor.now + keep
            )
        tries = row.tries
        actor.note("link opened" if is_right else "link refused", row.id[:SHORT_ID])
    if is_right:
        return draft_token, draft
    if tries >= TRIES:
        raise NotUsable(InvitationState.BLOCKED)
    raise WrongPatient


def latest(actor: Actor, row: InvitationRow) -> Screening | None:
    """Return the newest screening of the invited patient, or None. Raises KeyFault."""
    first = actor.session.scalar(
        select(ScreeningRow.reference).where(ScreeningRow.draft_hash == row.draft_hash)
    )
    if first is None:
        return None
    last = screenings.together(actor.session, actor.keys, first)[-1]
    return screenings.find(actor.session, actor.keys, ScreeningRow.reference == last)


def change(
    actor: Actor, token: str, books: Mapping[str, RuleBook], *, until: datetime, keep: timedelta
) -> str:
    """Begin a draft from what was sent, and return its token.

    Answers that are too old to rely on are left out.

    Raises NotUsable, TooLate.
    """
    draft_token = questionnaire.new_token()
    with write(actor.session):
        row, _invitation = _usable(actor, store.row_of(actor.session, token, lock=True))
        sent = latest(actor, row)
        if sent is None or until <= actor.now:
            raise TooLate
        answers = sent.answers.still_asked(books)
        for question in books[sent.language].questions if sent.language in books else ():
            if sent.outdated(question, actor.now):
                answers = answers.with_page(question, Answers())
        draft = Draft(
            patient=sent.patient, answers=answers, replaces=sent.replaces or sent.reference
        )
        drafts.put(
            actor.session,
            actor.keys,
            drafts.hash_token(draft_token),
            draft,
            expires_at=actor.now + keep,
        )
        actor.note("change begun", row.id[:SHORT_ID])
    return draft_token


def viewed(actor: Actor, invitation_id: str, *, action: str = "invitation viewed") -> None:
    """Note that somebody saw the invited patient and the link."""
    actor.note_at_once(action, invitation_id[:SHORT_ID])


def revoke(actor: Actor, invitation_id: str) -> None:
    """Make a link worthless, unless answers were sent by it."""
    with write(actor.session):
        row = actor.session.get(InvitationRow, invitation_id, with_for_update=True)
        if row is not None and row.revoked_at is None and not store.is_finished(actor.session, row):
            row.revoked_at = actor.now
            actor.note("revoked", row.id[:SHORT_ID])


def remind(actor: Actor, settings: Settings, invitation_id: str, mailer: Mailer) -> None:
    """Send the link again by e-mail, if it can still be used. Raises NotUsable, JobFailed.

    The mail names neither the patient nor the subject of the questions.
    """
    row, invitation = _usable(actor, actor.session.get(InvitationRow, invitation_id))
    language = invitation.language
    until = row.expires_at.astimezone(ZoneInfo(settings.clinic_timezone))
    day = format_date(until, "long", locale=settings.locale(language))
    link = address(settings, actor, invitation_id)
    mail = plain_text("invitations/reminder.txt", language, clinic=settings, link=link, day=day)
    subject, _blank, body = mail.partition("\n\n")
    actor.session.rollback()  # nobody should wait for another machine
    mailer.send_text(invitation.email, subject, body, language=language)
    with write(actor.session):
        row = actor.session.get_one(InvitationRow, invitation_id, with_for_update=True)
        row.reminded_at = actor.now
        actor.note("reminded", invitation_id[:SHORT_ID])
