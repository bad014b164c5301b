"""The rule book as immutable values: questions, the rules for their answers, and cited facts.

`rulebooks/load.py` proves a rule book in TOML and builds these values from it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from enum import IntEnum, StrEnum
from typing import ClassVar

BASE_LANGUAGE = "en"  # the language in which rule books are written


class Severity(IntEnum):
    """How much a finding matters to the prescriber, in order: `max` is the outcome."""

    NONE = 0
    CAUTION = 1
    CLARIFY = 2
    CONTRAINDICATION = 3

    @property
    def word(self) -> str:
        """Return the severity as rule books and JSON spell it, such as `contraindication`."""
        return self.name.lower()


class Kind(StrEnum):
    """The kind of answer that a question takes."""

    ONE = "one"  # exactly one option
    SEVERAL = "several"  # any number of options
    TEXT = "text"  # the patient's own words


class Open(StrEnum):
    """The reasons why a question is still open. None of them is ever read as "no"."""

    UNSURE = "unsure"
    PRIVATE = "private"
    MISSING = "missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """An option of a question: its id in data, its label on the page."""

    id: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowUp:
    """A question that is asked after the choices `when` of its parent question.

    `unanswered` is the message for a patient who leaves it out; empty in early editions.
    """

    id: str
    parent: str
    when: frozenset[str]
    kind: Kind
    ask: str
    hint: str
    unanswered: str
    topic: str
    clarify: str
    options: tuple[Option, ...]
    option_ids: frozenset[str]

    @property
    def required(self) -> bool:
        """Return whether an answer is required: only where exactly one option is to be chosen."""
        return self.kind is Kind.ONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One main question, which every patient is asked.

    `clarify` states what the prescriber is to establish if the question stays open. `unanswered`
    is the message for a patient who leaves it out; empty in early editions. `loinc` is the LOINC
    code of the question, or empty.
    """

    kind: ClassVar[Kind] = Kind.ONE
    required: ClassVar[bool] = True

    id: str
    ask: str
    hint: str
    unanswered: str
    why: str
    topic: str
    clarify: str
    options: tuple[Option, ...]
    option_ids: frozenset[str]
    loinc: str
    valid_for_hours: int
    follow_ups: tuple[FollowUp, ...]

    @property
    def page(self) -> tuple[Question | FollowUp, ...]:
        """Return the items of this question's page: the question, then its follow-ups."""
        return (self, *self.follow_ups)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A document that facts are taken from."""

    id: str
    title: str
    publisher: str
    sections: tuple[str, ...]
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One statement of a source, in our words."""

    id: str
    source: str
    section: str
    says: str

    @property
    def citation(self) -> str:
        """Return the citation of the fact, such as `mpt-imuran, Overview, F4`."""
        return f"{self.source}, {self.section}, {self.id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """The statements of other references. They never change a severity."""

    status: str
    agreement: str
    note: str
    references: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One rule that applied, or one question that is still open.

    `rule` is the rule's id, or `clarify-<question id>` where `open` states why the question is
    open. `answer` is the id of the answer that the finding rests on. `rank` orders findings of the
    same severity: by the order in which the book asks, then by that of its rules.
    """

    rule: str
    answer: str
    severity: Severity
    title: str
    reason: str
    confirm: str
    open: Open | None
    evidence: Evidence | None
    cites: tuple[Fact, ...]
    rank: int

    @property
    def citations(self) -> str:
        """Return the citations: `mpt-imuran, Overview, F5; mpt-imuran, Side effects, F17`."""
        return "; ".join(fact.citation for fact in self.cites)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A rule: `finding` applies when every item in `when` has one of its accepted values."""

    when: tuple[tuple[str, frozenset[str]], ...]
    finding: Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class ChecklistItem:
    """One point for the prescriber to discuss with every patient."""

    id: str
    text: str
    cites: tuple[Fact, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LeafletPart:
    """One heading of the patient's leaflet with a paragraph, a list, or both."""

    id: str
    urgent: bool
    title: str
    text: str
    points: tuple[str, ...]
    cites: tuple[Fact, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Medicine:
    """The medicine that the book screens for.

    `atc` is the WHO Anatomical Therapeutic Chemical code. `rxnorm` is the RxNorm code of the
    ingredient; empty in early editions.
    """

    name: str
    brand: str
    atc: str
    rxnorm: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """The approval of an edition by one person.

    In early editions `role` is empty and `review_by` is None.
    """

    by: str
    role: str
    on: date
    review_by: date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Edition:
    """The identity of a rule book.

    `digest` is the SHA-256 (hex) of `content`, the canonical JSON with all translations.
    `approvals` are those known at one moment, such as when a screening was sent; an edition without
    any is a draft.
    """

    id: str
    version: str
    digest: str
    content: str
    approvals: tuple[Approval, ...]

    def overdue_since(self, today: date) -> date | None:
        """Return the day by which the edition had to be reviewed, if that day is past."""
        days = [
            approval.review_by
            for approval in self.approvals
            if approval.review_by is not None and approval.review_by < today
        ]
        return min(days, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleBook:
    """One edition in one language.

    `open_findings` holds the finding for each question that rules read, by why it is open.
    """

    edition: Edition
    language: str
    translation_status: str
    medicine: Medicine
    sources: tuple[Source, ...]
    facts: tuple[Fact, ...]
    questions: tuple[Question, ...]
    rules: tuple[Rule, ...]
    open_findings: Mapping[tuple[str, Open], Finding]
    checklist: tuple[ChecklistItem, ...]
    leaflet: tuple[LeafletPart, ...]
    not_screened: tuple[str, ...]

    def question(self, question_id: str) -> Question | None:
        """Return the main question with this id, or None."""
        return next((question for question in self.questions if question.id == question_id), None)

    def asked(self) -> Iterator[Question | FollowUp]:
        """Yield every question and follow-up, in the order in which they are asked."""
        for question in self.questions:
            yield from question.page
