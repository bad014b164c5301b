"""Delivering summaries that are printed, as the outbox asks for it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from uuid import NAMESPACE_URL, uuid4, uuid5

from flask import current_app
from sqlalchemy.orm import Session

from screening.domain.answers import Answers, Patient
from screening.domain.assessment import Assessment, Screening
from screening.domain.evaluate import evaluate
from screening.domain.rules import BASE_LANGUAGE, RuleBook
from screening.extensions import db
from screening.features.deliveries.channel import JOB_PREFIX, Channel, Document
from screening.installation import installation
from screening.printing.pdf import print_summary
from screening.reports.summary import summarise
from screening.services import jobs
from screening.services.editions import assess
from screening.settings import Settings
from screening.storage import outbox, screenings, summaries
from screening.storage.audit import Act
from screening.storage.database import write
from screening.storage.encryption import Keys
from screening.storage.tables import SummaryRow

ATTEMPTS = 150  # about a day: other machines may be away for a night


@dataclass(frozen=True, slots=True, kw_only=True)
class Deliverer:
    """Delivers printed summaries to the channels of this clinic."""

    session: Session
    keys: Keys
    settings: Settings

    def work(self, channel: Channel, *, now: datetime) -> bool:
        """Deliver what has been due to this channel for longest. False where there is none."""
        return jobs.work(
            self.session,
            channel.job,
            lambda job: self._deliver(channel, job),
            now=now,
            attempts=ATTEMPTS,
        )

    def _deliver(self, channel: Channel, job: outbox.Job) -> None:
        screening = screenings.edition(self.session, self.keys, job.screening_id, job.number)
        pdf = summaries.pdf(
            self.session.get_one(SummaryRow, (job.screening_id, job.number)), self.keys
        )
        books, assessment = assess(self.session, self.keys, screening)
        self.session.rollback()  # nobody should wait for another machine
        wanted = assessment.outcome in channel.outcomes
        if wanted:
            # A name that tells it from all others, wherever it arrives.
            name = f"{job.screening_id}/{job.number}/{channel.name}"
            channel.deliver(self._document(screening, books, assessment, pdf, name=name))
        act = Act(session=self.session, keys=self.keys, now=datetime.now(UTC), by="server")
        with write(self.session):
            # somebody else may have taken it since: it was delivered all the same
            outbox.finish(self.session, job)
            if wanted:
                act.note(
                    "delivered", screening.reference, f"edition {job.number + 1} to {channel.name}"
                )

    def trial(self, channel: Channel, books: Mapping[str, RuleBook]) -> None:
        """Deliver a summary of nobody, so that somebody can see whether it arrives.

        Raises DeliveryFailed.
        """
        book = books[BASE_LANGUAGE]
        screening = Screening(
            reference="TEST-TEST",
            submitted_at=datetime.now(UTC),
            language=book.language,
            patient=Patient(name="Test, not a patient", birth_date=date(1900, 1, 1), visit="TEST"),
            answers=Answers(),
            digest=book.edition.digest,
        )
        pdf = print_summary(
            summarise(screening, books, self.settings), paper=self.settings.paper
        ).content
        assessment = evaluate(book, screening.established)
        channel.deliver(self._document(screening, books, assessment, pdf, name=str(uuid4())))

    def _document(
        self,
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
            language=self.settings.clinic_language,
            address=f"{self.settings.public_url}/clinic/screenings/{screening.reference}",
            fhir_base=self.settings.fhir_base,
        )


def channels() -> dict[str, Channel]:
    """Return the channels of the current application, by name."""
    by_name: dict[str, Channel] = current_app.extensions["deliveries"]
    return by_name


def deliverer() -> Deliverer:
    """Return the deliverer of this installation. Raises KeyFault."""
    ours = installation()
    return Deliverer(session=db.session, keys=ours.keys, settings=ours.settings)


def drop(act: Act, name: str) -> int:
    """Delete the jobs of the channel with this name; return how many there were."""
    with write(act.session):
        dropped = outbox.drop(act.session, f"{JOB_PREFIX}{name}")
        act.note("dropped", name, f"{dropped} jobs")
    return dropped
