"""An invitation's link works until the answers are sent or it expires; then it confirms receipt."""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta

import pytest
from flask import Flask

from screening.features.invitations import service
from screening.installation import current_installation
from screening.services import questionnaire
from screening.services.questionnaire import DraftGone, Incomplete
from screening.storage.drafts import DraftMoved
from screening.storage.tables import ScreeningRow
from tests.integration.colleague import Colleague
from tests.integration.invitations.test_invitations import (
    BORN,
    OTHER,
    both_databases,
    invited,
    opened,
)
from tests.integration.test_patient_way import count, stored
from tests.integration.test_upkeep import change, flask
from tests.integration.visitor import NO_TO_ALL, SAMPLE, Visitor
from tests.storing import act_of

pytestmark = pytest.mark.one_database
ABOUT = {**SAMPLE, "visit": "V-9"}


def sent_by_link(app: Flask, **about: str) -> tuple[str, str, Visitor, str]:
    """The id and the path of a link, the browser of the patient and the reference."""
    invitation_id, path = invited(app)
    visitor = opened(app, path)
    visitor.post("/about-you", {**ABOUT, "right": "typed", **about})
    visitor.answer(NO_TO_ALL)
    return invitation_id, path, visitor, visitor.send()


@both_databases
def test_the_newest_device_has_the_answers_and_the_other_one_says_so(app: Flask) -> None:
    _made, path = invited(app)
    phone = opened(app, path)
    phone.post("/about-you", ABOUT)
    phone.answer({"pregnancy": NO_TO_ALL["pregnancy"]})
    phone.post("/questions/breastfeeding", {"breastfeeding": "maybe"})
    assert phone.get(path).request.path == "/questions/breastfeeding", "its own device just goes on"
    computer = opened(app, path)
    assert computer.path == "/questions/breastfeeding", "nothing answered is asked again"
    assert "<title>Error:" in computer.page.text, "nor is anything lost that was typed"
    for path_of_phone in ("/questions/breastfeeding", "/check", "/continue"):
        assert phone.get(path_of_phone).status_code == 410
        assert (
            "You went on with these questions on another device or in another browser" in phone.text
        )
    for step in ("/questions/breastfeeding", "/submit"):
        assert phone.post(step, {"breastfeeding": "no"}).status_code == 410
        assert "open the link from the clinic on this device" in phone.text
    assert phone.post("/finish").status_code == 410, (
        "nobody is told that answers are deleted which live on elsewhere"
    )
    assert "Start now" in phone.get("/").text
    back = opened(app, path)
    assert back.path == "/questions/breastfeeding", "and back again"
    assert computer.get("/continue").status_code == 410


def test_two_taps_on_continue_or_an_answer_that_was_lost_once_let_the_patient_in(
    app: Flask,
) -> None:
    _made, path = invited(app)
    visitor = Visitor(app)
    visitor.get(path)
    page = visitor.page
    lost = app.test_client()  # the same browser, whose first answer never arrives
    lost.set_cookie("session", visitor.client.get_cookie("session").value, domain="localhost")  # type: ignore[union-attr]
    token = re.search(r'name="csrf_token" value="([^"]+)"', page.text)[1]  # type: ignore[index]
    assert lost.post(path, data={**BORN, "csrf_token": token}).status_code == 303
    visitor.post(path, dict(BORN))
    assert visitor.path == "/about-you"
    visitor.page = page  # the second tap, after the cookies of the first one have come
    visitor.post(path, dict(BORN))
    assert visitor.path == "/questions/pregnancy"


@pytest.mark.parametrize("fate", ["deleted", "expired"])
def test_a_draft_that_is_gone_spends_no_invitation(app: Flask, fate: str) -> None:
    _made, path = invited(app)
    visitor = opened(app, path)
    visitor.post("/about-you", {**ABOUT, "visit": "V-other"})
    if fate == "deleted":
        visitor.get("/")
        visitor.post("/finish")
    else:
        change(app, "UPDATE drafts SET expires_at = '2020-01-01 00:00:00.000000'")
    visitor.get(path)
    assert visitor.path == path
    visitor.post(path, dict(BORN))
    assert visitor.path == "/about-you"
    assert 'value="V-9"' in visitor.page.text, "as invited"


def test_what_the_link_does_is_said_above_continue(app: Flask) -> None:
    page = Visitor(app).get(invited(app)[1]).text
    assert 0 < page.index("also on another phone or computer") < page.index(">Continue<")


def test_wrong_dates_are_counted_after_the_link_was_opened_too(app: Flask) -> None:
    invitation_id, path = invited(app)
    visitor = opened(app, path)
    for _ in range(5):
        stranger = opened(app, path, OTHER)
    assert stranger.page.status_code == 410
    assert opened(app, path).page.status_code == 410
    staff = Colleague(app, "reception", "staff")
    assert "Blocked" in staff.get(f"/clinic/invitations/{invitation_id}").text
    visitor.post("/about-you", ABOUT)
    assert visitor.path == "/questions/pregnancy", "the device that has the answers goes on"


def test_an_opened_link_ends_with_its_time_and_can_be_withdrawn(app: Flask) -> None:
    invitation_id, path = invited(app)
    visitor = opened(app, path)
    staff = Colleague(app, "reception", "staff")
    page = staff.get(f"/clinic/invitations/{invitation_id}").text
    assert "until the answers are sent or until" in page
    assert "Print the slip" in page
    change(app, "UPDATE invitations SET expires_at = '2020-01-01 00:00:00+00:00'")
    assert "This link is too old" in opened(app, path).text
    visitor.post("/about-you", ABOUT)
    assert visitor.path == "/questions/pregnancy"
    invitation_id, path = invited(app)
    opened(app, path)
    staff.get(f"/clinic/invitations/{invitation_id}")
    staff.post(f"/clinic/invitations/{invitation_id}/revoke")
    assert "Withdrawn" in staff.text
    assert "The clinic has withdrawn this link" in opened(app, path).text


def test_after_sending_link_and_date_of_birth_tell_that_the_answers_arrived(
    make_app: Callable[..., Flask],
) -> None:
    app = make_app(clinic_timezone="Asia/Tokyo", public_url="http://127.0.0.1:8000")
    _made, path, _visitor, reference = sent_by_link(app)
    stranger = Visitor(app)
    assert reference not in stranger.get(path).text
    assert reference not in stranger.get(f"{path}/sent").text
    assert opened(app, path, OTHER).path == path
    again = opened(app, path)
    at = stored(app, reference).submitted_at + timedelta(hours=9)
    assert again.path == f"{path}/sent"
    for words in (
        reference,
        f"{at:%B} {at.day}, {at.year} at {at:%-I:%M}",
        "I need to change an answer",
    ):
        assert words in again.text.replace("\u202f", " ")
    again.get("/")
    again.post("/")
    assert reference not in again.get(f"{path}/sent").text, "the next person does not see it"
    again.get(path)
    again.post(path, dict(BORN))
    assert again.path == f"{path}/sent"
    again.post("/finish")
    assert reference not in again.get(f"{path}/sent").text, "Finish forgets it"


@both_databases
def test_an_answer_is_changed_by_a_newer_screening_and_the_clinic_sees_both(app: Flask) -> None:
    invitation_id, path, _visitor, first = sent_by_link(app)
    again = opened(app, path)
    again.post(f"{path}/sent")
    assert again.path == "/check", "nothing is asked again"
    again.post("/questions/iud", {"iud": "unsure"})
    assert count(app, ScreeningRow) == 1, "not before it is sent"
    second = again.send()
    third = opened(app, path)
    assert second in third.text
    third.post(f"{path}/sent")
    third.post("/questions/iud", {"iud": "private"})
    newest = third.send()
    assert [
        stored(app, reference).answers.value("iud") for reference in (first, second, newest)
    ] == [
        "no",
        "unsure",
        "private",
    ]
    dr = Colleague(app, "dr", "prescriber", "staff")
    older = dr.get(f"/clinic/screenings/{first}").text
    assert "Newer answers arrived on" in older
    assert f'href="/clinic/screenings/{newest}"' in older
    newer = dr.get(f"/clinic/screenings/{newest}").text
    assert "There are earlier answers, and some differ." in newer
    assert f'href="/clinic/screenings/{first}"' in newer
    page = dr.get(f"/clinic/invitations/{invitation_id}").text
    assert all(reference in page for reference in (first, second, newest))
    assert "Answers sent" in page
    assert flask(app, "verify").exit_code == 0


def test_changing_twice_on_one_device_goes_on_with_what_was_begun(app: Flask) -> None:
    _made, path, _visitor, _first = sent_by_link(app)
    again = opened(app, path)
    page = again.page
    again.post(f"{path}/sent")
    again.post("/questions/iud", {"iud": "unsure"})
    again.page = again.get(f"{path}/sent")
    again.post(f"{path}/sent")
    assert again.path == "/check"
    assert "I am not sure" in again.text
    assert page is not None


def test_answers_can_be_changed_for_a_time_that_the_clinic_sets(
    make_app: Callable[..., Flask],
) -> None:
    app = make_app(change_hours=0)
    _made, path, _visitor, _reference = sent_by_link(app)
    again = opened(app, path)
    assert "I need to change an answer" not in again.text
    assert "Tell staff or call the clinic" in again.text
    again.post(f"{path}/sent")
    assert again.path == f"{path}/sent"


def test_what_has_to_be_fresh_is_asked_again_in_a_change(app: Flask) -> None:
    _made, path, _visitor, reference = sent_by_link(app)
    token = path.rpartition("/")[2]
    at = stored(app, reference).submitted_at
    with app.app_context():
        books = current_installation().books
    for question in books["en"].questions:
        later = at + timedelta(hours=question.valid_for_hours, minutes=1)
        with app.app_context():
            actor = act_of(app, now=later)
            until = later + timedelta(hours=1)
            keep = timedelta(hours=1)
            given = service.change(actor, token, books, until=until, keep=keep)
            with pytest.raises(Incomplete):
                questionnaire.submit(actor, given, books, "en", jobs=())


@pytest.mark.parametrize(
    "other",
    [{"name": "Somebody Else"}, {"birth_day": "13"}, {"visit": "V-8"}],
    ids=["name", "birth date", "visit"],
)
def test_the_clinic_sees_that_whoever_answered_is_not_as_invited(
    app: Flask, other: dict[str, str]
) -> None:
    invitation_id, path, _visitor, reference = sent_by_link(app, **other)
    dr = Colleague(app, "dr", "prescriber", "staff")
    for page in (f"/clinic/screenings/{reference}", f"/clinic/invitations/{invitation_id}"):
        assert "Not as invited" in dr.get(page).text
    again = opened(app, path)
    again.post(f"{path}/sent")
    again.post("/questions/iud", {"iud": "unsure"})
    assert "Not as invited" in dr.get(f"/clinic/screenings/{again.send()}").text, (
        "nor is a change of it"
    )
    invitation_id, _path, _visitor, reference = sent_by_link(app, name=" sample  PATIENT")
    for page in (f"/clinic/screenings/{reference}", f"/clinic/invitations/{invitation_id}"):
        assert "Not as invited" not in dr.get(page).text


@both_databases
def test_of_sending_and_going_on_elsewhere_at_once_one_wins_and_nothing_is_lost(app: Flask) -> None:
    keep = timedelta(hours=1)
    with app.app_context():
        books = current_installation().books
    for _ in range(5):
        _made, path = invited(app)
        token = path.rpartition("/")[2]
        phone = opened(app, path)
        phone.post("/about-you", ABOUT)
        phone.answer(NO_TO_ALL)
        draft = phone.client.get_cookie("draft").value.partition("~")[0]  # type: ignore[union-attr]

        def send(draft: str = draft) -> str:
            with app.app_context():
                try:
                    return questionnaire.submit(act_of(app), draft, books, "en", jobs=()).reference
                except (DraftMoved, DraftGone):
                    return ""

        def go_on(token: str = token) -> bool:
            with app.app_context():
                return (
                    service.redeem(act_of(app), token, date(1988, 3, 12), keep=keep)[1] is not None
                )

        with ThreadPoolExecutor(2) as threads:
            sending = threads.submit(send)
            going_on = threads.submit(go_on)
            assert bool(sending.result()) != going_on.result()


def test_invited_patients_have_their_link_and_get_no_code(sqlite_app: Flask) -> None:
    _made, path = invited(sqlite_app)
    visitor = opened(sqlite_app, path)
    for _ in range(2):  # before the answers were sent, and while they are changed
        assert visitor.get("/stop").status_code == 200
        assert "code" not in visitor.text
        visitor.post("/stop")
        assert "code" not in visitor.text
        visitor.get("/about-you")
        visitor.post(
            "/about-you",
            {"name": "Sample Patient", "birth_day": "12", "birth_month": "3", "birth_year": "1988"},
        )
        visitor.answer(NO_TO_ALL)
        visitor.send()
        visitor = opened(sqlite_app, path)
        visitor.post(f"{path}/sent")
