"""A case: one patient's particulars and answers as plain values, such as a JSON file holds."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime

from screening.domain import answers as said
from screening.domain.faults import InvalidInput
from screening.domain.rules import FollowUp, Kind, RuleBook
from screening.domain.unseen import without_unseen


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """The patient, the respondent, the answers and their language."""

    patient: said.Patient
    language: str
    answers: said.Answers


class InvalidCase(InvalidInput[list[str]]):
    """Each fault is `place: what is wrong and what to write`."""


def read_case(books: Mapping[str, RuleBook], content: object, *, today: date) -> Case:
    """Return the case in a JSON object.

    Its keys are `patient` (`name`, `birth_date`, `visit`), `respondent` (`role`, `name`),
    `language` and `answers`.

    `answers` are by id. They, `visit`, `respondent`, its `name` and `language` (then the first
    book's) may be left out. Raises InvalidCase with every fault.
    """
    faults: list[str] = []
    top = _object(
        _as_seen(content), "the file", ("patient", "respondent", "language", "answers"), faults
    )
    language = top.get("language", next(iter(books)))
    if not isinstance(language, str) or language not in books:
        faults.append(f"language: {language!r} is not offered; use one of: {', '.join(books)}")
        language = next(iter(books))
    respondent = _respondent(top["respondent"], faults) if "respondent" in top else None
    patient = _patient(top, faults, today)
    answers = _answers(books[language], top, faults)
    if faults or patient is None:
        raise InvalidCase(faults)
    return Case(patient=replace(patient, respondent=respondent), language=language, answers=answers)


def _as_seen(content: object, depth: int = 3) -> object:
    """Return the content without invisible characters in keys and texts, at every level."""
    match content:
        case str():
            return without_unseen(content)
        case list() if depth:
            return [_as_seen(item, depth - 1) for item in content]
        case dict() if depth:
            return {_as_seen(key): _as_seen(value, depth - 1) for key, value in content.items()}
    return content


def _object(
    content: object, place: str, keys: tuple[str, ...], faults: list[str]
) -> Mapping[str, object]:
    if not isinstance(content, dict):
        faults.append(f"{place}: must be a JSON object with {', '.join(keys)}")
        return {}
    prefix = "" if place == "the file" else f"{place}."
    faults.extend(
        f"{prefix}{key}: is not known; use only {', '.join(keys)}"
        for key in content
        if key not in keys
    )
    return content


def _respondent(content: object, faults: list[str]) -> said.Respondent | None:
    given = _object(content, "respondent", ("role", "name"), faults)
    role = str(given.get("role", ""))
    name = given.get("name", "")
    if role not in list(said.Role):
        faults.append(f"respondent.role: {role!r} is not known; use one of: {', '.join(said.Role)}")
    if not isinstance(name, str):
        faults.append(f"respondent.name: {name!r} must be a text between quotes")
    elif fault := said.text_fault(name := said.tidy(name), said.NAME_LENGTH):
        faults.append(f"respondent.name: {_words(fault, said.NAME_LENGTH, name)}")
    return None if faults else said.Respondent(role=said.Role(role), name=str(name))


def _patient(top: Mapping[str, object], faults: list[str], today: date) -> said.Patient | None:
    given = _object(top.get("patient"), "patient", ("name", "birth_date", "visit"), faults)
    texts = {}
    wrong = {}
    for key in ("name", "birth_date", "visit"):
        value = given.get(key, "")
        texts[key] = said.tidy(value) if isinstance(value, str) else ""
        if not isinstance(value, str):
            wrong[key] = f"{value!r} must be a text between quotes"
    born = _day(texts["birth_date"])
    patient = None
    try:
        patient = said.read_patient(
            name=texts["name"], birth_date=born, visit=texts["visit"], today=today
        )
    except said.UnacceptablePatient as err:
        longest = {"name": said.NAME_LENGTH, "visit": said.VISIT_LENGTH}
        for key, fault in err.faults.items():
            words = _words(fault, longest.get(key, 0), texts[key])
            if key == "birth_date" and born is None:
                words = f"{texts[key]!r} is not a date; write it as 1988-03-12"
            wrong.setdefault(key, words)
    faults.extend(f"patient.{key}: {words}" for key, words in wrong.items())
    return patient


def _day(written: str) -> date | None:
    try:
        return datetime.strptime(written, "%Y-%m-%d").date()  # noqa: DTZ007 - a day has no time zone
    except ValueError:
        return None


def _answers(book: RuleBook, top: Mapping[str, object], faults: list[str]) -> said.Answers:
    given = top.get("answers", {})
    if not isinstance(given, dict):
        faults.append("answers: must be a JSON object from question ids to answers")
        return said.Answers()
    try:
        return said.read_answers(book, given)
    except said.UnacceptableAnswers as err:
        faults.extend(
            f"answers.{key}: {_remedy(book, key, given[key], fault)}"
            for key, fault in err.faults.items()
        )
        return said.Answers()


def _remedy(book: RuleBook, key: str, value: object, fault: said.Fault) -> str:
    """Return the fault of an answer and what to write instead."""
    asked = {item.id: item for item in book.asked()}
    if fault is said.Fault.UNKNOWN_QUESTION:
        return f"is not a question; use some of: {', '.join(asked)}"
    item = asked[key]
    if fault is said.Fault.UNKNOWN_VALUE:
        options = ", ".join(option.id for option in item.options)
        return f"{value!r} is not an answer; use one of: {options}"
    if fault is said.Fault.WRONG_TYPE:
        return f"{value!r} must be {'a list of texts' if item.kind is Kind.SEVERAL else 'one text'}"
    if fault is said.Fault.DOES_NOT_APPLY and isinstance(item, FollowUp):
        opens = " or ".join(
            option.id for option in asked[item.parent].options if option.id in item.when
        )
        return f"is only asked when {item.parent} is {opens}; remove it or correct {item.parent}"
    return _words(fault, said.TEXT_LENGTH, str(value))


def _words(fault: said.Fault, longest: int = 0, text: str = "") -> str:
    marked = said.with_faults_shown(text)
    return {
        said.Fault.MISSING: "is missing; write it between quotes",
        said.Fault.TOO_LONG: f"is too long; write at most {longest} characters",
        said.Fault.CONTROL_CHARACTER: f"has a control character; remove it: {marked}",
        said.Fault.IN_FUTURE: "is in the future; correct it",
        said.Fault.TOO_LONG_AGO: "is too long ago; correct the year",
    }.get(fault, fault.value)
