"""Printing of summaries and patient copies, by the print jobs of the outbox or on request."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from sqlalchemy.orm import Session

from screening.domain.assessment import Screening
from screening.domain.rules import RuleBook
from screening.printing import paper as printed_paper
from screening.printing.page import Attached
from screening.printing.pdf import fhir_attachment, print_summary
from screening.printing.renderer_process import Printed, PrintingFailed
from screening.printing.signature import Signature
from screening.reports.summary import Summary, other_answers, summarise
from screening.services import jobs
from screening.services.editions import Books, assess, books_of
from screening.settings import Settings
from screening.storage import links, outbox, screenings, summaries
from screening.storage.codes import check_code
from screening.storage.database import write
from screening.storage.encryption import Keys
from screening.storage.tables import ScreeningRow

PATIENCE = 10.0  # seconds; the longest wait of a person who opens a PDF
POLL_INTERVAL = 0.1  # seconds


class NotPrinted(Exception):
    """A summary is not printed yet. `failed`: no more retries; `fault`: the last error."""

    def __init__(self, *, failed: bool, fault: str) -> None:
        super().__init__(fault or "not printed yet")
        self.failed = failed
        self.fault = fault


@dataclass(frozen=True, slots=True, kw_only=True)
class Printer:
    """Prints summaries by the settings of the clinic, and signs them if it has a signing key."""

    session: Session
    keys: Keys
    settings: Settings
    signature: Callable[[], Signature | None]

    def work(self, *, now: datetime, screening_id: str = "") -> bool:
        """Do the print job that is due for longest, of one screening if its id is given.

        Returns whether there was one.
        """
        return jobs.work(
            self.session, outbox.SUMMARY, self._print, now=now, screening_id=screening_id
        )

    def _print(self, job: outbox.Job) -> None:
        screening = screenings.edition(self.session, self.keys, job.screening_id, job.number)
        books, assessment = assess(self.session, self.keys, screening)
        row = self.session.get_one(ScreeningRow, job.screening_id)
        line = ""
        for last in links.others(self.session, self.keys, [row])[row.id][-1:]:
            is_newer = links.answered(self.keys, last) > links.answered(self.keys, row)
            sent = (last.reference, last.submitted_at)
            line = other_answers(*sent, is_newer=is_newer, settings=self.settings)
        summary = replace(
            self._summarised(screening, books),
            other_answers=line,
        )
        attached = fhir_attachment(screening, assessment, books, base=self.settings.fhir_base)
        self.session.rollback()  # hold no transaction while printing
        printed, pdf = self._signed(summary, attached)
        with write(self.session):
            # Lock the screening first, in the order of its deletion.
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

    def _signed(self, summary: Summary, attached: Attached | None = None) -> tuple[Printed, bytes]:
        """Return a printed summary, and its bytes with the signature if there is a key."""
        signature = self.signature()
        printed = print_summary(
            summary,
            paper=self.settings.paper,
            attached=attached,
            to_be_signed=signature is not None,
        )
        return printed, printed.content if signature is None else signature.sign(printed.content)

    def summary(self, screening: Screening) -> Summary:
        """Return the summary of a stored screening, by its own edition of the rule book."""
        return self._summarised(screening, books_of(self.session, self.keys, screening))

    def _summarised(self, screening: Screening, books: Books) -> Summary:
        return summarise(screening, books, self.settings, check_code(self.keys, screening))

    def pdf(self, reference: str) -> bytes:
        """Return the printed summary of the present state of a screening; print it if necessary.

        Where entries are missing, a page that says so is printed and not kept. Raises
        NoSuchScreening, NotPrinted.
        """
        screening = screenings.read(
            self.session, self.keys, screenings.row_of(self.session, reference)
        )
        if screening.missing:
            summary = self.summary(screening)
            self.session.rollback()  # hold no transaction while printing
            try:
                return self._signed(summary)[1]
            except PrintingFailed as err:
                raise NotPrinted(failed=True, fault=str(err)) from err
        deadline = time.monotonic() + PATIENCE
        while True:
            row = screenings.row_of(self.session, reference)
            if (pdf := summaries.find(self.session, self.keys, row)) is not None:
                return pdf
            job = outbox.of(self.session, row, outbox.SUMMARY).get(row.entries)
            now = datetime.now(UTC)
            if job is None:
                self._add_job(reference)
            elif job.failed or (job.fault and job.due_at > now) or time.monotonic() > deadline:
                raise NotPrinted(failed=job.failed, fault=job.fault)
            if not self.work(now=now, screening_id=row.id):
                time.sleep(POLL_INTERVAL)  # another process prints it now
            self.session.rollback()

    def copy(self, screening: Screening, book: RuleBook) -> bytes:
        """Return the patient's copy in the language of the book, printed at the first request.

        Raises PrintingFailed.
        """
        row = screenings.row_of(self.session, screening.reference)
        stored = summaries.find_copy(self.session, self.keys, row.id, book.language)
        if stored is not None:
            return stored
        self.session.rollback()  # hold no transaction while printing
        pdf = printed_paper.copy(screening, book, self.settings).content
        with write(self.session):
            row = screenings.row_of(self.session, screening.reference, lock=True)
            summaries.add_copy(
                self.session, self.keys, screening_id=row.id, language=book.language, pdf=pdf
            )
        return pdf

    def _add_job(self, reference: str) -> None:
        """Add a print job if the summary is still missing."""
        with write(self.session):
            row = screenings.row_of(self.session, reference, lock=True)
            if summaries.find(self.session, self.keys, row) is None:
                outbox.add(self.session, outbox.PRINT, row, now=datetime.now(UTC))
