"""Who is expected today: the first part of the inbox, its filters and orders, for staff too."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from html import unescape
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text

from screening.domain.answers import Patient, read_answers
from screening.extensions import db
from screening.features.invitations import service
from screening.features.invitations.invitation import Invitation
from screening.features.invitations.tables import InvitationRow
from screening.installation import current_installation
from screening.operating import overlooked
from screening.storage import screenings
from screening.storage.codes import new_reference
from screening.storage.database import write
from screening.storage.tables import ScreeningRow
from tests.builders import all_no
from tests.integration.colleague import Colleague
from tests.storing import act_of, store

pytestmark = pytest.mark.one_database
both_databases = pytest.mark.both_databases

BORN = date(1988, 3, 12)
NOON = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)
CONTRA = {"pregnancy": "yes"}


def expect(
    app: Flask,
    name: str,
    at: datetime | None,
    *,
    prescriber: str = "Dr dr",
    answers: dict[str, Any] | None = None,
    answered_as: str = "",
) -> str:
    """Invite a patient to an appointment; with answers, the reference of what was sent."""
    with app.app_context():
        actor = act_of(app)
        invitation_id = service.new_id()
        patient = Patient(name=name, birth_date=BORN, visit=f"V {name}")
        invitation = Invitation(
            patient=patient, language="en", appointment=at, prescriber=prescriber
        )
        service.create(actor, {invitation_id: invitation}, until=actor.now + timedelta(days=7))
        if answers is None:
            return invitation_id
        book = current_installation().books["en"]
        given = {"name": answered_as or name, "birth_date": BORN, "visit": patient.visit}
        sent = store(db.session, actor.keys, book, all_no(**answers), **given)
        with write(db.session):
            row = db.session.get_one(InvitationRow, invitation_id)
            query = text("SELECT draft_hash FROM screenings WHERE reference = :reference")
            row.draft_hash = db.session.execute(query, {"reference": sent.reference}).scalar_one()
        return sent.reference


def walk_in(app: Flask, name: str, *, birth_date: date = date(1971, 4, 9), **answers: Any) -> str:
    """A screening that nobody was invited to."""
    with app.app_context():
        installation = current_installation()
        patient = {"name": name, "birth_date": birth_date, "visit": f"V {name}"}
        return store(
            db.session, installation.keys, installation.books["en"], all_no(**answers), **patient
        ).reference


def words(page: Colleague) -> str:
    """The text of the page with single spaces."""
    return " ".join(page.text.split())


def expected_names(page: Colleague) -> list[str]:
    """The patients in the table of who is expected."""
    table = page.page.text.partition('class="inbox expected"')[2].partition("</table>")[0]
    return re.findall(r"<a [^>]*><bdi>([^<]+)</bdi>", table)


def other_names(page: Colleague) -> list[str]:
    """The patients in the list below it."""
    _before, table, rest = page.page.text.rpartition('<table class="inbox">')
    return re.findall(
        r'<th scope="row">\s*(?:<label.*?</label>)?\s*(?:<a [^>]*>)?<bdi>([^<]+)</bdi>',
        rest if table else "",
        re.DOTALL,
    )


@pytest.fixture
def a_day(app: Flask) -> dict[str, str]:
    """A day with answers and without; what belongs to other days; and who was never invited."""
    return {
        "Ana Last": expect(app, "Ana Last", NOON + timedelta(hours=3), answers={}),
        "Bo First": expect(app, "Bo First", NOON - timedelta(hours=3), answers=CONTRA),
        "Cy Missing": expect(app, "Cy Missing", NOON),
        "Di Other": expect(
            app, "Di Other", NOON + timedelta(hours=1), answers={}, prescriber="Dr House"
        ),
        "Ed Tomorrow": expect(app, "Ed Tomorrow", NOON + timedelta(days=1), answers=CONTRA),
        "Flo Never": expect(app, "Flo Never", None),
        "Gus Walked": walk_in(app, "Gus Walked"),
    }


@both_databases
def test_the_inbox_opens_on_who_is_expected_today(app: Flask, a_day: dict[str, str]) -> None:
    dr = Colleague(app)
    dr.get("/clinic/")
    assert expected_names(dr) == ["Bo First", "Cy Missing", "Di Other", "Ana Last"]
    assert "4 patients, 1 has not answered" in words(dr)
    assert "Not answered Link: Not opened yet" in words(dr)
    # who came without an appointment stands before a more severe one of another day
    assert other_names(dr) == ["Gus Walked", "Ed Tomorrow"]
    assert "2 screenings" in dr.text
    groups = re.findall(r'scope="rowgroup"[^>]*>([^<]+)<', dr.page.text)
    assert groups == ["Arrived without an appointment", "With an appointment"]


def test_filters_and_orders_are_in_the_address(app: Flask, a_day: dict[str, str]) -> None:
    dr = Colleague(app)
    dr.decide(a_day["Bo First"], "do_not_start")
    tomorrow = (NOON + timedelta(days=1)).date()
    shown = {
        "?show=unanswered": (["Cy Missing"], []),
        "?show=reviewed": (["Bo First"], []),
        "?show=new": (["Di Other", "Ana Last"], ["Ed Tomorrow", "Gus Walked"]),
        "?prescriber=mine": (["Bo First", "Cy Missing", "Ana Last"], ["Ed Tomorrow"]),
        "?outcome=contraindication": (["Bo First"], ["Ed Tomorrow"]),
        "?order=severity": (
            ["Bo First", "Ana Last", "Di Other", "Cy Missing"],
            ["Gus Walked", "Ed Tomorrow"],
        ),
        "?order=time": (
            ["Bo First", "Cy Missing", "Di Other", "Ana Last"],
            ["Gus Walked", "Ed Tomorrow"],
        ),
        f"?day={tomorrow}": (["Ed Tomorrow"], []),
        f"?day={NOON.date()}": (
            ["Bo First", "Cy Missing", "Di Other", "Ana Last"],
            ["Gus Walked"],
        ),
        f"?since={NOON.date()}&show=reviewed": ([], ["Bo First"]),
    }
    for address, (expected, others) in shown.items():
        dr.get(f"/clinic/{address}")
        names = expected_names(dr)
        if address == "?order=severity":  # two of the same severity: the newest first
            assert (names[0], names[-1]) == (expected[0], expected[-1]), address
        else:
            assert names == expected, address
        assert other_names(dr) == others, address


def test_a_search_and_a_day_together_find_who_is_expected_then(
    app: Flask, a_day: dict[str, str]
) -> None:
    dr = Colleague(app)
    dr.get("/clinic/")
    dr.post("/clinic/search", {"search": "First"})
    assert other_names(dr) == ["Bo First"]
    found = dr.page.request.full_path
    dr.get(f"{found}&day={NOON.date()}")
    assert (expected_names(dr), other_names(dr)) == (["Bo First"], [])


def test_mine_is_found_however_the_name_was_typed(app: Flask) -> None:
    expect(app, "Ana Mine", NOON, prescriber="  dr  DR ", answers={})
    expect(app, "Bo Not", NOON, prescriber="Dr Drx")
    dr = Colleague(app)
    dr.get("/clinic/?prescriber=mine")
    assert expected_names(dr) == ["Ana Mine"]


def test_staff_see_who_has_answered_and_nothing_that_follows_from_an_outcome(
    app: Flask, a_day: dict[str, str]
) -> None:
    Colleague(app).decide(a_day["Bo First"], "defer", until=str(NOON.date() + timedelta(days=9)))
    staff = Colleague(app, "sam", "staff")
    staff.get("/clinic/")
    assert expected_names(staff) == ["Bo First", "Cy Missing", "Di Other", "Ana Last"]
    for word in ("ontraindication", "Deferred", "severity", "Outcome", "/clinic/screenings/"):
        assert word not in staff.page.text, word
    shown = []
    for address in ("", "?order=severity&outcome=contraindication", "?order=severity"):
        staff.get(f"/clinic/{address}")
        shown.append((expected_names(staff), other_names(staff)))
    assert shown[0] == shown[1] == shown[2]


def test_answers_under_another_name_are_not_those_of_the_invited_patient(app: Flask) -> None:
    reference = expect(app, "Ana Invited", NOON, answers=CONTRA, answered_as="Bo Other")
    dr = Colleague(app)
    dr.get("/clinic/")
    assert expected_names(dr) == ["Ana Invited"]
    assert "1 patient, 1 has not answered" in words(dr)
    assert f"Not as invited: {reference}" in words(dr)
    assert other_names(dr) == ["Bo Other"]  # nothing waits unseen
    dr.get(f"/clinic/?day={NOON.date()}&outcome=contraindication")
    assert f"Not as invited: {reference}" in words(dr)
    dr.get(unescape(re.findall(rf'href="([^"]*{reference}[^"]*)"', dr.page.text)[0]))
    assert "1 of 1 in the list" in words(dr)


def test_who_was_invited_twice_is_expected_once_and_withdrawn_links_are_left_out(
    app: Flask,
) -> None:
    expect(app, "Ana Twice", NOON, answers={})
    expect(app, "Ana Twice", NOON)
    withdrawn = expect(app, "Bo Withdrawn", NOON)
    with app.app_context():
        service.revoke(act_of(app), withdrawn)
    dr = Colleague(app)
    dr.get("/clinic/")
    assert expected_names(dr) == ["Ana Twice"]
    assert "1 patient, 0 have not answered" in words(dr)


def test_changed_answers_take_the_place_of_earlier_ones(app: Flask) -> None:
    first = expect(app, "Ana Changed", NOON, answers={})
    with app.app_context():
        installation = current_installation()
        book = installation.books["en"]
        from dataclasses import replace

        earlier = screenings.find(db.session, installation.keys, ScreeningRow.reference == first)
        assert earlier is not None
        newer = replace(
            earlier,
            reference=new_reference(),
            answers=read_answers(book, all_no(**CONTRA)),
            replaces=first,
            submitted_at=earlier.submitted_at + timedelta(minutes=1),
        )
        with write(db.session):
            screenings.add(
                db.session, installation.keys, newer, book=book, draft_hash=secrets.token_hex(32)
            )
            act_of(app).note("submitted", newer.reference)
    dr = Colleague(app)
    dr.get("/clinic/?day=" + str(NOON.date()))
    assert expected_names(dr) == ["Ana Changed"]
    table = dr.page.text.partition('class="inbox expected"')[2].partition("</table>")[0]
    assert newer.reference in table
    assert first not in table

    def raised() -> list[str]:
        with app.app_context():
            later = act_of(app, now=NOON + timedelta(minutes=1))
            return overlooked.read(later, current_installation(), patience=5).appointed

    assert raised() == [newer.reference]
    dr.decide(first, "proceed", reason="By mistake")
    assert raised() == [newer.reference]
    dr.decide(newer.reference, "do_not_start")
    assert raised() == []


def test_who_sent_other_answers_without_the_link_is_marked_among_those_expected(app: Flask) -> None:
    invited = expect(app, "Ana Again", NOON, answers={})
    alone = walk_in(app, "Again Ana", birth_date=BORN, **CONTRA)
    dr = Colleague(app)
    dr.get("/clinic/")
    day, _heading, others = words(dr).partition("Other screenings")
    assert f"{invited} Newer answers have arrived" in day
    assert f"{alone} Newest answers, there are earlier ones" in others
    staff = Colleague(app, "sam", "staff")
    staff.get("/clinic/")
    assert words(staff).count("Sent more than once") == 2


@both_databases
def test_what_an_expected_patient_sent_without_the_link_is_shown_at_the_appointment(
    app: Flask,
) -> None:
    walk_in(app, "Ana Paper", birth_date=BORN)  # before the invitation: of an earlier visit
    walk_in(app, "Di Early", birth_date=BORN)
    for name in ("Ana Paper", "Bo Visit2", "Di Early"):
        expect(app, name, NOON)
    sent = walk_in(app, "ana  PAPER", birth_date=BORN, **CONTRA)
    with app.app_context():
        keys, book = current_installation().keys, current_installation().books["en"]
        other = store(
            db.session, keys, book, all_no(), name="Bo Typo", birth_date=BORN, visit="v bo visit2"
        ).reference
    dr = Colleague(app)
    dr.get("/clinic/")
    assert "3 patients, 2 have not answered" in words(dr)
    table = words(dr).partition("Expected today")[2].partition("Other screenings")[0]
    assert re.search(rf"Contraindication .*Ana Paper .*{sent} .*New", table)
    assert f"Not as invited: {other}" in table
    assert sent not in words(dr).partition("Other screenings")[2]
    dr.get("/clinic/?show=unanswered")
    assert sorted(expected_names(dr)) == ["Bo Visit2", "Di Early"]
    expect(app, "Ana Paper", NOON - timedelta(days=1))  # what was sent today came too late for that
    dr.get(f"/clinic/?day={(NOON - timedelta(days=1)).date()}")
    assert "1 patient, 1 has not answered" in words(dr)


@both_databases
def test_the_day_of_an_appointment_is_not_in_plain_in_the_database(app: Flask) -> None:
    expect(app, "Ana Sealed", NOON)
    expect(app, "Bo Sealed", None)
    with app.app_context():
        days = db.session.execute(text("SELECT appointment_day FROM invitations")).scalars().all()
    assert sorted(len(bytes(day)) for day in days) == [0, 32]


def test_invitations_of_an_earlier_release_are_expected_after_flask_init(app: Flask) -> None:
    expect(app, "Ana Early", NOON, answers={})
    with app.app_context():
        db.session.execute(text("UPDATE invitations SET appointment_day = NULL"))
        db.session.commit()
        db.engine.dispose()
    dr = Colleague(app)
    dr.get("/clinic/")
    assert expected_names(dr) == []
    result = app.test_cli_runner().invoke(args=["init"])
    assert result.exit_code == 0, result.output
    dr.get("/clinic/")
    assert expected_names(dr) == ["Ana Early"]


@pytest.mark.parametrize(("zone", "hours"), [("Pacific/Kiritimati", 14), ("Pacific/Niue", -11)])
def test_the_day_is_that_of_the_clinic(
    make_app: Callable[..., Flask], zone: str, hours: int
) -> None:
    app = make_app(clinic_timezone=zone)
    with app.app_context():
        today = current_installation().today()
    midnight = datetime(today.year, today.month, today.day, tzinfo=UTC) - timedelta(hours=hours)
    minute = timedelta(minutes=1)
    expect(app, "Last Yesterday", midnight - minute)
    expect(app, "First Today", midnight)
    expect(app, "Last Today", midnight + timedelta(days=1) - minute)
    expect(app, "First Tomorrow", midnight + timedelta(days=1))
    dr = Colleague(app)
    dr.get("/clinic/")
    assert expected_names(dr) == ["First Today", "Last Today"]
