"""What the patient said: who, the answers with their exact wording, and what makes an answer acceptable."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import assert_never

from screening.domain.faults import InvalidInput
from screening.domain.rules import FollowUp, Kind, Question, RuleBook
from screening.domain.unseen import without_unseen

NAME_LENGTH = 120
VISIT_LENGTH = 40
TEXT_LENGTH = 500
OLDEST_AGE = 130  # years; an earlier date of birth is a slip of the finger

Value = str | tuple[str, ...]

# Control characters, halves of characters, and more marks upon one letter than any language writes:
# too high to print.
_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]"
    "|[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]{9,}"
)


class Fault(StrEnum):
    """Why something typed cannot be taken as it is.

    The words for people are chosen where it is shown.
    """

    MISSING = "missing"
    TOO_LONG = "too_long"
    CONTROL_CHARACTER = "control_character"
    IN_FUTURE = "in_future"
    TOO_LONG_AGO = "too_long_ago"
    WRONG_TYPE = "wrong_type"
    UNKNOWN_VALUE = "unknown_value"
    UNKNOWN_QUESTION = "unknown_question"
    DOES_NOT_APPLY = "does_not_apply"


class Role(StrEnum):
    """What whoever fills in the questionnaire is to the patient."""

    PATIENT = "patient"
    HELPER = "helper"
    GUARDIAN = "guardian"
    INTERPRETER = "interpreter"


@dataclass(frozen=True, slots=True, kw_only=True)
class Respondent:
    """Who fills in the questionnaire.

    `name` is that of somebody other than the patient and may be empty.
    """

    role: Role
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """Whom the answers are about. `visit` is the clinic's reference for the visit and may be empty.

    `respondent` is None where it was not said who fills in the questionnaire.
    """

    name: str
    birth_date: date
    visit: str = ""
    respondent: Respondent | None = None

    @property
    def proxy(self) -> Respondent | None:
        """Somebody other than the patient who fills in the questionnaire, or None where nobody is known to."""
        return (
            self.respondent
            if self.respondent and self.respondent.role is not Role.PATIENT
            else None
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer: option id(s) or own words in `value`, with the wording and the language the patient saw."""

    id: str
    value: Value
    asked: str
    shown: str
    language: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """All answers of one screening, in any order.

    Equality and evaluation do not depend on the order.
    """

    given: tuple[Answer, ...] = ()
    _by_id: Mapping[str, Answer] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "given", tuple(sorted(self.given, key=lambda answer: answer.id)))
        object.__setattr__(self, "_by_id", {answer.id: answer for answer in self.given})

    def get(self, asked: str) -> Answer | None:
        """The answer to that question or follow-up, or None where there is none."""
        return self._by_id.get(asked)

    def value(self, asked: str) -> Value | None:
        """The value answered, or None where nothing was answered."""
        answer = self._by_id.get(asked)
        return None if answer is None else answer.value

    def applies(self, item: Question | FollowUp) -> bool:
        """Whether it is asked: a question always, a follow-up where the answer to its parent opens it."""
        return isinstance(item, Question) or self.value(item.parent) in item.when

    def with_page(self, question: Question, page: Answers) -> Answers:
        """These answers with one question's page replaced as a whole, so that follow-ups it closed are gone."""
        on_page = {item.id for item in question.page}
        return Answers(
            given=(*(answer for answer in self.given if answer.id not in on_page), *page.given)
        )

    def still_asked(self, books: Mapping[str, RuleBook]) -> Answers:
        """These answers without any that today's book of the same language does not ask and show in the same words."""
        items = {
            (language, item.id): item for language, book in books.items() for item in book.asked()
        }
        kept = (
            answer
            for answer in self.given
            if (item := items.get((answer.language, answer.id))) is not None
            and (item.ask, _read_value(item, answer.value)) == (answer.asked, answer.value)
            and shown(item, answer.value) == answer.shown
        )
        return Answers(given=tuple(kept))

    def open_question(self, book: RuleBook) -> Question | None:
        """The first question whose page is not complete, or None when everything required is answered."""
        for question in book.questions:
            for item in question.page:
                if item.required and self.applies(item) and self.get(item.id) is None:
                    return question
        return None


class UnacceptableAnswers(InvalidInput[Mapping[str, Fault]]):
    """The faults are by the id of the question or follow-up."""


def read_answers(book: RuleBook, values: Mapping[str, object]) -> Answers:
    """Turn ids and plain values into Answers worded as `book` words them; None and empty values count as missing.

    Raises UnacceptableAnswers with every fault at once: unknown ids and values, wrong types,
    over-long text, follow-ups that do not apply.
    """
    asked = {item.id: item for item in book.asked()}
    faults: dict[str, Fault] = {key: Fault.UNKNOWN_QUESTION for key in values if key not in asked}
    given: dict[str, Answer] = {}
    for item in asked.values():
        raw = values.get(item.id)
        if raw is None or raw in ("", [], ()):
            continue
        value = _read_value(item, raw)
        if isinstance(value, Fault):
            faults[item.id] = value
        elif value:
            if isinstance(item, FollowUp) and (
                item.parent not in faults
                and (item.parent not in given or given[item.parent].value not in item.when)
            ):
                faults[item.id] = Fault.DOES_NOT_APPLY
            given[item.id] = Answer(
                id=item.id,
                value=value,
                asked=item.ask,
                shown=shown(item, value),
                language=book.language,
            )
    if faults:
        raise UnacceptableAnswers(faults)
    return Answers(given=tuple(given.values()))


def _read_value(item: Question | FollowUp, raw: object) -> Value | Fault:
    """The value in its one form (several: in the order of the options), or why it is not acceptable."""
    options = [option.id for option in item.options]
    match item.kind:
        case Kind.ONE:
            if not isinstance(raw, str):
                return Fault.WRONG_TYPE
            return raw if raw in options else Fault.UNKNOWN_VALUE
        case Kind.SEVERAL:
            if not isinstance(raw, list | tuple) or not all(isinstance(one, str) for one in raw):
                return Fault.WRONG_TYPE
            if not set(raw) <= set(options):
                return Fault.UNKNOWN_VALUE
            return tuple(option for option in options if option in raw)
        case Kind.TEXT:
            if not isinstance(raw, str):
                return Fault.WRONG_TYPE
            text = tidy(raw, lines=True)
            return text_fault(text, TEXT_LENGTH, lines=True) or text
    assert_never(item.kind)


def shown(item: Question | FollowUp, value: Value) -> str:
    """The answer as the patient saw it: labels of the options chosen, or the patient's own words."""
    labels = {option.id: option.label for option in item.options}
    if isinstance(value, str):
        return labels.get(value, value)
    return ", ".join(labels.get(one, one) for one in value)


def tidy(text: str, *, lines: bool = False) -> str:
    """The text as it is seen, in Unicode NFC and without white space around it; the words stay as typed.

    Without `lines`, it becomes one line. What is far too long is not composed, as long runs of
    marks would take much time: it is refused anyway.
    """
    seen = without_unseen(text)
    if not lines:
        seen = seen.replace("\n", " ").replace("\t", " ")
    return seen if len(seen) > 4 * TEXT_LENGTH else unicodedata.normalize("NFC", seen).strip()


def text_fault(text: str, longest: int, *, lines: bool = False) -> Fault | None:
    """Why a tidied text is not acceptable: over-long, or with a control character, or a pile of marks."""
    if len(text) > longest:
        return Fault.TOO_LONG
    is_one_line = lines or not set(text) & {"\n", "\t"}
    return Fault.CONTROL_CHARACTER if _UNPRINTABLE.search(text) or not is_one_line else None


def with_faults_shown(text: str) -> str:
    """The text with \ufffd in place of all that is refused, so that a person sees what to remove."""
    return _UNPRINTABLE.sub("\ufffd", text)


def name_fault(name: str) -> Fault | None:
    """Why a tidied name is not acceptable. Any script and any number of words is."""
    has_letter = any(unicodedata.category(character)[0] in "LN" for character in name)
    return text_fault(name, NAME_LENGTH) or (None if has_letter else Fault.MISSING)


def visit_fault(visit: str) -> Fault | None:
    """Why a tidied visit reference is not acceptable; it may be empty."""
    return text_fault(visit, VISIT_LENGTH)


def birth_date_fault(birth_date: date, *, today: date) -> Fault | None:
    """Why a date cannot be a date of birth."""
    if birth_date > today:
        return Fault.IN_FUTURE
    return Fault.TOO_LONG_AGO if today.year - birth_date.year > OLDEST_AGE else None


class UnacceptablePatient(Exception):
    """Raised with every fault of a patient's particulars, by field."""

    def __init__(self, faults: Mapping[str, Fault]) -> None:
        super().__init__(", ".join(f"{field}: {fault}" for field, fault in faults.items()))
        self.faults = faults


def read_patient(
    *,
    name: str,
    birth_date: date | None,
    visit: str = "",
    respondent: Respondent | None = None,
    today: date,
) -> Patient:
    """Return the patient with texts tidied. A `birth_date` that could not be read is None.

    Raises UnacceptablePatient.
    """
    name = tidy(name)
    visit = tidy(visit)
    born_fault = birth_date_fault(birth_date, today=today) if birth_date else Fault.MISSING
    read = {"name": name_fault(name), "visit": visit_fault(visit), "birth_date": born_fault}
    faults = {field: fault for field, fault in read.items() if fault is not None}
    if faults or birth_date is None:
        raise UnacceptablePatient(faults)
    return Patient(name=name, birth_date=birth_date, visit=visit, respondent=respondent)
