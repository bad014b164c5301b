"""Who fills in the form: asked kindly, kept sealed, told wherever the answers are read."""

from __future__ import annotations

import csv
import json
import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from flask import Flask

from screening.domain.answers import Answers, Patient, Respondent, Role
from screening.extensions import db
from screening.installation import current_installation
from screening.storage import drafts, records
from screening.storage.drafts import Draft
from screening.storage.tables import DraftRow
from tests.integration.colleague import Colleague
from tests.integration.test_paper import text_of
from tests.integration.test_patient_way import stored
from tests.integration.test_printed_summary import words
from tests.integration.test_upkeep import flask
from tests.integration.visitor import SAMPLE, Visitor

pytestmark = pytest.mark.one_database

INTERPRETER = {"respondent": "interpreter", "respondent_name": " Ana Interpreter "}
PRIVATE = {"breastfeeding": {"breastfeeding": "private"}}
LINE = "Answers given by the patient’s interpreter (Ana Interpreter)."
NOT_ALONE = "Not answered alone: the patient’s interpreter (Ana Interpreter) filled this in."


@pytest.mark.both_databases
def test_an_interpreter_is_named_wherever_the_answers_are_read(
    app: Flask, visitor: Visitor, tmp_path: Path
) -> None:
    visitor.fill_in(PRIVATE, **INTERPRETER)
    assert "I am the interpreter – Ana Interpreter" in visitor.text
    assert "Your name" not in visitor.text
    reference = visitor.send()
    assert stored(app, reference).patient.respondent == Respondent(
        role=Role.INTERPRETER, name="Ana Interpreter"
    )
    assert "I am the interpreter – Ana Interpreter" in words_of(visitor, "/copy")
    assert words("I am the interpreter – Ana Interpreter") in text_of(visitor.get("/copy.pdf").data)
    dr = Colleague(app)
    page = words_of(dr, f"/clinic/screenings/{reference}")
    assert LINE in page
    assert NOT_ALONE in page
    assert "Self-reported" not in page
    pdf = words(text_of(dr.get(f"/clinic/screenings/{reference}/summary.pdf").data))
    assert words(LINE) in pdf
    assert words(NOT_ALONE) in pdf
    flask(app, "export", str(tmp_path / "out"), "--since", "2020-01-01")
    (row,) = csv.DictReader((tmp_path / "out").read_text(encoding="utf-8-sig").splitlines())
    assert (row["respondent"], row["respondent_name"]) == ("interpreter", "Ana Interpreter")


def test_a_helper_who_leaves_the_name_empty_is_asked_for_that_of_the_patient(
    visitor: Visitor,
) -> None:
    visitor.begin(name="", **INTERPRETER)
    page = words_of(visitor, "/about-you")
    assert page.count("Enter the patient’s name") == 2
    assert "As the clinic knows the patient" in page
    visitor.post("/about-you", {**SAMPLE, "name": ""})
    page = words_of(visitor, "/about-you")
    assert page.count("Enter your name") == 2
    assert "As the clinic knows you" in page


def words_of(browser: Visitor | Colleague, path: str) -> str:
    browser.get(path)
    return " ".join(browser.text.split())


def test_a_patient_alone_and_one_who_does_not_say_get_no_such_lines(app: Flask) -> None:
    dr = Colleague(app)
    for said, line in (
        ({"respondent": "patient"}, "Answers given by the patient."),
        ({}, "Self-reported"),
    ):
        visitor = Visitor(app)
        visitor.fill_in(PRIVATE, **said)
        page = words_of(dr, f"/clinic/screenings/{visitor.send()}")
        assert line in page
        assert "Not answered alone" not in page
        assert "Self-reported" in page
    assert "Answers given by" not in page


def test_the_questions_say_that_they_are_about_the_patient_where_somebody_else_answers(
    visitor: Visitor,
) -> None:
    visitor.begin(**INTERPRETER)
    assert "“You” means the patient: Sample Patient" in " ".join(visitor.text.split())
    visitor.post("/about-you", {**SAMPLE, "respondent": "patient"})
    assert visitor.path == "/questions/pregnancy"
    assert "“You” means the patient" not in visitor.text


def test_the_name_is_asked_of_others_only_and_kept_when_it_is_too_long(
    app: Flask, visitor: Visitor
) -> None:
    visitor.begin(respondent="helper", respondent_name="x" * 121)
    assert visitor.path == "/about-you"
    assert 'href="#respondent_name"' in visitor.page.text
    assert "x" * 121 in visitor.page.text
    visitor.post("/about-you", {**SAMPLE, "respondent": "patient", "respondent_name": "x" * 121})
    assert visitor.path == "/questions/pregnancy"
    visitor.post("/about-you", {**SAMPLE, "respondent": "somebody"})
    assert visitor.path == "/questions/pregnancy"


def test_what_an_older_release_stored_is_read_and_its_check_code_stays(app: Flask) -> None:
    born = date(1988, 3, 12)
    now = datetime.now(UTC)
    older = {"name": "Sample Patient", "birth_date": born.isoformat(), "visit": "V-1"}
    patient = Patient(name="Sample Patient", birth_date=born, visit="V-1")
    assert json.loads(records.encode(patient)) == older  # check codes are made of this
    assert records.patient(older) == patient
    with app.app_context():
        keys = current_installation().keys
        row = DraftRow(token_hash="x", expires_at=now + timedelta(hours=1))
        row.seal(keys, "sealed_draft", records.encode({"patient": older, "answers": Answers()}))
        db.session.add(row)
        db.session.flush()
        assert drafts.find(db.session, keys, "x", now=now) == Draft(patient=patient)


def test_a_case_file_tells_who_filled_it_in(app: Flask, tmp_path: Path) -> None:
    case = {
        "patient": {"name": "Sample Patient", "birth_date": "1988-03-12"},
        "answers": {"iud": "private"},
    }
    (tmp_path / "case").write_text(
        json.dumps({**case, "respondent": {"role": "interpreter", "name": "Ana Interpreter"}})
    )
    flask(app, "screen", str(tmp_path / "case"), "--pdf", str(tmp_path / "pdf"))
    pdf = text_of((tmp_path / "pdf").read_bytes())
    assert words(LINE) in pdf
    assert words(NOT_ALONE) in pdf


def test_a_copy_for_a_shared_phone_has_no_answers(visitor: Visitor) -> None:
    visitor.fill_in(PRIVATE)
    reference = visitor.send()
    assert 'href="/copy?answers=no"' in visitor.page.text
    page = words_of(visitor, "/copy?answers=no")
    pdf = text_of(visitor.get("/copy.pdf?answers=no").data)
    assert 'href="/copy.pdf?answers=no"' in visitor.get("/copy?answers=no").text
    for text in (words(page), pdf):
        assert reference in text
        assert words("Your copy, without your answers") in text
        assert words("breastfeeding") not in text
        assert words("in private") not in text
    assert words("in private") in text_of(visitor.get("/copy.pdf").data)


def test_the_choice_of_a_private_talk_is_the_quietest_answer(visitor: Visitor) -> None:
    visitor.fill_in(PRIVATE)
    quiet = 'class="answer private" dir="auto">I would rather tell staff in private<'
    assert visitor.page.text.count(quiet) == visitor.page.text.count('private" dir') == 1
    visitor.send()
    assert quiet in visitor.get("/copy").text


def autofill(visitor: Visitor) -> dict[str, str]:
    """The token of each input that browsers may fill in."""
    tokens = re.findall(
        r'<input type="text" id="(\w+)"[^>]* autocomplete="([\w-]+)"', visitor.page.text
    )
    return {name: token for name, token in tokens if token != "off"}


def test_a_browser_may_fill_in_whom_its_device_belongs_to(visitor: Visitor) -> None:
    visitor.get("/")
    visitor.post("/")
    born = {"birth_day": "bday-day", "birth_month": "bday-month", "birth_year": "bday-year"}
    assert autofill(visitor) == {"name": "name", **born}
    visitor.post("/about-you", {**SAMPLE, **INTERPRETER, "name": ""})
    assert visitor.path == "/about-you"
    assert autofill(visitor) == {"respondent_name": "name"}
