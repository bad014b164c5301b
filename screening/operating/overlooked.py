"""Find the screenings that wait for too long, and mail their number to the clinic."""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from sqlite3 import Connection

from sqlalchemy import select

from screening.domain.entries import Status
from screening.domain.rules import Severity
from screening.extension_points import Mailer
from screening.installation import Installation
from screening.reports.templates import plain_text
from screening.services.jobs import JobFailed
from screening.settings import Settings
from screening.storage import audit
from screening.storage.audit import Actor
from screening.storage.database import write
from screening.storage.tables import AuditHeadRow, AuditRow, ScreeningRow
from screening.storage.worklist import DUE

MOST = 200  # of each outcome; a longer list needs no exact number
ONE_HOUR = timedelta(hours=1)  # between two mails
TOLD_AGAIN = timedelta(days=1)  # about the same screening
TRIED = "mail begun"
TOLD = "overlooked told"

log = logging.getLogger("screening")


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlooked:
    """Screenings not opened in time, and those without a decision at their appointment."""

    unopened: list[str]
    appointed: list[str]

    @property
    def has_more(self) -> bool:
        """Return whether more may have been left out of the unopened ones."""
        return len(self.unopened) >= MOST


def find(
    actor: Actor, installation: Installation, list_: Connection, *, clinical: bool = True
) -> Overlooked:
    """Return what is overlooked in the list, the oldest first.

    Unless it is for `clinical` eyes, the time does not depend on the outcome, which it would tell.
    """
    sent_before = _sent_before(installation.settings, actor.now, clinical=clinical)
    return Overlooked(
        unopened=installation.worklist.unopened(list_, sent_before, most=MOST),
        appointed=installation.worklist.appointed(list_, actor.now),
    )


def read(actor: Actor, installation: Installation, *, patience: float) -> Overlooked:
    """Read the list for about `patience` seconds, and return what is overlooked."""
    zone = installation.settings.clinic_timezone
    with installation.worklist.current(
        actor.session, actor.keys, timezone=zone, today=installation.today(), patience=patience
    ) as list_:
        return find(actor, installation, list_)


def _sent_before(settings: Settings, now: datetime, *, clinical: bool) -> dict[int, datetime]:
    """Return, by the rank in the list, when a screening must have been sent to be raised."""
    hours: dict[int, int] = {
        severity: getattr(settings, f"unopened_hours_{severity.word}")
        for severity in reversed(Severity)
    }
    if not clinical:
        hours = dict.fromkeys(hours, max(hours.values()) if all(hours.values()) else 0)
    # One that cannot be opened may be of any outcome.
    hours = {DUE: min(filter(None, hours.values()), default=0), **hours}
    return {int(rank): now - timedelta(hours=most) for rank, most in hours.items() if most}


def tell(actor: Actor, installation: Installation, mailer: Mailer) -> None:
    """Tell the clinic's address how many screenings are overlooked.

    A mail is due while one of them was not told of within a day. No more than one is sent, or
    tried, within an hour. Those at their appointment that somebody has opened are not counted: the
    visit may be under way.
    """
    waiting = read(actor, installation, patience=0)
    is_unopened = (
        ScreeningRow.reference.in_(waiting.appointed),
        ScreeningRow.status == Status.NEW,
    )
    appointed = actor.session.scalars(select(ScreeningRow.reference).where(*is_unopened))
    references = sorted({*waiting.unopened, *appointed})
    was_told = (AuditRow.action == TOLD, AuditRow.at > actor.now - TOLD_AGAIN)
    told = set(actor.session.scalars(select(AuditRow.subject).where(*was_told)))
    if not installation.worklist.is_whole or told.issuperset(references):
        return
    with write(actor.session):
        # Of several processes one sends.
        actor.session.get(AuditHeadRow, 1, with_for_update=True, populate_existing=True)
        last = audit.last(actor.session, TRIED)
        if last is not None and timedelta(0) <= actor.now - last.at < ONE_HOUR:
            return
        actor.note(TRIED, detail=f"{len(references)} overlooked")
    settings = installation.settings
    words = plain_text(
        "mail/overlooked.txt",
        settings.clinic_language,
        count=len(references),
        address=f"{settings.public_url}/clinic/",
    )
    subject, _blank, text = words.partition("\n\n")
    try:
        mailer.send_text(settings.overlooked_mail, subject, text, language=settings.clinic_language)
    except JobFailed as err:
        log.error("the mail about overlooked screenings was not sent: %s", err.fault)
        actor.note_at_once("mail failed", detail=err.fault)
        return
    with write(actor.session):
        for reference in references:
            actor.note(TOLD, reference)
