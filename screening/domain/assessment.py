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
        """The overall severity: that of the most severe finding, or NONE."""
        return self.findings[0].severity if self.findings else Severity.NONE

    def of(self, severity: Severity) -> tuple[Finding, ...]:
        """The findings of one severity, in order."""
        return tuple(finding for finding in self.findings if finding.severity is severity)


@dataclass(frozen=True, slots=True, kw_only=True)
class Screening:
    """One submitted questionnaire.

    `submitted_at` is in UTC; `digest` is of the edition it was made under.

    `reference` is empty for one that is evaluated without being stored. `answers` are the patient's
    own; `entries` what professionals added, in order. `replaces` is the reference of the screening
    that was sent first, where the patient has changed its answers by this one.
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

    @property
    def established(self) -> Answers:
        """What is known by now: the patient's answers with what was established in the room in their place."""
        return established(self.answers, self.entries)

    @property
    def review(self) -> Review | None:
        """The decision that stands, or None where there is none or something was clarified after it."""
        last = self.entries[-1] if self.entries else None
        return last if isinstance(last, Review) else None

    @property
    def changed_at(self) -> datetime:
        """When it was sent or the last entry was added."""
        return self.entries[-1].at if self.entries else self.submitted_at

    def clarification(self, item: str) -> Clarification | None:
        """The last clarification of a question or follow-up, or None."""
        for entry in reversed(self.entries):
            if isinstance(entry, Clarification) and item in entry.items:
                return entry
        return None

    def known_since(self, item: str) -> datetime:
        """When the answer to a question or follow-up was given or, later, established."""
        clarification = self.clarification(item)
        return clarification.at if clarification else self.submitted_at

    def outdated(self, question: Question, now: datetime) -> bool:
        """Whether the answer is older than it may be relied on (`valid_for_hours`)."""
        return now - self.known_since(question.id) > timedelta(hours=question.valid_for_hours)
