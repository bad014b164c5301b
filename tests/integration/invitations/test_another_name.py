"""An invited patient who writes another name or date of birth says which is right."""

from __future__ import annotations

import pytest
from flask import Flask

from tests.integration.colleague import Colleague
from tests.integration.invitations.test_invitations import invited, opened
from tests.integration.invitations.test_invited_again import ABOUT, sent_by_link
from tests.integration.test_patient_way import stored
from tests.integration.visitor import NO_TO_ALL, Visitor

pytestmark = pytest.mark.one_database

QUESTION = "The clinic knows another name or date of birth. Which is right?"
CHOOSE = "Choose the name and date of birth that are right"
ANOTHER_NAME = {"name": "Sample Married"}
ANOTHER_DAY = {"birth_day": "13"}


def asked(visitor: Visitor) -> bool:
    """Whether the page asks which is right, and goes no further."""
    assert (QUESTION in visitor.text) == (visitor.path == "/about-you"), visitor.text
    return QUESTION in visitor.text


@pytest.mark.parametrize("other", [ANOTHER_NAME, ANOTHER_DAY])
def test_the_patient_is_asked_and_what_the_clinic_has_can_be_taken(
    app: Flask, other: dict[str, str]
) -> None:
    _made, path = invited(app)
    visitor = opened(app, path)
    visitor.post("/about-you", {**ABOUT, **other, "visit": "V-10"})
    assert asked(visitor)
    assert "Sample Patient" in visitor.text
    visitor.post("/about-you", {**ABOUT, **other, "visit": "V-10"})
    assert asked(visitor)
    assert CHOOSE in visitor.text
    visitor.post("/about-you", {**ABOUT, **other, "visit": "V-10", "right": "known"})
    assert not asked(visitor)
    visitor.answer(NO_TO_ALL)
    patient = stored(app, visitor.send()).patient
    assert (patient.name, str(patient.birth_date), patient.visit) == (
        "Sample Patient",
        "1988-03-12",
        "V-10",
    )


def test_what_was_typed_can_be_right_and_is_not_asked_again(app: Flask) -> None:
    made, path = invited(app)
    visitor = opened(app, path)
    visitor.post("/about-you", {**ABOUT, **ANOTHER_NAME, "right": "typed"})
    assert not asked(visitor)
    visitor.answer(NO_TO_ALL)
    visitor.get("/about-you")
    visitor.post("/about-you", {**ABOUT, **ANOTHER_NAME})
    assert not asked(visitor)
    reference = visitor.send()
    assert stored(app, reference).patient.name == "Sample Married"
    staff = Colleague(app, "desk", "staff")
    page = staff.get(f"/clinic/invitations/{made}").text
    assert "Answers sent, not as invited" in page
    assert "Sample Married" in page
    assert "Sample Patient" in page
    # The invited patient's answers are still awaited.
    assert made in staff.get("/clinic/invitations/").text


@pytest.mark.parametrize("name", ["SAMPLE  patient", "Patient, Sample", "Sámple Pátient"])
def test_another_way_of_writing_the_name_asks_nothing(app: Flask, name: str) -> None:
    _made, path = invited(app)
    visitor = opened(app, path)
    visitor.post("/about-you", {**ABOUT, "name": name})
    assert not asked(visitor)


def test_whoever_changes_answers_is_asked_too(app: Flask) -> None:
    _made, path, _visitor, first = sent_by_link(app)
    again = opened(app, path)
    again.post(f"{path}/sent")
    again.post("/about-you", {**ABOUT, **ANOTHER_NAME})
    assert asked(again)
    again.post("/about-you", {**ABOUT, **ANOTHER_NAME, "right": "typed"})
    assert not asked(again)
    second = again.send()
    dr = Colleague(app)
    dr.get(f"/clinic/screenings/{second}")
    assert "Not as invited" in dr.text
    # The same link and date of birth: the screenings belong together.
    assert "There are earlier answers." in dr.text
    assert first in dr.text


def test_patients_without_a_link_are_not_asked(app: Flask) -> None:
    visitor = Visitor(app)
    visitor.fill_in()
    visitor.post("/about-you", {**ABOUT, **ANOTHER_NAME})
    assert not asked(visitor)
