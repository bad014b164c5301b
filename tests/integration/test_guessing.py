"""Guessing is limited, and a stranger who guesses locks nobody out."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import BoundedSemaphore
from typing import Any

import pytest
from flask import Flask
from itsdangerous import TimestampSigner
from sqlalchemy import select

from screening.extensions import alembic, db
from screening.services import people, questionnaire
from screening.services.attempts import network
from screening.storage.database import write
from screening.storage.tables import AttemptRow, CredentialRow, PersonRow
from screening.web.sign_in import forms as sign_in_forms
from tests.integration.colleague import PASSWORD, Colleague
from tests.integration.test_signing_in import codes
from tests.integration.test_upkeep import flask
from tests.integration.visitor import Visitor

pytestmark = pytest.mark.one_database


@pytest.fixture
def dr(app: Flask) -> Colleague:
    return Colleague(app, "dr", "prescriber", "admin")


def visitor_from(app: Flask, address: str) -> Visitor:
    visitor = Visitor(app)
    visitor.client.environ_base["REMOTE_ADDR"] = address
    return visitor


def sign_in(visitor: Visitor, password: str, name: str = "dr") -> None:
    visitor.get("/account/sign-in")
    visitor.post("/account/sign-in", {"sign_in_name": name, "password": password})


def guess_until_refused(app: Flask, addresses: list[str], name: str = "dr") -> int:
    """Guess in turns from new browsers at these addresses; return how many guesses were tried."""
    tried = 0
    for address in addresses:
        visitor = visitor_from(app, address)
        for _ in range(people.ATTEMPTS_PER_NAME_AND_ADDRESS + 1):
            sign_in(visitor, "wrong", name)
            if "Too many attempts failed" in visitor.text:
                break
            tried += 1
    return tried


# what counts as one address


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2::", "2001:db8:1:2::"),
        ("2001:db8:1:3::1", "2001:db8:1:3::"),
        ("fe80::1%eth0", "fe80::"),
        ("::1", "::1"),
        ("::ffff:127.0.0.1", "127.0.0.1"),
        ("", ""),
        ("unix:", "unix:"),
    ],
)
def test_an_ipv6_network_counts_as_one_address(address: str, counted: str) -> None:
    assert network(address) == counted


def test_sign_ins_from_one_ipv6_network_are_counted_together(app: Flask, dr: Colleague) -> None:
    addresses = [f"2001:db8::{number:x}" for number in range(1, 4)]
    assert guess_until_refused(app, addresses) == people.ATTEMPTS_PER_NAME_AND_ADDRESS


def test_forms_begun_from_one_ipv6_network_are_counted_together(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(questionnaire, "MOST_BEGUN", 2)
    monkeypatch.setattr(questionnaire, "MOST_WRONG", 2)
    answers = []
    for number in range(1, 4):
        visitor = visitor_from(app, f"2001:db8::{number}")
        answers.append(visitor.post("/").status_code)
        visitor.get("/code")
        answers.append(visitor.post("/code", {"code": "000-000-000"}).status_code)
    assert answers == [200, 200, 200, 200, 429, 429]


# browsers that are known


def lock_out(app: Flask, monkeypatch: pytest.MonkeyPatch, name: str = "dr") -> None:
    """Let strangers fail as often as they can, from the address of the clinic too."""
    monkeypatch.setattr(people, "ATTEMPTS_PER_NAME_AND_ADDRESS", 2)
    monkeypatch.setattr(people, "ATTEMPTS_PER_NAME", 3)
    guess_until_refused(app, ["203.0.113.9", "127.0.0.1"], name)
    stranger = visitor_from(app, "198.51.100.1")
    sign_in(stranger, PASSWORD, name)
    assert "Too many attempts failed" in stranger.text


def test_a_stranger_does_not_lock_out_a_browser_that_signed_in_before(
    app: Flask, dr: Colleague, monkeypatch: pytest.MonkeyPatch
) -> None:
    dr.get("/clinic/")
    dr.post("/account/sign-out")
    lock_out(app, monkeypatch)
    dr.sign_in()
    assert dr.path == "/clinic/"


def test_neither_does_a_stranger_keep_somebody_from_confirming_the_password(
    app: Flask, dr: Colleague, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock_out(app, monkeypatch)
    dr.get("/account/confirm")
    dr.post("/account/confirm?next=/admin/people", {"password": PASSWORD})
    assert dr.path == "/admin/people"


def test_a_known_browser_may_fail_as_often_as_a_new_one(app: Flask, dr: Colleague) -> None:
    dr.get("/clinic/")
    dr.post("/account/sign-out")
    for _ in range(people.ATTEMPTS_PER_KNOWN_BROWSER):
        dr.sign_in("wrong")
        assert "The name or the password is wrong" in dr.text
    dr.sign_in()
    assert "Too many attempts failed" in dr.text


def test_known_browsers_of_one_name_have_a_limit_together(
    app: Flask, dr: Colleague, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(people, "ATTEMPTS_OF_KNOWN_BROWSERS", 2)
    other = Visitor(app)
    sign_in(other, PASSWORD)
    for browser in (dr, other):
        browser.get("/clinic/")
        browser.post("/account/sign-out")
        sign_in(browser, "wrong")
    sign_in(other, PASSWORD)
    assert "Too many attempts failed" in other.text


def test_the_people_of_a_shared_computer_are_all_known_there(
    app: Flask, dr: Colleague, monkeypatch: pytest.MonkeyPatch
) -> None:
    nurse = Colleague(app, "nurse", "staff")
    dr.get("/clinic/")
    dr.post("/account/sign-out")
    dr.sign_in(name="nurse")
    dr.post("/account/sign-out")
    for name in ("dr", "nurse"):
        lock_out(app, monkeypatch, name)
        dr.sign_in(name=name)
        assert dr.path == "/clinic/", name
        dr.post("/account/sign-out")
    assert nurse.get("/clinic/").request.path == "/clinic/"


def test_a_known_browser_names_nobody_and_no_script_can_read_it(
    make_app: Callable[..., Flask],
) -> None:
    app = make_app(public_url="https://screening.example")
    Colleague(app, "markername")
    client = app.test_client()
    page = client.get("/account/sign-in", base_url="https://screening.example")
    token = page.text.split('name="csrf_token"')[1].split('value="')[1].split('"')[0]
    values = {"sign_in_name": "markername", "password": PASSWORD, "csrf_token": token}
    headers = {"Referer": "https://screening.example/account/sign-in"}
    page = client.post(
        "/account/sign-in", data=values, headers=headers, base_url="https://screening.example"
    )
    (cookie,) = [
        value for value in page.headers.getlist("Set-Cookie") if value.startswith("__Host-browser=")
    ]
    assert {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"} <= set(cookie.split("; "))
    assert "Max-Age=15552000" in cookie, "180 days"
    assert "Domain" not in cookie
    assert "markername" not in cookie
    with app.app_context():
        person = people.find(db.session, "markername")
        assert person is not None
        assert person.fs_uniquifier not in cookie


@pytest.mark.parametrize("event", ["password", "sign-out", "disable", "reset-password"])
def test_a_browser_is_unknown_after_credentials_changed(
    app: Flask, dr: Colleague, monkeypatch: pytest.MonkeyPatch, event: str
) -> None:
    other = Visitor(app)
    sign_in(other, PASSWORD)
    boss = Colleague(app, "boss", "admin")
    password = PASSWORD
    if event == "password":
        password = "staple and lantern"
        dr.get("/account/password")
        dr.change_password(PASSWORD, password)
    elif event == "sign-out":
        boss.get("/admin/people")
        boss.post("/admin/people/dr", {"sign-out": "1"})
    else:
        flask(app, "people", event, "dr")
        flask(app, "people", "enable", "dr")
        if event == "reset-password":
            password = flask(app, "people", event, "dr").stdout.split(": ")[1].split()[0]
    lock_out(app, monkeypatch)
    sign_in(other, password)
    assert "Too many attempts failed" in other.text


@pytest.mark.parametrize("forged", ["cut", "other person", "made up", "expired"])
def test_a_forged_mark_is_no_mark(
    app: Flask, dr: Colleague, monkeypatch: pytest.MonkeyPatch, forged: str
) -> None:
    other = Colleague(app, "other")
    mark = dr.client.get_cookie("browser")
    others = other.client.get_cookie("browser")
    assert mark is not None
    assert others is not None
    if forged == "expired":
        now = TimestampSigner.get_timestamp
        monkeypatch.setattr(TimestampSigner, "get_timestamp", lambda self: now(self) + 181 * 86400)
    value = {
        "cut": mark.value[:-1],
        "other person": others.value,
        "made up": "~~a.b.c~",
        "expired": mark.value,
    }[forged]
    thief = Visitor(app)
    thief.client.set_cookie("browser", value)
    lock_out(app, monkeypatch)
    sign_in(thief, PASSWORD)
    assert "Too many attempts failed" in thief.text


def test_a_mark_written_in_another_way_is_still_the_same_mark(
    app: Flask, dr: Colleague, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The base64 of a signature may hold other signs, which are ignored."""
    monkeypatch.setattr(people, "ATTEMPTS_PER_KNOWN_BROWSER", 2)
    mark = dr.client.get_cookie("browser")
    assert mark is not None
    value, at, signature = mark.value.split(".")
    for number in range(3):
        thief = Visitor(app)
        thief.client.set_cookie("browser", f"{value}.{at}.{'!!!!' * number}{signature}")
        sign_in(thief, PASSWORD if number == 2 else "wrong")
    assert "Too many attempts failed" in thief.text


# the limits hold


@pytest.mark.both_databases
def test_guesses_at_the_same_moment_are_no_more_than_guesses_in_turn(
    app: Flask, dr: Colleague, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sixty threads stand for several processes, each of which hashes one password at a time."""
    guesses = 60
    monkeypatch.setattr(sign_in_forms, "_proving", BoundedSemaphore(guesses))
    tried = []

    def verify(_person: Any, password: str) -> bool:
        tried.append(password)
        time.sleep(0.1)
        return False

    monkeypatch.setattr(PersonRow, "verify_and_update_password", verify)
    visitors = [Visitor(app) for _ in range(guesses)]
    for visitor in visitors:
        visitor.get("/account/sign-in")

    def guess(visitor: Visitor) -> bool:
        visitor.post("/account/sign-in", {"sign_in_name": "dr", "password": "wrong"})
        return "Too many attempts failed" in visitor.text

    with ThreadPoolExecutor(guesses) as threads:
        refused = sum(threads.map(guess, visitors))
    assert len(tried) == people.ATTEMPTS_PER_NAME_AND_ADDRESS
    assert refused == guesses - len(tried)


def test_a_right_password_takes_back_only_its_own_attempt(
    app: Flask, dr: Colleague, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the sign-ins of the person would give those who guess elsewhere new attempts."""
    monkeypatch.setattr(people, "ATTEMPTS_PER_NAME_AND_ADDRESS", 2)
    assert guess_until_refused(app, ["203.0.113.9"]) == 2
    sign_in(visitor_from(app, "192.0.2.1"), PASSWORD)
    assert guess_until_refused(app, ["203.0.113.9"]) == 0
    with app.app_context():
        rows = len(db.session.scalars(select(AttemptRow)).all())
    assert rows == 3 * 2, "for name, address and both"


def test_a_reset_lets_the_person_in_at_once(app: Flask, dr: Colleague) -> None:
    guess_until_refused(app, ["192.0.2.1"])
    password = flask(app, "people", "reset-password", "dr").stdout.split(": ")[1].split()[0]
    visitor = visitor_from(app, "192.0.2.1")
    sign_in(visitor, password)
    assert visitor.path == "/account/password"


def test_codes_have_a_lower_limit_than_passwords(
    app: Flask, dr: Colleague, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A code has six digits; the password is known to those who get to the page for it."""
    assert people.CODES_PER_NAME < people.ATTEMPTS_PER_NAME
    monkeypatch.setattr(people, "ATTEMPTS_PER_NAME_AND_ADDRESS", 2)
    monkeypatch.setattr(people, "CODES_PER_NAME", 3)
    codes(dr)
    tried = 0
    for number in range(3):
        visitor = visitor_from(app, f"203.0.113.{number}")
        sign_in(visitor, PASSWORD)
        for _ in range(2):
            visitor.post("/account/code", {"code": "000000"})
            tried += "Too many attempts failed" not in visitor.text
    assert tried == 3


# passwords


EASY = (
    *("password1234", "qwertyuiop12", "aaaaaaaaaaaaaaa", "screening-screening", "Our clinic 2026"),
    *("Azathioprine 2026", "Markerova1988", "Dr.Zyx.Markerova!", "dr.zyxdr.zyxdr.zyx"),
)
HARD = ("staple and lantern", "x7#Kq!2mPz9$", "mi perro azul camina", "wüzl pqax" * 9)


def test_a_password_that_is_easy_to_guess_is_refused(app: Flask) -> None:
    dr = Colleague(app, "dr.zyx")
    with app.app_context():
        person = people.find(db.session, "dr.zyx")
        assert person is not None
        person.full_name = "Dr Zyx Markerova"
        db.session.commit()
    dr.get("/account/password")
    for password in EASY:
        dr.change_password(PASSWORD, password)
        assert "This is easy to guess" in dr.text, password
        assert "<title>Error:" in dr.page.text
    last = PASSWORD
    for password in HARD:
        dr.change_password(last, password)
        assert dr.path == "/account/", password
        dr.get("/account/password")
        last = password


def test_a_former_password_is_refused_after_a_reset_too(app: Flask, dr: Colleague) -> None:
    dr.get("/account/password")
    dr.change_password(PASSWORD, "staple and lantern")
    for former in (PASSWORD, "staple and lantern"):
        password = flask(app, "people", "reset-password", "dr").stdout.split(": ")[1].split()[0]
        visitor = Visitor(app)
        sign_in(visitor, password)
        values = {"password": password, "new_password": former, "new_password_confirm": former}
        visitor.post("/account/password", values)
        assert "You have had this password before" in visitor.text, former
    fresh = {"new_password": "violet kettle river", "new_password_confirm": "violet kettle river"}
    visitor.post("/account/password", {**values, **fresh})
    assert visitor.get("/clinic/").request.path == "/clinic/"
    assert "All is as it was stored" in flask(app, "verify").stdout


def test_only_the_last_passwords_are_kept(
    app: Flask, dr: Colleague, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(people, "REMEMBERED", 2)
    dr.get("/account/password")
    last = PASSWORD
    for number in range(people.REMEMBERED):
        new = f"staple and lantern {number}"
        dr.change_password(last, new)
        dr.get("/account/password")
        last = new
    dr.change_password(last, PASSWORD)
    assert "You have had this password before" in dr.text
    dr.change_password(last, "violet kettle river")
    dr.get("/account/password")
    dr.change_password("violet kettle river", PASSWORD)
    assert dr.path == "/account/"


# one-time passwords


@pytest.mark.both_databases
def test_a_one_time_password_ends_after_a_day(app: Flask, dr: Colleague) -> None:
    printed = flask(app, "people", "add", "nurse", "--role", "staff").stdout
    assert "ends in 24 hours" in printed
    password = printed.split("password ")[1].split()[0]
    later(app, "nurse", timedelta(hours=23))
    visitor = Visitor(app)
    sign_in(visitor, password, "nurse")
    assert visitor.path == "/account/password"
    visitor.post("/account/sign-out")
    later(app, "nurse", timedelta(hours=2))
    sign_in(visitor, "wrong", "nurse")
    assert "has ended" not in visitor.text
    sign_in(visitor, password, "nurse")
    assert "This one-time password has ended. Ask an admin" in visitor.text
    assert visitor.get("/clinic/").request.path == "/account/sign-in"
    assert "the one-time password has ended" in dr.get("/admin/people").text
    assert "nurse,sign-in failed,,one-time password ended" in flask(app, "audit", "export").stdout
    password = flask(app, "people", "reset-password", "nurse").stdout.split(": ")[1].split()[0]
    sign_in(visitor, password, "nurse")
    assert visitor.path == "/account/password"


def later(app: Flask, name: str, by: timedelta) -> None:
    """Let the one-time password of a person be that much older."""
    with app.app_context(), write(db.session):
        person = people.find(db.session, name)
        assert person is not None
        row = db.session.get_one(CredentialRow, person.id)
        assert row.one_time_until is not None
        row.one_time_until -= by


def test_a_one_time_password_of_an_older_release_goes_on(app: Flask) -> None:
    printed = flask(app, "people", "add", "nurse", "--role", "staff").stdout
    with app.app_context():
        alembic.downgrade("0009_acknowledged")
    flask(app, "init")
    visitor = Visitor(app)
    sign_in(visitor, printed.split("password ")[1].split()[0], "nurse")
    assert visitor.path == "/account/password"
    assert "All is as it was stored" in flask(app, "verify").stdout


# the second factor


@pytest.mark.parametrize(
    ("required", "roles", "is_due"),
    [
        ("all", ("staff",), True),
        ("prescriber", ("prescriber",), True),
        ("prescriber", ("staff", "prescriber"), True),
        ("prescriber, admin", ("staff",), False),
        ((), ("prescriber",), False),
    ],
)
def test_a_second_factor_can_be_required_by_role(
    make_app: Callable[..., Flask], required: object, roles: tuple[str, ...], is_due: bool
) -> None:
    Colleague(make_app(), "dr", *roles)  # from before the setting
    app = make_app(prepared=True, require_second_factor=required)
    visitor = Visitor(app)
    sign_in(visitor, PASSWORD)
    assert visitor.path == ("/account/second-factor" if is_due else "/clinic/")
    if is_due:
        dr = visitor
        codes(dr)  # type: ignore[arg-type]
        dr.get("/account/second-factor")
        assert "Remove the second factor" not in dr.text
        dr.post("/account/second-factor", {"setup": "disable"})
        assert dr.get("/clinic/").request.path == "/clinic/"
        with app.app_context():
            assert db.session.scalars(select(PersonRow.tf_totp_secret)).one() is not None
