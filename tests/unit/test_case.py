"""A case read from plain values, such as a JSON file, or refused with place and remedy."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from screening.domain.answers import Respondent, Role
from screening.domain.case import Case, InvalidCase, read_case
from tests.builders import a_patient, answers_of
from tests.unit.small_book import all_no, book, books

TODAY = date(2026, 3, 14)


def a_case(**changes: Any) -> dict[str, Any]:
    patient = {"name": "Amina Diallo", "birth_date": "1988-03-12", "visit": "V-1042"}
    return {"patient": patient, "language": "en", "answers": all_no(), **changes}


def a_case_of(**particulars: Any) -> dict[str, Any]:
    case = a_case()
    case["patient"].update(particulars)
    return case


def without(case: dict[str, Any], *path: str) -> dict[str, Any]:
    inner = case
    for key in path[:-1]:
        inner = inner[key]
    del inner[path[-1]]
    return case


def faults_of(content: object) -> list[str]:
    with pytest.raises(InvalidCase) as caught:
        read_case(books(), content, today=TODAY)
    assert str(caught.value) == "\n".join(caught.value.faults)
    return caught.value.faults


def test_a_sound_case_is_read() -> None:
    assert read_case(books(), a_case(), today=TODAY) == Case(
        patient=a_patient(), language="en", answers=answers_of(book(), **all_no())
    )


def test_the_answers_are_worded_in_the_language_of_the_case() -> None:
    case = read_case(books(), a_case(language="es"), today=TODAY)
    assert case.language == "es"
    assert case.answers == answers_of(book("es"), **all_no())


def test_without_a_language_the_first_book_holds() -> None:
    case = read_case(books(), without(a_case(), "language"), today=TODAY)
    assert case.language == next(iter(books())) == "en"


def test_the_visit_may_be_left_out_or_empty() -> None:
    for content in (
        without(a_case(), "patient", "visit"),
        a_case_of(visit=""),
        a_case_of(visit="  "),
    ):
        assert read_case(books(), content, today=TODAY).patient == a_patient(visit="")


def test_null_and_empty_answers_are_missing_answers() -> None:
    empty = all_no(
        pregnancy=None, iud="", infection="yes", infection_symptoms=[], infection_since=" "
    )
    case = read_case(books(), a_case(answers=empty), today=TODAY)
    assert case.answers == answers_of(book(), infection="yes", vaccines="no")


def test_no_answers_at_all_are_a_case() -> None:
    assert read_case(books(), a_case(answers={}), today=TODAY).answers.given == ()


def test_who_filled_it_in_may_be_told() -> None:
    case = a_case(respondent={"role": "interpreter", "name": " Ana "})
    assert read_case(books(), case, today=TODAY).patient.respondent == Respondent(
        role=Role.INTERPRETER, name="Ana"
    )
    assert read_case(books(), a_case(), today=TODAY).patient.respondent is None


def test_the_name_and_own_words_are_tidied() -> None:
    content = a_case_of(name="  Jose\u0301 ")
    content["answers"] = all_no(infection="yes", infection_since="since\r\nMonday ")
    case = read_case(books(), content, today=TODAY)
    assert case.patient.name == "José"
    assert case.answers.value("infection_since") == "since\nMonday"


FAULTS: list[tuple[object, str, str]] = [
    # content, the fault's place, words of what is wrong or what to write
    ([], "the file", "must be a JSON object with patient, respondent, language, answers"),
    (None, "the file", "must be a JSON object"),
    (
        a_case(patients=1),
        "patients",
        "is not known; use only patient, respondent, language, answers",
    ),
    (a_case_of(sex="f"), "patient.sex", "is not known; use only name, birth_date, visit"),
    (a_case(respondent="Ana"), "respondent", "must be a JSON object with role, name"),
    (
        a_case(respondent={"name": "Ana"}),
        "respondent.role",
        "'' is not known; use one of: patient, helper, guardian",
    ),
    (
        a_case(respondent={"role": ["helper"]}),
        "respondent.role",
        "is not known; use one of: patient, helper, guardian",
    ),
    (
        a_case(respondent={"role": "helper", "name": 7}),
        "respondent.name",
        "7 must be a text between quotes",
    ),
    (
        a_case(respondent={"role": "helper", "name": "x" * 121}),
        "respondent.name",
        "write at most 120 characters",
    ),
    (
        a_case(respondent={"role": "helper", "age": 7}),
        "respondent.age",
        "is not known; use only role, name",
    ),
    (a_case(patient="Amina"), "patient", "must be a JSON object with name, birth_date, visit"),
    (without(a_case(), "patient"), "patient", "must be a JSON object"),
    (a_case(language="fr"), "language", "'fr' is not offered; use one of: en, es"),
    (a_case(language=None), "language", "None is not offered"),
    (a_case(language=""), "language", "'' is not offered"),
    (a_case(language=["en"]), "language", "is not offered"),
    (a_case_of(name=7), "patient.name", "7 must be a text between quotes"),
    (a_case_of(name=None), "patient.name", "None must be a text between quotes"),
    (a_case_of(name=""), "patient.name", "is missing"),
    (a_case_of(name=" \n"), "patient.name", "is missing"),
    (without(a_case(), "patient", "name"), "patient.name", "is missing"),
    (a_case_of(name="x" * 121), "patient.name", "is too long; write at most 120 characters"),
    (
        a_case_of(name="A\x1bmina"),
        "patient.name",
        "has a control character; remove it: A\ufffdmina",
    ),
    (a_case_of(visit=1042), "patient.visit", "1042 must be a text between quotes"),
    (a_case_of(visit=None), "patient.visit", "None must be a text between quotes"),
    (a_case_of(visit="x" * 41), "patient.visit", "is too long; write at most 40 characters"),
    (a_case_of(visit="V\x071"), "patient.visit", "has a control character; remove it: V\ufffd1"),
    (
        a_case_of(birth_date=19880312),
        "patient.birth_date",
        "19880312 must be a text between quotes",
    ),
    (
        a_case_of(birth_date="12/03/1988"),
        "patient.birth_date",
        "'12/03/1988' is not a date; write it as 1988-03-12",
    ),
    (a_case_of(birth_date="1988-02-30"), "patient.birth_date", "is not a date"),
    (a_case_of(birth_date=""), "patient.birth_date", "is not a date"),
    (without(a_case(), "patient", "birth_date"), "patient.birth_date", "is not a date"),
    (a_case_of(birth_date="2026-03-15"), "patient.birth_date", "is in the future; correct it"),
    (a_case_of(birth_date="1888-03-12"), "patient.birth_date", "is too long ago; correct the year"),
    (a_case(answers=[]), "answers", "must be a JSON object from question ids to answers"),
    (a_case(answers=None), "answers", "must be a JSON object"),
    (
        a_case(answers={"teeth": "yes"}),
        "answers.teeth",
        "is not a question; use some of: pregnancy, pregnancy_planned",
    ),
    (
        a_case(answers={"iud": "maybe"}),
        "answers.iud",
        "'maybe' is not an answer; use one of: yes, no, unsure, private",
    ),
    (a_case(answers={"iud": True}), "answers.iud", "True must be one text"),
    (
        a_case(answers={"infection": "yes", "infection_symptoms": "fever"}),
        "answers.infection_symptoms",
        "'fever' must be a list of texts",
    ),
    (
        a_case(answers={"infection": "yes", "infection_since": "x" * 501}),
        "answers.infection_since",
        "is too long; write at most 500 characters",
    ),
    (
        a_case(answers={"infection": "yes", "infection_since": "a\x00b"}),
        "answers.infection_since",
        "has a control character; remove it: a\ufffdb",
    ),
    (
        a_case(answers={"infection": "no", "infection_since": "today"}),
        "answers.infection_since",
        "is only asked when infection is yes or unsure; remove it or correct infection",
    ),
]


@pytest.mark.parametrize(
    ("content", "place", "words"), FAULTS, ids=[f"{place}-{words}" for _, place, words in FAULTS]
)
def test_a_fault_names_its_place_and_what_to_write(content: object, place: str, words: str) -> None:
    faults = [fault for fault in faults_of(content) if fault.startswith(f"{place}: ")]
    assert len(faults) == 1
    assert words in faults[0]


def test_one_fault_is_reported_once() -> None:
    for content in (
        a_case(language="fr"),
        a_case_of(name=7),
        a_case_of(birth_date=7),
        a_case(answers={"iud": 1}),
    ):
        assert len(faults_of(content)) == 1


def test_all_faults_are_reported_at_once() -> None:
    content = a_case(language="fr", answers={"iud": "maybe", "teeth": "yes"}, colour="red")
    content["patient"] = {"name": "", "birth_date": "soon", "visit": 1, "sex": "f"}
    assert [fault.split(": ")[0] for fault in faults_of(content)] == [
        "colour",
        "language",
        "patient.sex",
        "patient.visit",
        "patient.name",
        "patient.birth_date",
        "answers.teeth",
        "answers.iud",
    ]


def test_a_wrong_language_does_not_hide_faults_in_the_answers() -> None:
    places = [
        fault.split(": ")[0] for fault in faults_of(a_case(language="fr", answers={"iud": "maybe"}))
    ]
    assert places == ["language", "answers.iud"]
