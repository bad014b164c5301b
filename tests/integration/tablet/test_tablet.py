"""A tablet that patients take in turn: what it answers in each state, the PIN, and how it ends."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import func, select, update

from screening.extensions import db
from screening.features.tablet import service as tablet
from screening.features.tablet.service import MOST_TRIES
from screening.features.tablet.tables import TabletRow
from screening.features.tablet.views import ANSWERS
from screening.installation import current_installation
from screening.storage import audit
from screening.storage.tables import DraftRow, ScreeningRow, SignInRow
from tests.integration.colleague import Colleague
from tests.integration.test_continue_codes import half_way
from tests.integration.test_security import address, rules
from tests.integration.visitor import NO_TO_ALL, SAMPLE, Visitor

pytestmark = pytest.mark.one_database

PIN = "2580"
FIRST = {**SAMPLE, "name": "Markéta Lastová", "visit": "V-LAST-77"}
NOBODY = dict.fromkeys(FIRST, "")


class Tablet(Colleague):
    """A browser that somebody of the staff has made a tablet, in the hands of the first patient."""

    def __init__(self, app: Flask, visit: dict[str, str] = NOBODY) -> None:
        super().__init__(app, "desk", "staff")
        start(self, visit)

    def in_state(self, state: str) -> Tablet:
        """The same tablet, brought into that state."""
        if state in ("locked", "staff", "ended"):
            self.post("/tablet/lock")
        if state in ("staff", "ended"):
            self.post("/tablet/unlock", {"pin": PIN})
        if state == "ended":
            change(self.app, TabletRow, ends_at=datetime.now(UTC))
        return self

    def walk(self) -> None:
        """As the patient, to the check page."""
        self.get("/about-you")
        self.post("/about-you", FIRST)
        self.answer(NO_TO_ALL)
        assert self.path == "/check", self.text


def change(app: Flask, table: type, **values: object) -> None:
    with app.app_context():
        db.session.execute(update(table).values(**values))
        db.session.commit()


def count(app: Flask, table: type) -> int:
    with app.app_context():
        return db.session.scalar(select(func.count()).select_from(table)) or 0


def noted(app: Flask) -> list[tuple[str, str, str]]:
    with app.app_context():
        return [
            (row.actor, row.action, row.detail)
            for row in audit.rows(db.session)
            if row.action.startswith("tablet")
        ]


def start(colleague: Colleague, visit: dict[str, str], pin: str = PIN, again: str = PIN) -> None:
    """On the page of the clinic for it."""
    colleague.get("/clinic/tablet")
    colleague.post("/clinic/tablet", {"pin": pin, "again": again, **visit})


@pytest.fixture
def held(app: Flask) -> Tablet:
    return Tablet(app)


@pytest.mark.both_databases
def test_two_patients_in_turn(app: Flask) -> None:
    held = Tablet(app, FIRST)
    assert held.path == "/"
    assert "Start now" in held.text
    held.get("/about-you")
    assert 'value="Markéta Lastová"' in held.page.text
    held.walk()
    first = held.send()
    assert "Finish: give the tablet back" in held.text
    assert "/copy" not in held.page.text
    held.post("/tablet/lock")
    assert held.path == "/tablet"
    assert "has sent" not in held.text, "before it is known who asks"
    held.post("/tablet/unlock", {"pin": PIN})
    assert "Next patient" in held.text
    assert "The last patient has sent the answers." in held.text
    held.post("/tablet/hand-over", NOBODY)
    assert held.path == "/"
    held.get("/about-you")
    assert 'value=""' in held.page.text
    held.walk()
    assert held.send() != first
    assert count(app, DraftRow) == 0
    assert noted(app) == [
        ("desk", "tablet begun", ""),
        ("tablet", "tablet locked", ""),
        ("desk", "tablet unlocked", ""),
        ("desk", "tablet handed over", ""),
    ]


@pytest.mark.parametrize("state", ["patient", "locked", "staff", "ended"])
def test_what_a_tablet_answers_in_each_state(app: Flask, held: Tablet, state: str) -> None:
    """Every route either belongs to the state or redirects to the page of the tablet."""
    held.in_state(state)
    with app.app_context():
        own_texts = current_installation().settings.instance / "texts"
    own_texts.mkdir()
    (own_texts / "privacy.en.md").write_text("We keep it safe.")
    home = "/" if state == "patient" else "/tablet"
    allowed = {"static", "tablet.static", "health.alive", *ANSWERS[state]}
    with held.client.get("/static/tablet/tablet.css") as style:
        assert style.status_code == 200
    for rule in (rule for rule in rules(app) if rule.endpoint != "tablet.static"):
        for method in (rule.methods or set()) & (
            {"GET"} if rule.endpoint in allowed else {"GET", "POST"}
        ):
            response = held.client.open(address(rule), method=method)
            response.close()
            if rule.endpoint in allowed:
                assert response.status_code != 404, rule.endpoint
                assert response.headers.get("Location") != "/tablet", rule.endpoint
            else:
                assert (response.status_code, response.location) == (303, home), (
                    method,
                    rule.endpoint,
                )
    assert held.client.get("/nowhere").location == home


def test_what_belongs_to_no_patient_is_named(app: Flask) -> None:
    """A tablet never answers a route of the clinic, of accounts or of papers to keep."""
    answered = {endpoint for endpoints in ANSWERS.values() for endpoint in endpoints}
    assert answered <= {rule.endpoint for rule in rules(app)}
    assert not {
        name
        for name in answered
        if name.startswith(("clinic", "admin", "account", "security", "verify"))
    }
    assert not answered & {
        "tablet.begin",
        "patient.begin",
        "papers.copy",
        "papers.copy_pdf",
        "papers.blank",
    }


@pytest.mark.parametrize("role", ["staff", "prescriber"])
def test_whoever_starts_is_signed_out_and_the_old_cookie_is_worthless(
    app: Flask, role: str
) -> None:
    colleague = Colleague(app, "desk", role)
    old = colleague.client.get_cookie("session")
    assert old is not None
    start(colleague, NOBODY)
    assert count(app, SignInRow) == 0
    stolen = Visitor(app)
    stolen.client.set_cookie("session", old.value)
    assert stolen.get("/clinic/").request.path == "/account/sign-in"


@pytest.mark.parametrize(
    ("pin", "again", "why"),
    [
        ("", "", "4 to 8 digits"),
        ("123", "123", "4 to 8 digits"),
        ("123456789", "123456789", "4 to 8 digits"),
        ("١٢٣٤", "١٢٣٤", "4 to 8 digits"),
        ("25 80", "25 80", "4 to 8 digits"),
        ("7777", "7777", "harder to guess"),
        ("4567", "4567", "harder to guess"),
        ("9876", "9876", "harder to guess"),
        ("2580", "2581", "same PIN twice"),
    ],
)
def test_a_pin_is_digits_hard_to_guess_typed_twice(
    sqlite_app: Flask, pin: str, again: str, why: str
) -> None:
    colleague = Colleague(sqlite_app, "desk", "staff")
    start(colleague, FIRST, pin, again)
    assert why in colleague.text
    assert "Markéta Lastová" in colleague.page.text  # what was typed stays, but for the PIN
    assert f'value="{pin or "-"}"' not in colleague.page.text
    assert count(sqlite_app, TabletRow) == 0


@pytest.mark.parametrize("missing", ["name", "birth_day", "birth_year"])
def test_the_visit_is_filled_in_as_a_whole_or_not_at_all(
    app: Flask, held: Tablet, missing: str
) -> None:
    held.in_state("staff")
    held.post("/tablet/hand-over", {**FIRST, missing: ""})
    assert "There is a problem" in held.text
    assert "Next patient" in held.text
    held.post("/tablet/hand-over", FIRST)
    assert held.path == "/"


def test_the_pin_is_kept_as_a_password_is(app: Flask, held: Tablet) -> None:
    with app.app_context():
        (row,) = db.session.scalars(select(TabletRow)).all()
        assert row.pin.startswith("$argon2id$")
        assert PIN not in row.pin
        cookie = held.client.get_cookie("tablet")
        assert cookie is not None
        assert cookie.value not in row.token_hash


def test_wrong_pins_are_counted_until_the_right_one_and_then_anew(app: Flask, held: Tablet) -> None:
    for _turn in range(2):
        held.in_state("locked")
        for left in range(MOST_TRIES - 1, 0, -1):
            held.post("/tablet/unlock", {"pin": "0000"})
            assert f"{left} tr" in held.text
        held.post("/tablet/unlock", {"pin": PIN})
        assert "Next patient" in held.text
        held.post("/tablet/hand-over", NOBODY)


@pytest.mark.both_databases
def test_one_wrong_pin_too_many_ends_the_tablet(app: Flask, held: Tablet) -> None:
    held.in_state("locked")
    for _ in range(MOST_TRIES):
        held.post("/tablet/unlock", {"pin": "0000"})
    assert "Tablet mode has ended" in held.text
    held.post("/tablet/unlock", {"pin": PIN})
    assert "Tablet mode has ended" in held.text
    assert held.get("/clinic/").request.path == held.get("/").request.path == "/tablet"
    held.post("/tablet/end")
    assert held.path == "/account/sign-in"
    assert held.get("/").request.path == "/"
    assert noted(app)[-1] == ("tablet", "tablet ended", "too many wrong PINs")


def test_of_pins_sent_at_once_only_the_first_can_be_right(app: Flask, held: Tablet) -> None:
    held.in_state("locked")
    cookie = held.client.get_cookie("tablet")
    assert cookie is not None
    with app.app_context():
        actor = audit.Actor(
            session=db.session, keys=current_installation().keys, now=datetime.now(UTC), by="test"
        )
        assert tablet.unlock(actor, cookie.value, fits=False, tries=0, draft="") is False
        assert tablet.unlock(actor, cookie.value, fits=True, tries=0, draft="") is False
        assert tablet.unlock(actor, cookie.value, fits=True, tries=2, draft="") is True


def test_giving_up_deletes_the_answers_and_refuses_old_forms(app: Flask, held: Tablet) -> None:
    held.walk()
    old = held.page
    held.post("/tablet/lock")
    assert count(app, DraftRow) == 0
    assert "Lastov" not in held.page.text
    assert held.client.get_cookie("draft") is None
    assert "The last patient has not sent any answers." in held.in_state("staff").text
    held.post("/tablet/hand-over", NOBODY)
    held.page = old
    assert held.post("/about-you", FIRST).status_code == 400
    held.page = old
    assert held.post("/submit").status_code == 400
    held.get("/about-you")
    assert "Lastov" not in held.page.text
    assert count(app, ScreeningRow) == 0


def test_the_language_of_one_patient_is_not_that_of_the_next(app: Flask, held: Tablet) -> None:
    held.post("/language", {"language": "es", "next": "/"})
    assert 'lang="es" dir' in held.page.text
    held.in_state("staff").post("/tablet/hand-over", NOBODY)
    assert 'lang="en" dir' in held.page.text


@pytest.mark.parametrize("sent", [False, True])
def test_a_turn_ends_by_itself(app: Flask, held: Tablet, sent: bool) -> None:
    """Without a script, too: nothing is shown any more once nobody has taken a step for so long."""
    held.walk()
    if sent:
        held.send()
        change(app, ScreeningRow, submitted_at=datetime.now(UTC) - tablet.TURN)
    else:
        with app.app_context():
            left = db.session.scalars(select(DraftRow.expires_at)).one() - datetime.now(UTC)
            assert tablet.TURN - timedelta(minutes=1) < left <= tablet.TURN
        change(app, DraftRow, expires_at=datetime.now(UTC))
    for path in ("/", "/check", "/done", "/about-you", "/clinic/"):
        held.get(path)
        assert held.path == "/tablet"
        assert "This tablet is locked" in held.text
    assert held.client.get_cookie("draft") is None
    refresh = re.search(
        r'<meta http-equiv="refresh" content="(\d+); url=/tablet">',
        held.in_state("staff").page.text,
    )
    assert refresh is None
    held.post("/tablet/hand-over", NOBODY)
    refresh = re.search(
        r'<noscript><meta http-equiv="refresh" content="(\d+); url=/tablet">', held.page.text
    )
    assert refresh is not None
    assert int(refresh[1]) == tablet.TURN.total_seconds()


def test_a_tablet_whose_time_is_over_shows_nothing(app: Flask, held: Tablet) -> None:
    held.walk()
    change(app, TabletRow, ends_at=datetime.now(UTC))
    for path in ("/check", "/about-you", "/", "/clinic/", "/tablet"):
        held.get(path)
        assert "Tablet mode has ended" in held.text
        assert "Lastov" not in held.page.text
    held.post("/tablet/end")
    assert held.client.get_cookie("tablet") is None
    assert held.client.get_cookie("draft") is None
    assert held.get("/about-you").status_code == 410


def test_it_ends_after_twelve_hours_and_its_cookie_later(app: Flask, held: Tablet) -> None:
    with app.app_context():
        (row,) = db.session.scalars(select(TabletRow)).all()
        assert row.ends_at - datetime.now(UTC) <= timedelta(hours=12)
    cookie = held.client.get_cookie("tablet")
    assert cookie is not None
    assert cookie.max_age is not None
    assert cookie.max_age > timedelta(hours=12).total_seconds() + tablet.TURN.total_seconds()


def test_ending_leads_to_the_sign_in(app: Flask, held: Tablet) -> None:
    held.in_state("staff")
    held.post("/tablet/end")
    assert held.path == "/account/sign-in"
    assert count(app, TabletRow) == 0
    held.sign_in()
    assert held.path == "/clinic/"


def test_the_old_cookie_of_a_tablet_opens_nothing(app: Flask, held: Tablet) -> None:
    cookie = held.client.get_cookie("tablet")
    assert cookie is not None
    held.in_state("staff").post("/tablet/end")
    held.client.set_cookie("tablet", cookie.value)
    held.get("/tablet")
    assert "Tablet mode has ended" in held.text


def test_a_browser_that_is_no_tablet_is_led_to_start_one(app: Flask) -> None:
    visitor = Visitor(app)
    assert visitor.get("/tablet").request.path == "/account/sign-in"
    for path in ("/tablet/lock", "/tablet/unlock", "/tablet/hand-over", "/tablet/end"):
        visitor.get("/")
        visitor.post(path, {"pin": PIN})
        assert visitor.path == "/account/sign-in"
    assert noted(app) == []


def test_a_locked_tablet_says_what_became_of_the_answers(held: Tablet) -> None:
    held.walk()
    held.post("/tablet/lock")
    assert "Answers that were not sent were deleted." in held.text
    assert "Las respuestas que no se enviaron se borraron." in held.text
    assert "were sent to the clinic" not in held.text
    held.post("/tablet/unlock", {"pin": PIN})
    held.post("/tablet/hand-over", NOBODY)
    held.walk()
    held.send()
    held.post("/tablet/lock")
    assert "Your answers were sent to the clinic." in held.text
    assert "deleted" not in held.text


def test_a_tablet_offers_nothing_that_its_browser_knows_of_others(held: Tablet) -> None:
    held.get("/about-you")
    assert 'novalidate autocomplete="off"' in held.page.text
    assert not re.search('autocomplete="(name|bday)', held.page.text)


def test_a_tablet_that_patients_take_in_turn_has_no_codes(sqlite_app: Flask) -> None:
    _visitor, code = half_way(sqlite_app)
    desk = Tablet(sqlite_app)
    assert "Go on with my code" not in desk.get("/").text
    assert desk.get("/code").request.path == "/"
    desk.post("/code", {"code": code})
    assert desk.path == "/"
    desk.post("/stop")
    assert desk.path == "/"
