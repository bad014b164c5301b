"""The result of applying a rule book to answers."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from screening.domain.answers import Answers, Patient
from screening.domain.entries import Clarification, Entry, Review, Status, established
from screening.domain.rules import Finding, Question, Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """The answers, the edition's digest, and the findings that follow, most severe first.

    The order of findings is total: severity, then the order in which the book asks, then the order
    of its rules.
    """

    digest: str
    answers: Answers
    findings: tuple[Finding, ...]

    @property
    def outcome(self) -> Severity:
        """Return the overall severity: that of the most severe finding, or NONE."""
        return self.findings[0].severity if self.findings else Severity.NONE

    def of(self, severity: Severity) -> tuple[Finding, ...]:
        """Return the findings of one severity, in order."""
        return tuple(finding for finding in self.findings if finding.severity is severity)


@dataclass(frozen=True, slots=True, kw_only=True)
class Screening:
    """One submitted questionnaire.

    `submitted_at` is in UTC; `digest` identifies the edition whose questions were asked.
    `reference` is empty for a screening that is evaluated without being stored. `answers` are the
    patient's own; `entries` are those of professionals, in order. `replaces` is the reference of
    the earlier screening whose answers the patient has changed by this one, or empty. `missing` is
    the number of entries that were recorded and are not stored any more.
    """

    reference: str
    submitted_at: datetime
    language: str
    patient: Patient
    answers: Answers
    digest: str
    status: Status = Status.NEW
    entries: tuple[Entry, ...] = ()
    replaces: str = ""
    missing: int = 0

    @property
    def established(self) -> Answers:
        """Return the patient's answers, replaced by clarifications where there are any."""
        return established(self.answers, self.entries)

    @property
    def review(self) -> Review | None:
        """Return the decision, or None where there is none or a clarification followed it."""
        last = self.entries[-1] if self.entries else None
        return last if isinstance(last, Review) else None

    @property
    def changed_at(self) -> datetime:
        """Return when the screening was sent or its last entry was added."""
        return self.entries[-1].at if self.entries else self.submitted_at

    def clarification(self, item_id: str) -> Clarification | None:
        """Return the last clarification of a question or follow-up, or None."""
        for entry in reversed(self.entries):
            if isinstance(entry, Clarification) and item_id in entry.items:
                return entry
        return None

    def known_since(self, item_id: str) -> datetime:
        """Return when a question or follow-up was answered or, later, clarified."""
        clarification = self.clarification(item_id)
        if clarification is not None:
            return clarification.at
        return self.patient.answered_at(self.submitted_at)

    def outdated(self, question: Question, now: datetime) -> bool:
        """Return whether the answer is older than the `valid_for_hours` of its question."""
        return now - self.known_since(question.id) > timedelta(hours=question.valid_for_hours)
