"""A paper form that staff type in: the patient's pages and rules, with what is empty left open."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select

from screening.domain.assessment import Screening
from screening.domain.entries import Status
from screening.extensions import db
from screening.installation import current_installation
from screening.rulebooks.load import AZATHIOPRINE
from screening.services import paper_entry, people, questionnaire
from screening.storage import audit
from screening.storage.tables import AuditRow
from tests.builders import book
from tests.integration.colleague import Colleague
from tests.integration.test_paper import text_of
from tests.integration.test_patient_way import stored
from tests.integration.test_printed_summary import words
from tests.integration.test_signing_in import leave_idle
from tests.integration.test_upkeep import flask
from tests.integration.visitor import NO_TO_ALL, SAMPLE, Visitor
from tests.storing import act_of

pytestmark = pytest.mark.one_database

START = "/clinic/paper/enter"
EMPTY = {"left_empty": "1"}


class Typist(Colleague):
    """Somebody of the staff who types in paper forms."""

    def __init__(self, app: Flask, name: str = "reception", *roles: str) -> None:
        super().__init__(app, name, *(roles or ("staff",)))
        self.form = ""

    def begin_paper(self, code: str = "en", **about: str) -> None:
        """Begin a form and type in the patient."""
        self.get(START)
        self.post(START, {"code": code})
        self.form = self.path.removesuffix("/about-you")
        today = current_installation(self.app).today()
        self.post(self.path, {**SAMPLE, "paper_date": today.isoformat(), **about})

    def type_in(self, pages: dict[str, dict[str, object]] | None = None, **about: str) -> None:
        """Everything up to the check page; `pages` replace the answers "no"."""
        self.begin_paper(**about)
        for question, values in {**NO_TO_ALL, **(pages or {})}.items():
            self.post(f"{self.form}/questions/{question}", values)
        assert self.path == f"{self.form}/check", self.text

    def record(self, **more: str) -> str:
        """Send the form after the second look, and return the reference."""
        seen = re.search(r'name="seen" value="(\w+)"', self.page.text)
        assert seen is not None
        self.post(f"{self.form}/submit", {"compared": "1", "seen": seen[1], **more})
        found = re.search(r"recorded as ([0-9A-Z]{4}-[0-9A-Z]{4})", self.text)
        assert found is not None, self.text
        return found[1]


@pytest.fixture
def typist(app: Flask) -> Typist:
    return Typist(app)


def words_of(browser: Visitor, path: str = "") -> str:
    if path:
        browser.get(path)
    return " ".join(browser.text.split())


def paper_screening(app: Flask, typist: Typist, **about: str) -> Screening:
    typist.type_in(**about)
    return stored(app, typist.record())


@pytest.mark.both_databases
def test_a_paper_form_is_told_wherever_its_answers_are_read(
    app: Flask, typist: Typist, tmp_path: Path
) -> None:
    yesterday = current_installation(app).today() - timedelta(days=1)
    typist.type_in(paper_date=yesterday.isoformat())
    reference = typist.record()
    screening = stored(app, reference)
    assert screening.status is Status.NEW
    assert screening.patient.paper is not None
    assert screening.patient.paper.typed_by == "Dr reception"
    line = f"From paper, typed by Dr reception. Date on the paper: {yesterday:%d-%b-%Y}."
    dr = Colleague(app)
    assert line in words_of(dr, f"/clinic/screenings/{reference}")
    pdf = words(text_of(dr.get(f"/clinic/screenings/{reference}/summary.pdf").data))
    assert words(line) in pdf
    flask(app, "export", str(tmp_path / "csv"), "--since", "2020-01-01")
    (row,) = csv.DictReader((tmp_path / "csv").read_text(encoding="utf-8-sig").splitlines())
    assert (row["paper_date"], row["typed_by"]) == (yesterday.isoformat(), "Dr reception")
    flask(app, "export", str(tmp_path / "fhir"), "--since", "2020-01-01", "--format", "fhir")
    bundle = json.loads((tmp_path / "fhir").read_text())
    by_kind = {entry["resource"]["resourceType"]: entry["resource"] for entry in bundle["entry"]}
    (mode,) = by_kind["QuestionnaireResponse"]["extension"]
    assert mode["valueCodeableConcept"]["coding"][0]["code"] == "WRITTEN"
    assert f"From paper of {yesterday}, typed by Dr reception" in str(mode)
    assert {"who": {"display": "Dr reception"}} in by_kind["Provenance"]["agent"]
    with app.app_context():
        row = audit.last(db.session, "submitted")
        assert row is not None
        assert (row.actor, row.subject, row.detail) == ("reception", reference, "from paper")
    flask(app, "verify")


def test_what_was_sent_from_a_screen_says_nothing_of_paper(app: Flask, visitor: Visitor) -> None:
    visitor.fill_in()
    reference = visitor.send()
    assert stored(app, reference).patient.paper is None
    page = words_of(Colleague(app), f"/clinic/screenings/{reference}")
    assert "Submitted" in page
    assert "From paper" not in page


def test_an_empty_box_is_no_answer_and_never_no(app: Flask, typist: Typist) -> None:
    typist.begin_paper()
    typist.post(typist.path, {})
    assert "Choose what is ticked on the paper, or say that it is empty" in words_of(typist)
    for question in book().questions:
        typist.post(f"{typist.form}/questions/{question.id}", EMPTY)
    assert typist.path == f"{typist.form}/check"
    assert words_of(typist).count("Empty or unreadable on the paper") == len(book().questions)
    reference = typist.record()
    screening = stored(app, reference)
    assert screening.answers.given == ()
    page = words_of(Colleague(app), f"/clinic/screenings/{reference}")
    assert "Clarify before deciding" in page
    assert page.count("No answer") >= len(book().questions)


def test_an_answer_that_is_read_after_all_is_not_empty_any_more(app: Flask, typist: Typist) -> None:
    typist.type_in({"pregnancy": EMPTY})
    assert "Empty or unreadable on the paper" in words_of(typist)
    assert "checked" in typist.get(f"{typist.form}/questions/pregnancy").text
    typist.post(f"{typist.form}/questions/pregnancy", {**NO_TO_ALL["pregnancy"]})
    assert typist.path == f"{typist.form}/check"
    assert "Empty or unreadable on the paper" not in words_of(typist)
    assert stored(app, typist.record()).answers.value("pregnancy") == "no"


def test_patients_cannot_leave_a_question_empty(visitor: Visitor) -> None:
    visitor.begin()
    asked = visitor.path
    visitor.post(asked, EMPTY)
    assert visitor.path == asked
    assert "There is a problem" in visitor.text


def test_answers_are_as_old_as_their_paper(app: Flask, typist: Typist) -> None:
    long_ago = current_installation(app).today() - timedelta(days=9)
    reference = paper_screening(app, typist, paper_date=long_ago.isoformat()).reference
    dr = Colleague(app)
    assert "Confirm answers again" in words_of(dr, "/clinic/")
    assert "too old to rely on" in words_of(dr, f"/clinic/screenings/{reference}")


@pytest.mark.parametrize("typed", ["", "yesterday", "2999-01-01", "0206-11-29", "1988-03-11"])
def test_the_date_on_the_paper_is_needed_and_not_in_the_future_or_before_the_birth(
    typist: Typist, typed: str
) -> None:
    typist.begin_paper(paper_date=typed)
    assert typist.path.endswith("/about-you")
    assert "date on the paper" in words_of(typist).lower()
    assert 'value="Sample Patient"' in typist.page.text


def test_it_is_sent_only_after_a_second_look_at_what_is_sent(app: Flask, typist: Typist) -> None:
    typist.type_in()
    typist.post(f"{typist.form}/submit", {})
    assert "Compare every answer with the paper" in words_of(typist)
    seen = re.search(r'name="seen" value="(\w+)"', typist.page.text)
    assert seen is not None
    typist.post(f"{typist.form}/questions/infection", {"infection": "unsure"})  # in another tab
    typist.post(f"{typist.form}/submit", {"compared": "1", "seen": seen[1]})
    assert "The form has changed since" in words_of(typist)
    assert stored(app, typist.record()).answers.value("infection") == "unsure"


def test_back_after_sending_sends_nothing_twice(app: Flask, typist: Typist) -> None:
    typist.type_in()
    seen = re.search(r'name="seen" value="(\w+)"', typist.page.text)
    assert seen is not None
    reference = typist.record()
    typist.post(f"{typist.form}/submit", {"compared": "1", "seen": seen[1]})
    assert f"recorded as {reference}" in words_of(typist)
    for path in ("about-you", "questions/iud", "check", "continue"):
        assert f"recorded as {reference}" in words_of(typist, f"{typist.form}/{path}")
    typist.post(f"{typist.form}/questions/iud", {"iud": "yes"})
    assert f"recorded as {reference}" in words_of(typist)
    with app.app_context():
        assert audit.count(db.session, "submitted", after=0) == 1


def test_a_session_that_ends_half_way_loses_nothing(app: Flask, typist: Typist) -> None:
    typist.begin_paper()
    asked = typist.path
    leave_idle(app)
    typist.post(asked, {"pregnancy": "unsure", **EMPTY})
    assert typist.page.status_code == 401
    typist.sign_in()
    typist.get(asked)
    assert 'value="unsure" checked' in typist.page.text
    assert 'name="left_empty" value="1" checked' in typist.page.text
    assert "It is not recorded yet" in words_of(typist)
    assert "Sample Patient" in words_of(typist, START)


def test_two_people_and_two_forms_at_once_stay_apart(app: Flask, typist: Typist) -> None:
    other = Typist(app, "nurse", "prescriber")
    other.begin_paper(name="Other Patient")
    typist.begin_paper(name="First Patient")
    first = typist.form
    typist.begin_paper(name="Second Patient")
    listed = words_of(typist, START)
    assert "First Patient" in listed
    assert "Second Patient" in listed
    assert "Other Patient" not in listed
    assert "First Patient" in typist.get(f"{first}/about-you").text
    assert "Second Patient" in typist.get(f"{typist.form}/about-you").text
    assert "Other Patient" not in typist.get(f"{other.form}/about-you").text
    assert "is not kept any more" in words_of(typist)


def test_neither_way_reaches_the_drafts_of_the_other(app: Flask, typist: Typist) -> None:
    typist.begin_paper()
    assert typist.client.get_cookie("draft") is None
    visitor = Visitor(app)
    visitor.begin(name="Marker Visitor")
    cookie = visitor.client.get_cookie("draft")
    assert cookie is not None
    typist.client.set_cookie("draft", cookie.value)
    typist.begin_paper(name="Marker Paper")
    assert "Marker Visitor" not in typist.get(f"{typist.form}/about-you").text
    number = typist.form.rpartition("/")[2]
    for token in (number, f"en/{number}", typist.form):
        visitor.client.set_cookie("draft", token)
        assert visitor.get("/about-you").status_code == 410
    typist.get(f"{START}/en/{cookie.value.partition('~')[0]}/about-you")
    assert "is not kept any more" in words_of(typist)


def test_the_form_is_in_the_language_of_the_paper(make_app: Callable[..., Flask]) -> None:
    app = make_app(unreviewed_languages=("es",))
    typist = Typist(app)
    typist.begin_paper("es")
    assert typist.path == f"{typist.form}/questions/pregnancy"
    assert current_installation(app).read(AZATHIOPRINE)["es"].questions[0].ask in typist.text
    assert "Never fill in what is empty" in typist.text  # for staff, in the clinic's language
    typist.post(typist.path, {})
    assert "Choose what is ticked on the paper" in typist.text
    typist.get(START)
    assert typist.post(START, {"code": "xx"}).status_code == 400
    assert typist.get(f"{START}/xx/1/about-you").status_code == 404


def test_staff_see_no_outcome_of_what_they_typed(app: Flask, typist: Typist) -> None:
    typist.type_in({"infection": {"infection": "yes", "infection_kind": ["serious"]}})
    reference = typist.record()
    assert "ontraindication" not in typist.text
    assert typist.get(f"/clinic/screenings/{reference}").status_code == 403


def test_a_form_that_was_begun_is_deleted_by_hand(app: Flask, typist: Typist) -> None:
    typist.begin_paper(name="Marker Patient")
    other = Typist(app, "nurse")
    other.post(f"{typist.form}/delete")
    assert "is not kept any more" in words_of(other)
    assert "Marker Patient" in words_of(typist, START)
    typist.post(f"{typist.form}/delete")
    assert "The paper form was deleted." in words_of(typist)
    assert "Marker Patient" not in words_of(typist)
    typist.post(START, {"code": "en"})
    typist.get(START)
    assert "No name yet" in words_of(typist)
    typist.post(f"{re.findall('/clinic/paper/enter/en/[0-9a-f]+', typist.page.text)[0]}/delete")
    assert "No name yet" not in words_of(typist)
    with app.app_context():
        deleted = db.session.scalars(
            select(AuditRow).where(AuditRow.action == "paper form deleted")
        ).all()
    assert [(row.actor, row.subject, row.detail) for row in deleted] == [("reception", "", "")]


def test_what_is_recorded_is_not_deleted(app: Flask, typist: Typist) -> None:
    reference = paper_screening(app, typist).reference
    typist.get(START)
    typist.post(f"{typist.form}/delete")
    assert f"recorded as {reference}" in words_of(typist)


def test_no_form_is_lost_among_many(app: Flask, typist: Typist) -> None:
    typist.begin_paper(name="First Patient")
    for _ in range(31):
        typist.post(START, {"code": "en"})
        typist.get(START)
    assert "First Patient" in words_of(typist)


def test_a_form_is_listed_for_as_long_as_it_is_kept(app: Flask, typist: Typist) -> None:
    typist.begin_paper(name="Slow Patient")
    with app.app_context():
        keep = timedelta(hours=current_installation().settings.draft_hours)
        actor = act_of(app, now=datetime.now(UTC) + keep - timedelta(minutes=1))
        person = people.find(db.session, "reception")
        assert person is not None
        place = typist.form.removeprefix(f"{START}/")
        questionnaire.record(
            actor,
            paper_entry.token(actor.keys, person.id, place),
            lambda draft: draft,
            keep=keep,
        )
        later = replace(actor, now=actor.now + timedelta(hours=1))
        assert [at for at, _draft in paper_entry.begun(later, person.id)] == [place]


def test_staff_are_not_addressed_as_the_patient(app: Flask, typist: Typist) -> None:
    typist.begin_paper(name="")
    for word in ("About you", "Your name", "Your date of birth", "if you have one", "knows you"):
        assert word not in typist.text
    assert "Enter the patient’s name" in typist.text
    typist.type_in()
    for word in (
        "Check your answers",
        "Your answers",
        "About you",
        "Your name",
        "Your date of birth",
    ):
        assert word not in typist.text


def test_what_is_typed_survives_go_on_later(typist: Typist) -> None:
    typist.begin_paper()
    asked = typist.path
    typist.post(asked, {"pregnancy": "no", "stop": "1"})  # a detail is missing
    assert typist.path == START
    typist.get(f"{typist.form}/continue")
    assert typist.path == asked
    assert 'value="no" checked' in typist.page.text
