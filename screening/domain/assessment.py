"""The result of applying a rule book to answers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from screening.domain.answers import Answers, Patient
from screening.domain.rules import Finding, Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """The answers, the edition's digest, and the findings that follow, most severe first.

    The order of findings is total: severity, then the order in which the book asks, then the order of its rules.
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
    """One submitted questionnaire. `submitted_at` is in UTC; `digest` is of the edition it was made under.

    `reference` is empty for one that is evaluated without being stored.
    """

    reference: str
    submitted_at: datetime
    language: str
    patient: Patient
    answers: Answers
    digest: str
