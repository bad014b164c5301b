"""The rule book as immutable values: what is asked, what follows from the answers, and on which fact it rests.

`rulebooks/load.py` builds these from TOML and proves them; nothing here can be invalid once built.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from enum import IntEnum, StrEnum
from typing import ClassVar

BASE_LANGUAGE = "en"  # the language in which rule books are written


class Severity(IntEnum):
    """How much a finding matters to the prescriber, ordered so that `max` is the outcome."""

    NONE = 0
    CAUTION = 1
    CLARIFY = 2
    CONTRAINDICATION = 3

    @property
    def word(self) -> str:
        """The severity as rule books and JSON spell it, such as `contraindication`."""
        return self.name.lower()


class Kind(StrEnum):
    """How a question is answered."""

    ONE = "one"  # exactly one option
    SEVERAL = "several"  # any number of options
    TEXT = "text"  # the patient's own words


class Open(StrEnum):
    """The ways in which a question is still open. None of them is ever read as "no"."""

    UNSURE = "unsure"
    PRIVATE = "private"
    MISSING = "missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One thing that can be chosen: its id in data, its label on the page."""

    id: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowUp:
    """A question that opens under certain choices of its parent question.

    `unanswered` is what a patient reads who leaves it out; empty in early editions.
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
        """Whether the page insists on an answer: yes where one option must fit, no for details in own words."""
        return self.kind is Kind.ONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One main question, asked of everyone until answered.

    `clarify` tells what to establish if it stays open.

    `unanswered` is what a patient reads who leaves it out; empty in early editions. `loinc` is the
    LOINC code of what is asked, or empty.
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
        """What stands on this question's page: itself, then its follow-ups."""
        return (self, *self.follow_ups)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A document that facts come from."""

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
        """How the fact is cited, such as `mpt-imuran, Overview, F4`."""
        return f"{self.source}, {self.section}, {self.id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What other references say. It never changes a severity."""

    status: str
    agreement: str
    note: str
    references: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One rule that applied, or one question that is still open.

    `rule` is the rule's id, or `clarify-<question id>`, and `open` then says how the question is
    open. `answer` is the id of the answer it rests on; `rank` its place among findings of the same
    severity (the order in which the book asks, then that of its rules).
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
        """Return its facts as they are cited: `mpt-imuran, Overview, F5; mpt-imuran, Side effects, F17`."""
        return "; ".join(fact.citation for fact in self.cites)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """When every question or follow-up in `when` has one of the accepted values, `finding` applies."""

    when: tuple[tuple[str, frozenset[str]], ...]
    finding: Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class ChecklistItem:
    """Something for the prescriber to cover with every patient."""

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
    """What the book is about.

    `atc` is the WHO Anatomical Therapeutic Chemical code, `rxnorm` that of the ingredient.

    Early editions have no `rxnorm`; it is empty then.
    """

    name: str
    brand: str
    atc: str
    rxnorm: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """That somebody approved an edition.

    The files of early editions had no `role` and no `review_by`.
    """

    by: str
    role: str
    on: date
    review_by: date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Edition:
    """Which rule book this is.

    `digest` is the SHA-256 (hex) of `content`, its canonical JSON with all translations.

    `approvals` are those known at one moment, such as the sending of a screening; without them it
    is a draft.
    """

    id: str
    version: str
    digest: str
    content: str
    approvals: tuple[Approval, ...]

    def overdue_since(self, today: date) -> date | None:
        """Return the day by which the edition had to be reviewed, if that day is over."""
        days = [
            one.review_by
            for one in self.approvals
            if one.review_by is not None and one.review_by < today
        ]
        return min(days, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleBook:
    """One edition in one language.

    `open_findings` has what to say for each question that rules read and is open.
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
        """The main question with this id, or None."""
        return next((question for question in self.questions if question.id == question_id), None)

    def asked(self) -> Iterator[Question | FollowUp]:
        """Every question and follow-up, in the order in which they are asked."""
        for question in self.questions:
            yield from question.page
