"""Printing summaries, as the outbox asks for it."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from sqlalchemy.orm import Session

from screening.domain.assessment import Screening
from screening.domain.rules import RuleBook
from screening.printing import paper as printed_paper
from screening.printing.pdf import fhir_attachment, print_summary
from screening.printing.signature import Signature
from screening.reports.summary import Summary, other_answers, summarise
from screening.services import jobs
from screening.services.editions import Books, assess, books_of
from screening.settings import Settings
from screening.storage import links, outbox, screenings, summaries
from screening.storage.database import write
from screening.storage.encryption import Keys
from screening.storage.tables import ScreeningRow

PATIENCE = 10.0  # seconds for which somebody who opens a PDF waits for it
BETWEEN_LOOKS = 0.1


class NotPrinted(Exception):
    """A summary is not printed yet.

    `failed` tells whether it was given up, and `fault` how it last failed.
    """

    def __init__(self, *, failed: bool, fault: str) -> None:
        super().__init__(fault or "not printed yet")
        self.failed = failed
        self.fault = fault


@dataclass(frozen=True, slots=True, kw_only=True)
class Printer:
    """Prints summaries as this clinic wants them, and signs them if it has a key for that."""

    session: Session
    keys: Keys
    settings: Settings
    signature: Callable[[], Signature | None]

    def work(self, *, now: datetime, screening_id: str = "") -> bool:
        """Print what has been due for longest (of one screening, where asked).

        False where there is none.
        """
        return jobs.work(
            self.session, outbox.SUMMARY, self._print, now=now, screening_id=screening_id
        )

    def _print(self, job: outbox.Job) -> None:
        screening = screenings.edition(self.session, self.keys, job.screening_id, job.number)
        books, assessment = assess(self.session, self.keys, screening)
        row = self.session.get_one(ScreeningRow, job.screening_id)
        others = links.others(self.session, self.keys, [row])[row.id]
        sent = [(other.reference, other.submitted_at) for other in others]
        summary = replace(
            self._summarised(screening, books),
            other_answers=other_answers(sent, screening.submitted_at, self.settings),
        )
        attached = fhir_attachment(screening, assessment, books, base=self.settings.fhir_base)
        self.session.rollback()  # nobody should wait for what is being printed
        signature = self.signature()
        printed = print_summary(
            summary,
            paper=self.settings.paper,
            attached=attached,
            to_be_signed=signature is not None,
        )
        pdf = printed.content if signature is None else signature.sign(printed.content)
        with write(self.session):
            # The screening first, as whoever deletes it does.
            self.session.get(ScreeningRow, job.screening_id, with_for_update=True)
            is_new = not summaries.is_stored(self.session, job.screening_id, job.number)
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
        return self._summarised(screening, books_of(self.session, self.keys, screening))

    def _summarised(self, screening: Screening, books: Books) -> Summary:
        return summarise(
            screening, books, self.settings, screenings.check_code(self.keys, screening)
        )

    def pdf(self, reference: str) -> bytes:
        """The printed summary of a screening as it is now, printed at once if nobody has tried to yet.

        Raises NoSuchScreening, NotPrinted.
        """
        until = time.monotonic() + PATIENCE
        while True:
            row = screenings.row_of(self.session, reference)
            if (found := summaries.find(self.session, self.keys, row)) is not None:
                return found
            job = outbox.of(self.session, row, outbox.SUMMARY).get(row.entries)
            now = datetime.now(UTC)
            if job is None:
                self._ask_for(reference)
            elif job.failed or (job.fault and job.due_at > now) or time.monotonic() > until:
                raise NotPrinted(failed=job.failed, fault=job.fault)
            if not self.work(now=now, screening_id=row.id):
                time.sleep(BETWEEN_LOOKS)  # somebody else prints it in this moment
            self.session.rollback()

    def copy(self, screening: Screening, book: RuleBook) -> bytes:
        """The patient's copy in the language of the book, printed when it is first asked for.

        Raises PrintingFailed.
        """
        row = screenings.row_of(self.session, screening.reference)
        kept = summaries.find_copy(self.session, self.keys, row.id, book.language)
        if kept is not None:
            return kept
        self.session.rollback()  # nobody should wait for what is being printed
        pdf = printed_paper.copy(screening, book, self.settings).content
        with write(self.session):
            row = screenings.row_of(self.session, screening.reference, lock=True)
            summaries.add_copy(
                self.session, self.keys, screening_id=row.id, language=book.language, pdf=pdf
            )
        return pdf

    def _ask_for(self, reference: str) -> None:
        """Add the job again where neither it nor what it was for is there."""
        with write(self.session):
            row = screenings.row_of(self.session, reference, lock=True)
            if summaries.find(self.session, self.keys, row) is None:
                outbox.add(self.session, outbox.PRINT, row, now=datetime.now(UTC))
