"""Doing what the outbox holds: printing summaries. A failure is noted and tried again; nothing waits for it."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from sqlalchemy.orm import Session

from screening.domain.assessment import Screening
from screening.domain.evaluate import evaluate
from screening.domain.rules import BASE_LANGUAGE
from screening.reports import fhir
from screening.reports.pdf import print_summary
from screening.reports.press import PrintingFailed
from screening.reports.signature import CannotSign, Signature
from screening.reports.summary import Summary, summarise
from screening.services.review import books_of
from screening.settings import Settings
from screening.storage import outbox, screenings, summaries
from screening.storage.audit import Act
from screening.storage.database import write
from screening.storage.encryption import KeyFault, Keys
from screening.storage.tables import ScreeningRow

PATIENCE = 10.0  # seconds for which somebody who opens a PDF waits for it
BETWEEN_LOOKS = 0.1


class NotPrinted(Exception):
    """A summary is not printed yet. `failed` tells whether it was given up, and `fault` how it last failed."""

    def __init__(self, *, failed: bool, fault: str) -> None:
        super().__init__(fault or "not printed yet")
        self.failed, self.fault = failed, fault


@dataclass(frozen=True, slots=True, kw_only=True)
class Printer:
    """Prints summaries as this clinic wants them, and signs them if it has a key for that."""

    session: Session
    keys: Keys
    settings: Settings
    signature: Callable[[], Signature | None]

    def work(self, *, now: datetime, screening_id: str = "") -> bool:
        """Do the job that has been due for longest (of one screening, where asked). False where there is none.

        Whatever goes wrong with it is noted in the outbox.
        """
        if not outbox.is_due(self.session, now=now):
            return False
        with write(self.session):
            job = outbox.take(self.session, now=now, screening_id=screening_id)
        if job is None:
            return False
        try:
            self._print(job)
        except Exception as err:  # noqa: BLE001 - whatever it is, the job must be seen and tried again
            said = isinstance(err, PrintingFailed | CannotSign | KeyFault)
            with write(self.session):
                fault = str(err) if said else type(err).__name__
                outbox.put_off(self.session, job, fault, now=datetime.now(UTC))
        return True

    def _print(self, job: outbox.Job) -> None:
        if job.kind != outbox.SUMMARY:
            raise ValueError(job.kind)
        row = self.session.get_one(ScreeningRow, job.screening_id)
        whole = screenings.read(self.session, self.keys, row)
        screening = replace(whole, entries=whole.entries[: job.number])
        summary = self.summary(screening)
        book = books_of(self.session, screening)[BASE_LANGUAGE]
        attached = fhir.attached(screening, evaluate(book, screening.established), book)
        self.session.rollback()  # nobody should wait for what is being printed
        signature = self.signature()
        printed = print_summary(
            summary, paper=self.settings.paper, attached=attached, to_be_signed=signature is not None
        )
        pdf = printed.content if signature is None else signature.sign(printed.content)
        with write(self.session):
            # The screening first, as whoever deletes it does.
            screenings.lock(self.session, job.screening_id)
            is_new = job.number not in summaries.numbers(self.session, self.keys, job.screening_id)
            if outbox.finish(self.session, job) and is_new:
                summaries.add(
                    self.session,
                    self.keys,
                    screening_id=job.screening_id,
                    number=job.number,
                    code=summary.check_code,
                    pdf=pdf,
                    unsigned=printed.content,
                    now=datetime.now(UTC),
                )

    def summary(self, screening: Screening) -> Summary:
        """The summary of a stored screening, by the edition of the rule book that it was made under."""
        books = books_of(self.session, screening)
        return summarise(screening, books, self.settings, screenings.check_code(self.keys, screening))

    def pdf(self, reference: str) -> bytes:
        """The printed summary of a screening as it is now, printed at once if nobody has tried to yet.

        Raises NoSuchScreening, NotPrinted.
        """
        until = time.monotonic() + PATIENCE
        while True:
            row = screenings.row_of(self.session, reference)
            if (found := summaries.find(self.session, self.keys, row)) is not None:
                return found
            job, now = outbox.of(self.session, row).get(row.entries), datetime.now(UTC)
            if job is None:
                self._ask_for(reference)
            elif job.failed or (job.fault and job.due_at > now) or time.monotonic() > until:
                raise NotPrinted(failed=job.failed, fault=job.fault)
            if not self.work(now=now, screening_id=row.id):
                time.sleep(BETWEEN_LOOKS)  # somebody else prints it in this moment
            self.session.rollback()

    def _ask_for(self, reference: str) -> None:
        """Add the job again where neither it nor what it was for is there."""
        with write(self.session):
            row = screenings.row_of(self.session, reference)
            screenings.lock(self.session, row.id)
            if summaries.find(self.session, self.keys, row) is None:
                outbox.add(self.session, outbox.SUMMARY, row, now=datetime.now(UTC))


def retry(act: Act, references: list[str]) -> int:
    """Let what failed about these screenings (all, where none is named) be tried again; how many jobs that are."""
    with write(act.session):
        jobs = outbox.retry(act.session, references, now=act.now)
        act.note("retried", detail=f"{jobs} jobs")
    return jobs
