"""Delivery of printed summaries, by the jobs of the outbox."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from functools import partial
from uuid import NAMESPACE_URL, uuid4, uuid5

from flask import current_app

from screening.domain.answers import Answers, Patient
from screening.domain.assessment import Assessment, Screening
from screening.domain.evaluate import evaluate
from screening.domain.rules import BASE_LANGUAGE, RuleBook
from screening.extensions import db
from screening.features.deliveries.channel import JOB_PREFIX, Channel, Document
from screening.installation import Installation
from screening.printing.pdf import print_summary
from screening.reports.summary import summarise
from screening.services import jobs
from screening.services.editions import assess
from screening.settings import Settings
from screening.storage import outbox, screenings, summaries
from screening.storage.audit import Actor
from screening.storage.database import write
from screening.storage.tables import SummaryRow

DONE = "delivery done"  # in the audit log, whether or not the outcome is one for the channel
ATTEMPTS = 150  # about a day: other machines may be away for a night


def channels() -> dict[str, Channel]:
    """Return the channels of the current application, by name."""
    by_name: dict[str, Channel] = current_app.extensions["deliveries"]
    return by_name


def deliver_next(installation: Installation, channel: Channel, now: datetime) -> bool:
    """Deliver the summary that has been due to this channel for longest; False where none is due.

    Raises KeyFault.
    """
    deliver = partial(_deliver, installation, channel)
    return jobs.work(db.session, channel.job, deliver, now=now, attempts=ATTEMPTS)


def _deliver(installation: Installation, channel: Channel, job: outbox.Job) -> None:
    session = db.session
    keys = installation.keys
    screening = screenings.edition(session, keys, job.screening_id, job.number)
    pdf = summaries.pdf(session.get_one(SummaryRow, (job.screening_id, job.number)), keys)
    books, assessment = assess(session, keys, screening)
    session.rollback()  # no other process should wait for another machine
    is_wanted = assessment.outcome in channel.outcomes
    # A name that no other edition and no other channel has, wherever it arrives.
    name = f"{job.screening_id}/{job.number}/{channel.name}"
    document = _document(installation.settings, screening, books, assessment, pdf, name=name)
    # Where the channel fails, all of its jobs fail: those that wait must not tell the outcomes.
    channel.deliver(document, hand_over=is_wanted)
    actor = Actor(session=session, keys=keys, now=datetime.now(UTC), by="server")
    with write(session):
        # Another process may have leased the job since: it was delivered all the same.
        outbox.finish(session, job)
        to = "to" if is_wanted else "not to"
        words = f"edition {job.number + 1} {to} {channel.name}"
        actor.note(DONE, screening.reference, words, seals="detail")


def deliver_test(installation: Installation, channel: Channel) -> None:
    """Deliver a summary of nobody, so that a person can see whether it arrives.

    Raises DeliveryFailed.
    """
    books = installation.approved_books
    settings = installation.settings
    book = books[BASE_LANGUAGE]
    screening = Screening(
        reference="TEST-TEST",
        submitted_at=datetime.now(UTC),
        language=book.language,
        patient=Patient(name="Test, not a patient", birth_date=date(1900, 1, 1), visit="TEST"),
        answers=Answers(),
        digest=book.edition.digest,
    )
    pdf = print_summary(summarise(screening, books, settings), paper=settings.paper).content
    assessment = evaluate(book, screening.established)
    document = _document(settings, screening, books, assessment, pdf, name=str(uuid4()))
    channel.deliver(document, hand_over=True)


def _document(
    settings: Settings,
    screening: Screening,
    books: Mapping[str, RuleBook],
    assessment: Assessment,
    pdf: bytes,
    *,
    name: str,
) -> Document:
    return Document(
        id=str(uuid5(NAMESPACE_URL, name)),
        number=len(screening.entries),
        screening=screening,
        assessment=assessment,
        books=books,
        pdf=pdf,
        language=settings.clinic_language,
        address=f"{settings.public_url}/clinic/screenings/{screening.reference}",
        fhir_base=settings.fhir_base,
    )


def drop(actor: Actor, name: str) -> int:
    """Delete the jobs of the channel with this name; return how many there were."""
    with write(actor.session):
        dropped = outbox.drop(actor.session, f"{JOB_PREFIX}{name}")
        actor.note("dropped", name, f"{dropped} jobs")
    return dropped
