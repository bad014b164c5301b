"""What cannot be seen is held against nobody, wherever it is typed: pages, sign-in, commands."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from flask import Flask

from screening.extensions import db
from screening.services import people
from tests.integration.colleague import Colleague
from tests.integration.test_upkeep import flask
from tests.integration.visitor import Visitor

pytestmark = pytest.mark.one_database


def test_patient_and_staff_type_what_cannot_be_seen_and_nobody_notices(sqlite_app: Flask) -> None:
    visitor = Visitor(sqlite_app)
    dr = Colleague(sqlite_app)
    since = {
        "infection": "yes",
        "infection_since": "\u0645\u0646\u0630\u200f 3 \u0623\u064a\u0627\u0645",
    }
    born = {"birth_day": "\u200e12\u200b", "birth_month": "March\ufeff", "birth_year": "19\u206088"}
    visitor.fill_in(
        {"infection": since},
        name="\u200f\u05d3\u05d5\u05d3 \u05dc\u05d5\u05d9",
        visit="V\u00ad-1",
        **born,
    )
    reference = visitor.send()
    dr.post("/clinic/search", {"search": "\u200f\u05dc\u05d5\u05d9\u200b"})
    assert reference in dr.text
    assert "\u05d3\u05d5\u05d3 \u05dc\u05d5\u05d9" in dr.text
    dr.get(f"/clinic/screenings/{reference}")
    assert "\u0645\u0646\u0630 3 \u0623\u064a\u0627\u0645" in dr.text
    assert not set(dr.text) & set("\u200e\u200f\u200b\u00ad\u2060\ufeff")


def test_a_control_character_is_shown_where_it_stands(sqlite_app: Flask) -> None:
    visitor = Visitor(sqlite_app)
    visitor.begin()
    visitor.answer({"pregnancy": {"pregnancy": "yes"}, "breastfeeding": {"breastfeeding": "no"}})
    visitor.post(
        "/questions/infection", {"infection": "yes", "infection_since": "since\x07 Monday"}
    )
    assert "Delete each \ufffd. It stands for a sign that cannot be printed" in visitor.text
    assert "since\ufffd Monday" in visitor.text


def test_a_person_is_added_and_signs_in_with_unseen_characters_in_the_name(
    sqlite_app: Flask,
) -> None:
    admin = Colleague(sqlite_app, "boss", "admin")
    admin.get("/admin/people")
    added = {
        "sign_in_name": "\u200enur\u200bse",
        "full_name": "\u2068Nurse\u00ad N.\u2069",
        "roles": ["staff"],
    }
    admin.post("/admin/people", added)
    with sqlite_app.app_context():
        person = people.find(db.session, "nurse\ufeff")
        assert person is not None
        assert person.full_name == "Nurse N."
    dr = Colleague(sqlite_app)
    dr.post("/account/sign-out")
    dr.sign_in(name="\u200edr\u200b")
    assert dr.get("/clinic/").request.path == "/clinic/"


@pytest.mark.parametrize("full_name", ["Nurse\x07", "N" * 121], ids=["control", "long"])
def test_a_name_of_a_person_that_cannot_be_printed_is_refused_at_its_field(
    sqlite_app: Flask, full_name: str
) -> None:
    admin = Colleague(sqlite_app, "boss", "admin")
    admin.get("/admin/people")
    admin.post(
        "/admin/people", {"sign_in_name": "nurse", "full_name": full_name, "roles": ["staff"]}
    )
    assert "Enter a name of at most 120 letters" in admin.text
    assert 'href="#full_name"' in admin.page.text
    with sqlite_app.app_context():
        assert people.find(db.session, "nurse") is None


def test_a_case_file_is_read_as_it_is_seen_by_the_command(
    sqlite_app: Flask, tmp_path: Path
) -> None:
    patient = {"name": "\u200fאנה\u200b", "birth_date": "1988-03-12\u200e"}
    case = {
        "patient": patient,
        "answers": {"infection": "yes\u200b", "infection_since": "since\u200b Monday"},
    }
    (tmp_path / "case.json").write_text(json.dumps(case), encoding="utf-8")
    said = flask(sqlite_app, "screen", str(tmp_path / "case.json"), "--json").output
    assert json.loads(said)["outcome"] == "contraindication"
