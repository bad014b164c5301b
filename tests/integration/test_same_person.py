"""Screenings of the same person are linked, compared and kept apart."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from io import BytesIO
from typing import Any

import pytest
from flask import Flask
from pypdf import PdfReader
from sqlalchemy import delete

from screening.domain.answers import Paper
from screening.extensions import db
from screening.installation import current_installation
from screening.services import same_person
from screening.storage import search
from screening.storage.audit import Actor
from screening.storage.database import write
from screening.storage.tables import AuditRow, SearchRow
from tests.builders import all_no
from tests.integration.colleague import Colleague
from tests.integration.test_upkeep import flask
from tests.storing import store

pytestmark = pytest.mark.one_database

both_databases = pytest.mark.both_databases

BORN = date(1971, 4, 9)
NEWER = "Newer answers arrived on"
EARLIER = "There are earlier answers"
PERHAPS = "Perhaps the same person has sent other answers."


def sent(
    app: Flask,
    name: str = "José María Núñez",
    birth_date: date = BORN,
    visit: str = "",
    *,
    hours_ago: float = 0,
    paper_days_ago: int | None = None,
    **answers: Any,
) -> str:
    """The reference of a screening that was sent some hours ago, "no" to all but `answers`."""
    at = datetime.now(UTC) - timedelta(hours=hours_ago)
    patient: dict[str, Any] = {"name": name, "birth_date": birth_date, "visit": visit}
    if paper_days_ago is not None:
        midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        on = midnight - timedelta(days=paper_days_ago)
        patient["paper"] = Paper(filled_in_at=on, typed_by="Dr desk")
    with app.app_context():
        installation = current_installation()
        values = all_no(**answers)
        return store(
            db.session,
            installation.keys,
            installation.books["en"],
            values,
            at=at,
            jobs=["summary"],
            **patient,
        ).reference


def related(app: Flask, reference: str) -> dict[str, list[str]]:
    """The references of the others, by how they are related."""
    with app.app_context():
        actor = Actor(
            session=db.session, keys=current_installation().keys, now=datetime.now(UTC), by="test"
        )
        found = same_person.related(actor, reference)
        kinds = ("earlier", "newer", "perhaps", "parted")
        return {
            kind: [other.reference for other in getattr(found, kind)]
            for kind in kinds
            if getattr(found, kind)
        }


@pytest.fixture
def dr(app: Flask) -> Colleague:
    return Colleague(app, "dr")


def say(dr: Colleague, reference: str, other: str, is_same: str) -> None:
    """Press the button beside the other screening on the page of one."""
    page = dr.get(f"/clinic/screenings/{reference}").text
    form = re.search(
        rf'name="other" value="{other}">\s*<input[^>]*name="seen" value="([^"]*)"', page
    )
    assert form is not None
    values = {"other": other, "seen": form[1], "is_same": is_same}
    dr.post(f"/clinic/screenings/{reference}/same-person", values)


@both_databases
@pytest.mark.parametrize(
    "name",
    [
        "José María Núñez",
        "jose maria nunez",
        "JOSE MARIA NUNEZ",
        "Núñez, José María",
        "Nuñez  José-María",
        "JoséMaría Núñez",
        "Nunez Josemaria",
        "Maria Nunez Jose",
    ],
)
def test_case_accents_order_and_spaces_of_a_name_make_no_difference(app: Flask, name: str) -> None:
    first = sent(app, hours_ago=2)
    second = sent(app, name)
    assert related(app, first) == {"newer": [second]}
    assert related(app, second) == {"earlier": [first]}


def test_the_same_visit_and_date_of_birth_are_the_same_person(app: Flask) -> None:
    first = sent(app, "Ann Lee", visit="V-12", hours_ago=1)
    second = sent(app, "Bo Tan", visit="v 12")
    assert related(app, first) == {"newer": [second]}


@pytest.mark.parametrize(
    "patient",
    [
        {"name": "José María Nunes"},
        {"name": "Josée María Núñez"},
        {"name": "Jos María Núñez"},
        {"name": "Rosé María Núñez"},
        {"birth_date": date(1971, 9, 4)},
        {"birth_date": date(1980, 1, 1), "name": "Somebody Else", "visit": "V-77"},
    ],
)
def test_who_is_similar_is_pointed_out_and_never_linked(
    sqlite_app: Flask, patient: dict[str, Any]
) -> None:
    first = sent(sqlite_app, visit="V-77", hours_ago=1)
    second = sent(sqlite_app, **patient)
    assert related(sqlite_app, first) == {"perhaps": [second]}
    assert related(sqlite_app, second) == {"perhaps": [first]}
    dr = Colleague(sqlite_app)
    dr.get(f"/clinic/screenings/{first}")
    assert PERHAPS in dr.text
    assert NEWER not in dr.text
    dr.decide(first, "proceed")
    assert "Decision: proceed" in dr.text


@pytest.mark.parametrize(
    "patient",
    [
        {"birth_date": date(1971, 4, 10)},
        {"name": "José María Pérez"},
        {"name": "José Núñez"},
        {"name": "Marta Gómez", "visit": "V-78"},
    ],
)
def test_somebody_else_is_not_pointed_out(sqlite_app: Flask, patient: dict[str, Any]) -> None:
    first = sent(sqlite_app, visit="V-77", hours_ago=1)
    second = sent(sqlite_app, **patient)
    assert related(sqlite_app, first) == related(sqlite_app, second) == {}


@pytest.mark.parametrize("visit", ["none", "no", "n/a", "нет"])
def test_words_in_place_of_a_visit_number_link_nobody(sqlite_app: Flask, visit: str) -> None:
    first = sent(sqlite_app, "Ann Lee", visit=visit, hours_ago=1)
    second = sent(sqlite_app, "Bo Tan", visit=visit)
    third = sent(sqlite_app, "Cy Fox", birth_date=date(1980, 1, 1), visit=visit)
    for reference in (first, second, third):
        assert related(sqlite_app, reference) == {}


def test_a_visit_that_many_people_wrote_hides_no_similar_name(sqlite_app: Flask) -> None:
    first = sent(sqlite_app, "Ann Lee", visit="7", hours_ago=9)
    typo = sent(sqlite_app, "Anne Lee", hours_ago=8)
    for number in range(6):
        sent(sqlite_app, f"Patient {number}{number}{number}", date(1980, 1, number + 1), "7")
    perhaps = related(sqlite_app, first)["perhaps"]
    assert perhaps[0] == typo
    assert len(perhaps) == 6


@both_databases
def test_what_an_older_release_stored_is_linked_after_init(app: Flask) -> None:
    first = sent(app, hours_ago=2)
    second = sent(app)
    with app.app_context(), write(db.session):
        tokens = search.tokens(current_installation().keys, ["folding 3", "name jose"])
        db.session.execute(delete(SearchRow).where(SearchRow.token.not_in(tokens)))
    assert related(app, first) == {}
    flask(app, "init")
    assert related(app, first) == {"newer": [second]}
    flask(app, "verify")


@both_databases
def test_the_older_of_two_shows_first_what_is_newer_and_what_differs(
    app: Flask, dr: Colleague
) -> None:
    older = sent(app, hours_ago=3)
    newer = sent(app, "nunez jose maria", infection="unsure", iud="yes")
    page = dr.get(f"/clinic/screenings/{older}").text
    assert NEWER in dr.text
    assert newer in dr.text
    differing = page[page.index(NEWER) : page.index('class="outcome ')]
    numbers = re.findall(r'<span class="small">(Q\d)\w*</span>', differing)
    with app.app_context():
        asked = [
            f"Q{at}"
            for at, one in enumerate(current_installation().books["en"].questions, start=1)
            if one.id in ("infection", "iud")
        ]
    assert list(dict.fromkeys(numbers)) == asked
    assert "not sure" in differing.lower()
    dr.get(f"/clinic/screenings/{newer}")
    assert NEWER not in dr.text
    assert EARLIER in dr.text
    dr.get("/clinic/")
    assert "Newer answers have arrived" in dr.text
    assert "Newest answers, there are earlier ones" in dr.text
    with app.app_context():
        noted = [(row.subject, row.detail) for row in db.session.query(AuditRow)]
    assert (newer, f"beside {older}") in noted


@both_databases
def test_deciding_on_older_answers_needs_a_reason(app: Flask, dr: Colleague) -> None:
    older = sent(app, hours_ago=3)
    sent(app, infection="yes")
    dr.decide(older, "proceed")
    assert "give your reason for deciding on these older ones" in dr.text
    assert "Decision: proceed" not in dr.text
    dr.decide(older, "proceed", reason="Spoke to the patient")
    assert "Decision: proceed" in dr.text
    assert "Spoke to the patient" in dr.text


def test_answers_that_arrive_while_somebody_decides_are_told_first(app: Flask) -> None:
    dr = Colleague(app)
    older = sent(app, hours_ago=3)
    dr.get(f"/clinic/screenings/{older}")
    sent(app, infection="yes")
    dr.post(f"/clinic/screenings/{older}/review", {"decision": "proceed", "note": "n", "seen": "0"})
    assert NEWER in dr.text
    assert "Decision: proceed" not in dr.text


def test_what_was_established_last_time_stands_beside_todays_answers(app: Flask) -> None:
    dr = Colleague(app)
    older = sent(app, hours_ago=48, infection="unsure")
    dr.clarify(older, "infection", infection="no", why="Looked at her")
    tomorrow = (datetime.now(UTC) + timedelta(days=3)).date().isoformat()
    dr.decide(older, "defer", until=tomorrow, note="Wait for the blood test")
    newer = sent(app, infection="unsure")
    page = dr.get(f"/clinic/screenings/{newer}").text
    last = page[page.index('id="earlier"') : page.index('<form class="review"')]
    for words in (
        "Looked at her",
        "Wait for the blood test",
        "Dr dr",
        "Established",
        "defer until",
    ):
        assert words in last
    # today's answer stays open
    assert 'class="outcome clarify"' in page
    assert "checked" not in page[page.index('<form class="review"') :]


def test_what_was_taken_back_since_the_last_decision_is_shown_too(app: Flask) -> None:
    dr = Colleague(app)
    decided = sent(app, hours_ago=900)
    dr.decide(decided, "proceed", note="All well")
    infection = sent(app, hours_ago=2, infection="yes", infection_symptoms=["fever"])
    again = sent(app, hours_ago=1)
    newest = sent(app)
    page = dr.get(f"/clinic/screenings/{newest}").text
    assert "There are earlier answers, and some differ." in dr.text
    earlier = page[page.index('id="earlier"') : page.index('<form class="review"')]
    assert "Fever" in earlier
    assert "All well" in earlier
    places = [earlier.index(reference) for reference in (again, infection, decided)]
    assert places == sorted(places)


@both_databases
def test_an_old_paper_that_is_typed_in_late_is_not_the_newest(app: Flask, dr: Colleague) -> None:
    phone = sent(app, hours_ago=1, infection="yes", infection_symptoms=["fever"])
    paper = sent(app, paper_days_ago=5)
    assert related(app, phone) == {"earlier": [paper]}
    assert related(app, paper) == {"newer": [phone]}
    five_days_ago = datetime.now(UTC) - timedelta(days=5)
    assert f"Paper of {five_days_ago:%d-%b-%Y}" in dr.get(f"/clinic/screenings/{phone}").text
    dr.decide(paper, "proceed")
    assert "give your reason for deciding on these older ones" in dr.text
    assert "NEWER ANSWERS" in printed(dr, paper)
    assert "Earlier answers of this patient" in printed(dr, phone)
    today = sent(app, paper_days_ago=0)  # at which hour is not known: as it was typed in
    assert related(app, today)["earlier"] == [paper, phone]


@both_databases
def test_a_prescriber_links_and_parts(app: Flask, dr: Colleague) -> None:
    first = sent(app, "Ann Lee", hours_ago=2)
    second = sent(app, "Anne Lee", infection="yes")
    third = sent(app, "Anne Lee")
    say(dr, first, second, "yes")
    # Who is linked with one is linked with all of that one.
    assert related(app, first) == {"newer": [second, third]}
    assert related(app, third)["earlier"] == [first, second]
    say(dr, first, second, "no")
    assert related(app, first) == {"parted": [second], "perhaps": [third]}
    say(dr, second, third, "no")
    assert related(app, second) == {"parted": [third, first]} or related(app, second) == {
        "parted": [first, third]
    }
    with app.app_context():
        noted = [row.action for row in db.session.query(AuditRow) if " " in row.subject]
    assert noted == ["linked", "parted", "parted"]
    flask(app, "verify")


def test_the_second_of_two_prescribers_is_told_of_the_first(app: Flask) -> None:
    dr = Colleague(app)
    first = sent(app, "Ann Lee", hours_ago=2)
    second = sent(app, "Anne Lee")
    other = Colleague(app, "other")
    other.get(f"/clinic/screenings/{first}")
    say(dr, first, second, "yes")
    values = {"other": second, "seen": "", "is_same": "no"}
    other.post(f"/clinic/screenings/{first}/same-person", values)
    assert "somebody else has decided meanwhile" in other.text
    assert related(app, first) == {"newer": [second]}


@both_databases
def test_a_decision_that_was_changed_unseen_does_not_count_and_is_found(
    app: Flask, dr: Colleague
) -> None:
    first = sent(app, hours_ago=2)
    second = sent(app)
    say(dr, first, second, "no")
    with app.app_context(), db.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE same_person SET is_same = NOT is_same")
    assert related(app, first) == {"newer": [second]}
    assert "same_person" in flask(app, "verify", code=1).output
    with app.app_context(), db.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM same_person")
    assert "not that of the audit log" in flask(app, "verify", code=1).output


def test_staff_see_only_that_somebody_has_sent_twice(app: Flask) -> None:
    staff = Colleague(app, "desk", "staff")
    first = sent(app, hours_ago=2)
    sent(app, infection="yes")
    staff.get("/clinic/")
    assert staff.text.count("Sent more than once") == 2
    assert "Newer answers" not in staff.text
    staff.post(f"/clinic/screenings/{first}/same-person", {"other": first, "is_same": "yes"})
    assert staff.page.status_code == 403


def test_printed_pages_and_verify_tell_of_newer_answers(app: Flask) -> None:
    dr = Colleague(app)
    older = sent(app, hours_ago=2)
    code = re.search(r"[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}", printed(dr, older))
    assert code is not None
    stranger = Colleague(app, "desk", "staff")
    assert "Newer answers" not in stranger.get(f"/verify?code={code[0]}").text
    newer = sent(app, infection="yes")
    page = stranger.get(f"/verify?code={code[0]}").text
    assert "Newer answers from this patient" in page
    assert newer not in page
    dr.decide(older, "defer", until="2099-01-01", reason="Waiting")
    assert f"NEWER ANSWERS of this patient arrived on {datetime.now(UTC):%d-%b-%Y}" in printed(
        dr, older
    )
    assert "Earlier answers of this patient arrived on" in printed(dr, newer)


def printed(dr: Colleague, reference: str) -> str:
    pdf = dr.get(f"/clinic/screenings/{reference}/summary.pdf").data
    words = " ".join(page.extract_text() for page in PdfReader(BytesIO(pdf)).pages)
    return " ".join(words.split())
