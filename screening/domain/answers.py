"""The patient, the answers with their exact wording, and the checks that an answer must pass."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import assert_never

from screening.domain.faults import InvalidInput
from screening.domain.rules import FollowUp, Kind, Question, RuleBook
from screening.domain.unseen import without_unseen

NAME_LENGTH = 120
VISIT_LENGTH = 40
TEXT_LENGTH = 500
OLDEST_AGE = 130  # years; an earlier date of birth is a typing error

Value = str | tuple[str, ...]

# Control characters, unpaired surrogates, and nine or more combining marks on one letter: no
# language writes so many, and they overlap neighbouring rows when printed.
_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]"
    "|[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]{9,}"
)


class Fault(StrEnum):
    """The reason why a typed value is not accepted.

    The module that shows it chooses the words for people.
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
    """The relation of the respondent to the patient."""

    PATIENT = "patient"
    HELPER = "helper"
    GUARDIAN = "guardian"
    INTERPRETER = "interpreter"


@dataclass(frozen=True, slots=True, kw_only=True)
class Respondent:
    """The person who fills in the questionnaire.

    `name` is empty for the patient, and may be empty for anybody else.
    """

    role: Role
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Paper:
    """The paper form that answers were typed in from.

    `filled_in_at` is the beginning of the day on the paper, in the clinic's time zone. `typed_by`
    is the full name of the person who typed.
    """

    filled_in_at: datetime
    typed_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """The person whom the answers concern.

    `visit` is the clinic's reference for the visit and may be empty. `respondent` is None where
    the person who fills in the questionnaire is not known. `paper` is None for answers that were
    given on a screen.
    """

    name: str
    birth_date: date
    visit: str = ""
    respondent: Respondent | None = None
    paper: Paper | None = None

    @property
    def proxy(self) -> Respondent | None:
        """Return the respondent who is known not to be the patient, or None."""
        if self.respondent is None or self.respondent.role is Role.PATIENT:
            return None
        return self.respondent

    def answered_at(self, submitted_at: datetime) -> datetime:
        """Return when the answers were given: those of a paper form have its date."""
        return min(submitted_at, self.paper.filled_in_at) if self.paper else submitted_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer to a question or follow-up.

    `value` holds option ids or the patient's own words. `asked`, `shown` and `language` are the
    wording of question and answer, and the language, that the patient saw.
    """

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

    def get(self, item_id: str) -> Answer | None:
        """Return the answer to a question or follow-up, or None where it has none."""
        return self._by_id.get(item_id)

    def value(self, item_id: str) -> Value | None:
        """Return the value of the answer to a question or follow-up, or None where it has none."""
        answer = self._by_id.get(item_id)
        return None if answer is None else answer.value

    def applies(self, item: Question | FollowUp) -> bool:
        """Return whether a question or follow-up is asked.

        Every question is asked. A follow-up is asked if the answer to its parent question opens it.
        """
        return isinstance(item, Question) or self.value(item.parent) in item.when

    def with_page(self, question: Question, page: Answers) -> Answers:
        """Return these answers with all those to one question's page replaced.

        Answers to follow-ups that the new answer closes are therefore left out.
        """
        page_ids = {item.id for item in question.page}
        others = (answer for answer in self.given if answer.id not in page_ids)
        return Answers(given=(*others, *page.given))

    def still_asked(self, books: Mapping[str, RuleBook]) -> Answers:
        """Return those answers whose question and answer have the same wording in `books`.

        Each answer is compared with the book of its own language.
        """
        items = {
            (language, item.id): item for language, book in books.items() for item in book.asked()
        }

        def has_same_wording(answer: Answer) -> bool:
            item = items.get((answer.language, answer.id))
            return (
                item is not None
                and item.ask == answer.asked
                and _read_value(item, answer.value) == answer.value
                and shown(item, answer.value) == answer.shown
            )

        return Answers(given=tuple(filter(has_same_wording, self.given)))

    def lacks(self, question: Question) -> bool:
        """Return whether a required answer on the question's page is missing."""
        return any(
            item.required and self.applies(item) and self.get(item.id) is None
            for item in question.page
        )

    def open_question(self, book: RuleBook, may_lack: tuple[str, ...] = ()) -> Question | None:
        """Return the first question whose page lacks a required answer, or None.

        The questions with the ids in `may_lack` may lack one.
        """
        open_questions = filter(self.lacks, book.questions)
        return next((question for question in open_questions if question.id not in may_lack), None)


class UnacceptableAnswers(InvalidInput[Mapping[str, Fault]]):
    """Raised with every fault of answers, by the id of the question or follow-up."""


def read_answers(book: RuleBook, values: Mapping[str, object]) -> Answers:
    """Return the answers to `values`, which are plain values by item id, in the wording of `book`.

    None and empty values count as missing. Raises UnacceptableAnswers with every fault at once:
    unknown ids and values, wrong types, texts that are too long, follow-ups that do not apply.
    """
    items = {item.id: item for item in book.asked()}
    faults: dict[str, Fault] = {key: Fault.UNKNOWN_QUESTION for key in values if key not in items}
    answers: dict[str, Answer] = {}
    for item in items.values():
        raw = values.get(item.id)
        if raw is None or raw in ("", [], ()):
            continue
        value = _read_value(item, raw)
        if isinstance(value, Fault):
            faults[item.id] = value
        elif value:
            if isinstance(item, FollowUp) and (
                item.parent not in faults
                and (item.parent not in answers or answers[item.parent].value not in item.when)
            ):
                faults[item.id] = Fault.DOES_NOT_APPLY
            answers[item.id] = Answer(
                id=item.id,
                value=value,
                asked=item.ask,
                shown=shown(item, value),
                language=book.language,
            )
    if faults:
        raise UnacceptableAnswers(faults)
    return Answers(given=tuple(answers.values()))


def _read_value(item: Question | FollowUp, raw: object) -> Value | Fault:
    """Return the value, several options in the order of the book, or why it is not accepted."""
    options = [option.id for option in item.options]
    match item.kind:
        case Kind.ONE:
            if not isinstance(raw, str):
                return Fault.WRONG_TYPE
            return raw if raw in options else Fault.UNKNOWN_VALUE
        case Kind.SEVERAL:
            if not isinstance(raw, list | tuple) or not all(isinstance(part, str) for part in raw):
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
    """Return the answer as the patient saw it: labels of options, or the patient's own words."""
    labels = {option.id: option.label for option in item.options}
    if isinstance(value, str):
        return labels.get(value, value)
    return ", ".join(labels.get(option_id, option_id) for option_id in value)


def tidy(text: str, *, lines: bool = False) -> str:
    """Return the visible text in Unicode NFC, without white space around it.

    Unless `lines` is true, line ends and tabs become blanks.
    """
    visible = without_unseen(text)
    if not lines:
        visible = visible.replace("\n", " ").replace("\t", " ")
    if len(visible) > 4 * TEXT_LENGTH:  # refused anyway, and slow to compose
        return visible
    return unicodedata.normalize("NFC", visible).strip()


def text_fault(text: str, longest: int, *, lines: bool = False) -> Fault | None:
    """Return why a tidied text is not accepted: too long, or with characters not printed."""
    if len(text) > longest:
        return Fault.TOO_LONG
    is_one_line = lines or not set(text) & {"\n", "\t"}
    return Fault.CONTROL_CHARACTER if _UNPRINTABLE.search(text) or not is_one_line else None


def with_faults_shown(text: str) -> str:
    """Return the text with \ufffd in place of each refused part, so that it can be removed."""
    return _UNPRINTABLE.sub("\ufffd", text)


def name_fault(name: str) -> Fault | None:
    """Return why a tidied name is not accepted. Any script is accepted."""
    has_letter = any(unicodedata.category(character)[0] in "LN" for character in name)
    return text_fault(name, NAME_LENGTH) or (None if has_letter else Fault.MISSING)


def visit_fault(visit: str) -> Fault | None:
    """Return why a tidied visit reference is not accepted; it may be empty."""
    return text_fault(visit, VISIT_LENGTH)


def birth_date_fault(birth_date: date, *, today: date) -> Fault | None:
    """Return why a date cannot be a date of birth."""
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
