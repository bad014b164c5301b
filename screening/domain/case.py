"""A case: one patient's particulars and answers as plain values, such as a JSON file holds."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from screening.domain import answers as said
from screening.domain.rules import Kind, RuleBook

_LONGEST = {"patient.name": said.NAME_LENGTH, "patient.visit": said.VISIT_LENGTH}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Who answered what, in which language."""

    patient: said.Patient
    language: str
    answers: said.Answers


class InvalidCase(Exception):
    """Raised with every fault as `place: what is wrong and what to write`."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


def read_case(books: Mapping[str, RuleBook], content: object, *, today: date) -> Case:
    """Read `{"patient": {"name", "birth_date", "visit"}, "language", "answers": {id: value}}`.

    `visit`, `language` (then the first book's) and `answers` may be left out. Raises InvalidCase with every fault.
    """
    faults: list[str] = []
    top = _object(content, "the file", ("patient", "language", "answers"), faults)
    language = top.get("language", next(iter(books)))
    if language not in books if isinstance(language, str) else True:
        faults.append(f"language: {language!r} is not offered; use one of: {', '.join(books)}")
        language = next(iter(books))
    patient = _patient(top, faults, today)
    answers = _answers(books[str(language)], top, faults)
    if faults or patient is None:
        raise InvalidCase(faults)
    return Case(patient=patient, language=str(language), answers=answers)


def _object(content: object, place: str, keys: tuple[str, ...], faults: list[str]) -> Mapping[str, object]:
    if not isinstance(content, dict):
        faults.append(f"{place}: must be a JSON object with {', '.join(keys)}")
        return {}
    prefix = "" if place == "the file" else f"{place}."
    faults.extend(f"{prefix}{key}: is not known; use only {', '.join(keys)}" for key in content if key not in keys)
    return content


def _patient(top: Mapping[str, object], faults: list[str], today: date) -> said.Patient | None:
    given = _object(top.get("patient"), "patient", ("name", "birth_date", "visit"), faults)
    before = len(faults)
    texts = {}
    for key in ("name", "birth_date", "visit"):
        value = given.get(key, "")
        if not isinstance(value, str):
            faults.append(f"patient.{key}: {value!r} must be a text between quotes")
            value = ""
        texts[key] = said.tidy(value)
    for key, fault in (("name", said.name_fault(texts["name"])), ("visit", said.visit_fault(texts["visit"]))):
        if fault is not None and isinstance(given.get(key, ""), str):
            faults.append(f"patient.{key}: {_words(fault, _LONGEST[f'patient.{key}'])}")
    born = None
    try:
        born = datetime.strptime(texts["birth_date"], "%Y-%m-%d").date()  # noqa: DTZ007 - a day has no time zone
    except ValueError:
        if isinstance(given.get("birth_date", ""), str):
            faults.append(f"patient.birth_date: {texts['birth_date']!r} is not a date; write it as 1988-03-12")
    if born is not None and (date_fault := said.birth_date_fault(born, today=today)) is not None:
        faults.append(f"patient.birth_date: {_words(date_fault, 0)}")
    if len(faults) > before or born is None:
        return None
    return said.Patient(name=texts["name"], birth_date=born, visit=texts["visit"])


def _answers(book: RuleBook, top: Mapping[str, object], faults: list[str]) -> said.Answers:
    given = top.get("answers", {})
    if not isinstance(given, dict):
        faults.append("answers: must be a JSON object from question ids to answers")
        return said.Answers()
    try:
        return said.read_answers(book, given)
    except said.UnacceptableAnswers as err:
        asked = {item.id: item for item in book.asked()}
        for key, fault in err.faults.items():
            remedy = _words(fault, said.TEXT_LENGTH)
            if fault is said.Fault.UNKNOWN_QUESTION:
                remedy = f"is not a question; use some of: {', '.join(asked)}"
            elif fault is said.Fault.UNKNOWN_VALUE:
                remedy = f"{given[key]!r} is not an answer; use one of: {', '.join(o.id for o in asked[key].options)}"
            elif fault is said.Fault.WRONG_TYPE:
                form = {Kind.ONE: "one text", Kind.TEXT: "one text", Kind.SEVERAL: "a list of texts"}[asked[key].kind]
                remedy = f"{given[key]!r} must be {form}"
            elif fault is said.Fault.DOES_NOT_APPLY:
                parent = next(question for question in book.questions if asked[key] in question.follow_ups)
                opens = [option.id for option in parent.options if option.id in asked[key].when]  # type: ignore[union-attr]
                remedy = f"is only asked when {parent.id} is {' or '.join(opens)}; remove it or correct {parent.id}"
            faults.append(f"answers.{key}: {remedy}")
        return said.Answers()


def _words(fault: said.Fault, longest: int) -> str:
    return {
        said.Fault.MISSING: "is missing; write it between quotes",
        said.Fault.TOO_LONG: f"is too long; write at most {longest} characters",
        said.Fault.CONTROL_CHARACTER: "has a control or hidden character; remove it",
        said.Fault.IN_FUTURE: "is in the future; correct it",
        said.Fault.TOO_LONG_AGO: "is too long ago; correct the year",
    }.get(fault, fault.value)
