"""Who comes in, and how somebody is out again."""

from __future__ import annotations

import re
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from passlib.hash import argon2
from passlib.totp import TOTP
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from screening.extensions import db
from screening.installation import current_installation
from screening.services import people
from screening.storage.tables import AttemptRow, PersonRow, SignInRow
from screening.web.sign_in import forms as sign_in_forms
from tests.integration.colleague import PASSWORD, Colleague, add_person
from tests.integration.visitor import Visitor

pytestmark = pytest.mark.one_database


def run(app: Flask, *words: str) -> str:
    result = app.test_cli_runner().invoke(args=list(words))
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture
def dr(app: Flask) -> Colleague:
    return Colleague(app, "dr", "prescriber", "admin")


@pytest.mark.both_databases
def test_the_one_time_password_must_be_changed_before_anything_else(app: Flask) -> None:
    password = add_person(app, "new", "prescriber")
    visitor = Visitor(app)
    visitor.get("/clinic/")
    assert visitor.path == "/account/sign-in"
    visitor.post("/account/sign-in?next=/clinic/", {"sign_in_name": " NEW ", "password": password})
    assert visitor.path == "/account/password"
    assert "one-time password" in visitor.text
    assert visitor.get("/clinic/").request.path == "/account/password"


def test_a_new_password_must_be_long_and_typed_twice_alike(app: Flask, dr: Colleague) -> None:
    dr.get("/account/password")
    values = {"password": PASSWORD, "new_password": "short", "new_password_confirm": "short"}
    dr.post("/account/password", values)
    assert "12 characters" in dr.text
    dr.post(
        "/account/password",
        {**values, "new_password": "long enough now", "new_password_confirm": "long enough"},
    )
    assert "error-summary" in dr.page.text
    dr.post("/account/password", {**values, "password": "wrong", "new_password": PASSWORD + "!"})
    assert "error-summary" in dr.page.text


def test_unknown_name_wrong_password_and_disabled_person_get_the_same_answer(
    app: Flask, dr: Colleague
) -> None:
    Colleague(app, "away", "staff")
    run(app, "people", "disable", "away")
    pages = []
    for name, password in (
        ("nobody", "wrong password"),
        ("dr", "wrong password"),
        ("away", PASSWORD),
    ):
        visitor = Visitor(app)
        visitor.get("/account/sign-in")
        visitor.post("/account/sign-in", {"sign_in_name": name, "password": password})
        assert visitor.path == "/account/sign-in"
        pages.append(re.sub(r'value="[^"]*"', "", visitor.page.text))
    assert pages[0] == pages[1] == pages[2]
    assert "The name or the password is wrong." in pages[0]


@pytest.mark.parametrize("name", ["dr", "nobody"])
def test_after_too_many_attempts_even_the_right_password_waits(
    app: Flask, dr: Colleague, name: str
) -> None:
    visitor = Visitor(app)
    visitor.get("/account/sign-in")
    for _ in range(people.ATTEMPTS_PER_NAME_AND_ADDRESS):
        visitor.post("/account/sign-in", {"sign_in_name": name, "password": "wrong"})
    visitor.post("/account/sign-in", {"sign_in_name": name.upper(), "password": PASSWORD})
    assert "Too many attempts failed" in visitor.text
    with app.app_context():
        db.session.execute(update(AttemptRow).values(at=datetime.now(UTC) - timedelta(minutes=16)))
        db.session.commit()
    visitor.post("/account/sign-in", {"sign_in_name": name, "password": PASSWORD})
    assert ("Too many" in visitor.text) is False
    assert (visitor.path == "/clinic/") is (name == "dr")


def test_attempts_are_counted_for_all_processes(
    app: Flask, dr: Colleague, start: Callable[..., Flask]
) -> None:
    other = start(current_installation(app).settings)
    for number in range(people.ATTEMPTS_PER_NAME_AND_ADDRESS):
        visitor = Visitor((app, other)[number % 2])
        visitor.get("/account/sign-in")
        visitor.post("/account/sign-in", {"sign_in_name": "dr", "password": "wrong"})
    visitor.post("/account/sign-in", {"sign_in_name": "dr", "password": PASSWORD})
    assert "Too many attempts failed" in visitor.text


def test_a_password_typed_as_the_name_is_in_no_log(
    app: Flask, dr: Colleague, caplog: pytest.LogCaptureFixture
) -> None:
    visitor = Visitor(app)
    visitor.get("/account/sign-in")
    visitor.post("/account/sign-in", {"sign_in_name": PASSWORD, "password": "x"})
    log = run(app, "audit", "export")
    assert "unknown,sign-in failed" in log
    assert PASSWORD not in log + caplog.text


def leave_idle(app: Flask) -> None:
    """Let nobody have used a sign-in for an hour."""
    with app.app_context():
        db.session.execute(update(SignInRow).values(seen_at=datetime.now(UTC) - timedelta(hours=1)))
        db.session.commit()


@pytest.mark.parametrize("column", ["seen_at", "begun_at"])
def test_a_sign_in_ends_by_itself(app: Flask, dr: Colleague, column: str) -> None:
    with app.app_context():
        long_ago = datetime.now(UTC) - (
            timedelta(minutes=21) if column == "seen_at" else timedelta(hours=13)
        )
        db.session.execute(update(SignInRow).values({column: long_ago}))
        db.session.commit()
    assert dr.get("/clinic/?show=all").request.path == "/account/sign-in"
    dr.post(
        "/account/sign-in?next=/clinic/?show%3Dall", {"sign_in_name": "dr", "password": PASSWORD}
    )
    assert dr.path == "/clinic/"


@pytest.mark.both_databases
def test_what_was_typed_is_filled_in_again_after_signing_in(app: Flask, dr: Colleague) -> None:
    visitor = Visitor(app)
    visitor.fill_in()
    page = f"/clinic/screenings/{visitor.send()}"
    review = {"decision": "do_not_start", "note": "Typed\nbefore"}
    established = {
        "infection": "yes",
        "infection_symptoms": ["fever", "chills"],
        "why": "Asked again",
    }
    for path, values, address in (
        (page, review, f"{page}/review"),
        (f"{page}/clarify/infection", established, f"{page}/clarify/infection"),
    ):
        dr.get(path)
        seen = dr.seen
        leave_idle(app)
        dr.post(address, {**values, "seen": seen})
        assert dr.page.status_code == 401
        assert "What you typed is kept" in dr.text
        assert "Typed" not in str(dr.client.get_cookie("session"))
        sign_in = re.search(r'href="(/account/sign-in\?next=[^"]+)"', dr.page.text)
        assert sign_in is not None
        dr.get(sign_in[1])
        dr.post(sign_in[1], {"sign_in_name": "dr", "password": PASSWORD})
        assert dr.path == path
        assert "What you typed before you were signed out is filled in again" in dr.text
        assert "<title>Error:" not in dr.page.text
        for name, value in values.items():
            for text in [value] if isinstance(value, str) else value:
                chosen = f'name="{name}" value="{text}" checked'
                assert chosen in dr.page.text or f"\n{text}</textarea>" in dr.page.text, name
        dr.get(path)
        assert "is filled in again" in dr.text, "a reload loses nothing"
        dr.post(address, {**values, "seen": seen})
        assert dr.path == page
        assert "is filled in again" not in dr.text, "it is recorded"
        assert "is filled in again" not in dr.get(path).text
    text = dr.get(page).text
    assert "before" in text
    assert "Asked again" in text


def test_what_somebody_typed_is_not_shown_to_the_next_person(app: Flask, dr: Colleague) -> None:
    Colleague(app, "other")
    visitor = Visitor(app)
    visitor.fill_in()
    page = f"/clinic/screenings/{visitor.send()}"
    dr.get(page)
    leave_idle(app)
    dr.post(f"{page}/review", {"decision": "do_not_start", "note": "Typed before", "seen": "0"})
    dr.sign_in(name="other")
    assert "Typed before" not in dr.get(page).text


@pytest.mark.both_databases
@pytest.mark.parametrize("words", [("disable", "dr"), ("reset-password", "dr")])
def test_who_is_disabled_or_reset_is_out_at_the_next_request(
    app: Flask, dr: Colleague, words: tuple[str, ...]
) -> None:
    Colleague(app, "boss", "admin")
    assert dr.get("/clinic/").request.path == "/clinic/"
    run(app, "people", *words)
    for path in ("/clinic/", "/account/", "/account/password", "/account/second-factor"):
        assert dr.get(path).request.path == "/account/sign-in", path
    with app.app_context():
        assert (
            db.session.scalar(
                select(func.count())
                .select_from(SignInRow)
                .join(PersonRow)
                .where(PersonRow.sign_in_name == "dr")
            )
            == 0
        )


def test_own_sign_ins_are_listed_and_can_be_ended(app: Flask, dr: Colleague) -> None:
    second = Visitor(app)
    second.get("/account/sign-in")
    second.post("/account/sign-in", {"sign_in_name": "dr", "password": PASSWORD})
    dr.get("/account/")
    (other,) = re.findall(r'name="sign_in" value="(\w+)"', dr.page.text)
    dr.post("/account/sign-ins/end", {"sign_in": other})
    assert "Sign out there" not in dr.text
    assert second.get("/clinic/").request.path == "/account/sign-in"
    assert dr.get("/clinic/").request.path == "/clinic/"


def test_an_admin_ends_all_sign_ins_of_somebody(app: Flask, dr: Colleague) -> None:
    other = Colleague(app, "other")
    dr.get("/admin/people")
    dr.post("/admin/people/other", {"sign-out": "1"})
    assert other.get("/clinic/").request.path == "/account/sign-in"
    assert dr.get("/clinic/").request.path == "/clinic/"
    assert "signed out,other,all sign-ins" in run(app, "audit", "export")


def test_nobody_ends_the_sign_in_of_somebody_else(app: Flask, dr: Colleague) -> None:
    other = Colleague(app, "other")
    with app.app_context():
        person = people.find(db.session, "other")
        assert person is not None
        (row,) = people.own_sign_ins(db.session, person)
        token_hash = row.token_hash
    dr.get("/account/")
    dr.post("/account/sign-ins/end", {"sign_in": token_hash})
    assert other.get("/clinic/").request.path == "/clinic/"


def test_signing_out_ends_it_in_the_database_too(app: Flask, dr: Colleague) -> None:
    cookie = dr.client.get_cookie("session")
    assert cookie is not None
    dr.get("/clinic/")
    dr.post("/account/sign-out")
    assert dr.path == "/account/sign-in"
    dr.client.set_cookie("session", cookie.value)  # a stolen copy
    assert dr.get("/clinic/").request.path == "/account/sign-in"


def test_a_changed_password_ends_every_other_sign_in(app: Flask, dr: Colleague) -> None:
    second = Visitor(app)
    second.get("/account/sign-in")
    second.post("/account/sign-in", {"sign_in_name": "dr", "password": PASSWORD})
    dr.get("/account/password")
    dr.change_password(PASSWORD, "another long password")
    assert dr.get("/clinic/").request.path == "/clinic/"
    assert second.get("/clinic/").request.path == "/account/sign-in"


def codes(dr: Colleague) -> TOTP:
    """Set up the second factor as the page says."""
    dr.get("/account/second-factor")
    dr.post("/account/second-factor", {"setup": "authenticator"})
    key = re.search(r'class="password">([A-Z2-7-]+)<', dr.page.text)
    action = re.search(r'action="(/account/second-factor/[^"]+)"', dr.page.text)
    assert key is not None
    assert action is not None
    assert "<svg" in dr.page.text
    app = TOTP(key=key[1], format="base32")
    dr.post(action[1], {"code": app.generate().token})
    assert dr.path == "/account/recovery-codes", dr.text
    assert len(re.findall(r"<li>([0-9a-f-]{14})</li>", dr.page.text)) == 5
    return app


def test_a_mistyped_code_keeps_the_key_that_was_scanned(app: Flask, dr: Colleague) -> None:
    dr.get("/account/second-factor")
    dr.post("/account/second-factor", {"setup": "authenticator"})
    shown = re.search(r'class="password">([A-Z2-7-]+)<', dr.page.text)
    action = re.search(r'action="(/account/second-factor/[^"]+)"', dr.page.text)
    assert shown is not None
    assert action is not None
    for typed in ("000000", ""):
        dr.post(action[1], {"code": typed})
        assert "error-summary" in dr.page.text
        assert shown[1] in dr.page.text
        assert "<svg" in dr.page.text
    dr.post(action[1], {"code": TOTP(key=shown[1], format="base32").generate().token})
    assert dr.path == "/account/recovery-codes", dr.text


def test_there_are_no_recovery_codes_without_a_second_factor(app: Flask, dr: Colleague) -> None:
    assert dr.get("/account/recovery-codes").request.path == "/account/"


@pytest.mark.both_databases
def test_with_a_second_factor_a_code_is_asked_for_and_good_only_once(
    app: Flask, dr: Colleague
) -> None:
    phone = codes(dr)
    with app.app_context():  # as if some time had gone by since the code of the set-up
        db.session.execute(update(PersonRow).values(tf_last_counter=None))
        db.session.commit()
    code = phone.generate().token
    dr.get("/clinic/")
    dr.post("/account/sign-out")
    dr.sign_in()
    assert dr.path == "/account/code"
    assert dr.get("/clinic/").request.path == "/account/sign-in"
    dr.sign_in()
    dr.post("/account/code", {"code": "000000"})
    assert "error-summary" in dr.page.text
    dr.post("/account/code", {"code": code})
    assert dr.path == "/clinic/"
    thief = Visitor(app)
    thief.get("/account/sign-in")
    thief.post("/account/sign-in", {"sign_in_name": "dr", "password": PASSWORD})
    thief.post("/account/code", {"code": code})
    assert thief.get("/clinic/").request.path == "/account/sign-in"


def test_codes_cannot_be_guessed_for_long(app: Flask, dr: Colleague) -> None:
    phone = codes(dr)
    visitor = Visitor(app)
    visitor.get("/account/sign-in")
    visitor.post("/account/sign-in", {"sign_in_name": "dr", "password": PASSWORD})
    for number in range(people.ATTEMPTS_PER_NAME_AND_ADDRESS):
        visitor.post("/account/code", {"code": f"{number:06}"})
    with app.app_context():
        db.session.execute(update(PersonRow).values(tf_last_counter=None))
        db.session.commit()
    visitor.post("/account/code", {"code": phone.generate().token})
    assert "Too many attempts failed" in visitor.text
    visitor.get("/account/recovery")
    visitor.post("/account/recovery", {"code": "x"})
    assert "Too many attempts failed" in visitor.text


def test_a_recovery_code_replaces_the_phone_once(app: Flask, dr: Colleague) -> None:
    codes(dr)
    dr.get("/account/recovery-codes")
    dr.post("/account/recovery-codes", {"generate_new_codes": "1"})
    new_codes = re.findall(r"<li>([0-9a-f-]{14})</li>", dr.page.text)
    assert len(new_codes) == 5
    with app.app_context():
        assert new_codes[0] not in str(
            db.session.scalars(select(PersonRow.mf_recovery_codes)).all()
        )
    for expected in ("/clinic/", "/account/sign-in"):
        visitor = Visitor(app)
        visitor.get("/account/sign-in")
        visitor.post("/account/sign-in", {"sign_in_name": "dr", "password": PASSWORD})
        visitor.get("/account/recovery")
        visitor.post("/account/recovery", {"code": new_codes[0]})
        assert visitor.get("/clinic/").request.path == expected


def test_an_admin_can_require_the_second_factor(app: Flask, dr: Colleague) -> None:
    run(app, "people", "require-totp", "dr")
    assert dr.get("/clinic/").request.path == "/account/second-factor"
    assert "It is required for your account" in dr.text
    assert "Remove the second factor" not in dr.text
    codes(dr)
    assert dr.get("/clinic/").request.path == "/clinic/"
    dr.get("/account/second-factor")
    dr.post("/account/second-factor", {"setup": "disable"})
    assert dr.get("/clinic/").request.path == "/clinic/"
    with app.app_context():
        assert db.session.scalars(select(PersonRow.tf_totp_secret)).one() is not None


def test_an_admin_manages_people_in_the_browser(app: Flask, dr: Colleague) -> None:
    dr.get("/admin/people")
    dr.post("/admin/people", {"sign_in_name": "Nurse", "full_name": "Nurse N.", "roles": ["staff"]})
    shown = re.search(r'class="password">([a-z0-9-]+)<', dr.page.text)
    assert shown is not None
    nurse = Visitor(app)
    nurse.get("/account/sign-in")
    nurse.post("/account/sign-in", {"sign_in_name": "nurse", "password": shown[1]})
    assert nurse.path == "/account/password"
    dr.post("/admin/people", {"sign_in_name": "nurse", "full_name": "Other", "roles": ["staff"]})
    assert "That sign-in name is already in use" in dr.text
    assert 'value="Other"' in dr.page.text
    dr.post("/admin/people", {"sign_in_name": "x y", "roles": ["staff"]})
    assert "Enter a sign-in name" in dr.text
    dr.post("/admin/people", {"sign_in_name": "third", "full_name": "Third"})
    assert "Choose at least one role" in dr.text
    for button in ({"disable": "1"}, {"enable": "1"}, {"require-totp": "1"}, {"free-totp": "1"}):
        dr.post("/admin/people/nurse", button)
        assert dr.page.status_code == 200
    dr.post("/admin/people/nurse", {"change-roles": "1", "roles": ["staff", "prescriber"]})
    with app.app_context():
        person = people.find(db.session, "nurse")
        assert person is not None
        assert (person.role_names, person.active, person.totp_required) == (
            "prescriber staff",
            True,
            False,
        )
    dr.post("/admin/people/nurse", {"reset-password": "1"})
    assert "One-time password of nurse" in dr.text
    assert run(app, "audit", "export").count(",people,nurse,") == 7


@pytest.mark.parametrize("change", [{"disable": "1"}, {"change-roles": "1", "roles": ["staff"]}])
def test_the_last_admin_stays_an_admin(
    app: Flask, dr: Colleague, change: dict[str, object]
) -> None:
    dr.get("/admin/people")
    dr.post("/admin/people/dr", change)
    assert "That would leave nobody who can manage people" in dr.text
    assert dr.get("/admin/people").request.path == "/admin/people"


def test_people_are_changed_only_shortly_after_the_password_was_given(
    app: Flask, dr: Colleague
) -> None:
    with dr.client.session_transaction() as session:
        session["fs_paa"] -= 16 * 60
    dr.get("/admin/people")
    assert dr.path == "/account/confirm"
    dr.post("/account/confirm?next=/admin/people", {"password": "wrong"})
    assert "error-summary" in dr.page.text
    dr.post("/account/confirm?next=/admin/people", {"password": PASSWORD})
    assert dr.path == "/admin/people"


@pytest.mark.parametrize(
    "target", ["https://evil.example/", "//evil.example", "/\\evil.example", "/clinic/\\evil"]
)
def test_signing_in_leads_to_no_other_site(app: Flask, dr: Colleague, target: str) -> None:
    visitor = Visitor(app)
    for in_address, in_form in ((target, ""), ("", target)):
        visitor.get("/account/sign-in")
        values = {"sign_in_name": "dr", "password": PASSWORD, "next": in_form}
        visitor.post(f"/account/sign-in?next={in_address}", values)
        assert visitor.page.status_code == 400


def test_the_first_admin_is_made_only_where_there_is_nobody(app: Flask) -> None:
    words = ("people", "add", "admin", "--role", "admin", "--role", "prescriber", "--if-none")
    assert "password" in run(app, *words)
    assert "reset-password admin" in run(app, *words)  # nobody has signed in with the first one yet
    assert run(app, "people", "list").splitlines() == ["admin\tadmin\tprescriber admin"]


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (("add", "dr", "--role", "staff"), "sign-in name is already in use"),
        (("add", "x y", "--role", "staff"), "2 to 64 letters"),
        (("disable", "nobody"), "Nobody has that sign-in name"),
        (("disable", "dr"), "nobody who can manage people"),
    ],
)
def test_faults_on_the_command_line_say_what_to_do(
    app: Flask, dr: Colleague, words: tuple[str, ...], fault: str
) -> None:
    result = app.test_cli_runner().invoke(args=["people", *words])
    assert result.exit_code == 1
    assert fault in result.stderr


def test_a_password_that_was_hashed_otherwise_is_accepted(
    app: Flask, dr: Colleague, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(argon2, "memory_cost", argon2.memory_cost * 2)
    dr.post("/account/sign-out")
    dr.sign_in()
    assert dr.path == "/clinic/"


def test_a_password_that_is_reset_while_it_is_tried_is_refused(
    app: Flask, dr: Colleague, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin_write = sign_in_forms.begin_write

    def reset_before(session: Session) -> None:
        monkeypatch.setattr(sign_in_forms, "begin_write", begin_write)
        run(app, "people", "reset-password", "dr")
        begin_write(session)

    dr.post("/account/sign-out")
    dr.get("/account/sign-in")
    monkeypatch.setattr(sign_in_forms, "begin_write", reset_before)
    dr.post("/account/sign-in", {"sign_in_name": "dr", "password": PASSWORD})
    assert "The name or the password is wrong" in dr.text


@pytest.mark.audit
@pytest.mark.usefixtures("slow_hashing")
def test_an_unknown_name_takes_as_long_as_a_wrong_password(make_app: Callable[..., Flask]) -> None:
    """Else the time would tell who works here.

    A name that costs no hashing answers ten times faster.
    """
    app = make_app()
    Colleague(app)

    def taken(name: str) -> float:
        visitor = Visitor(app)
        visitor.get("/account/sign-in")
        begun = time.perf_counter()
        visitor.post("/account/sign-in", {"sign_in_name": name, "password": "wrong"})
        return time.perf_counter() - begun

    pairs = [(taken("dr"), taken("nobody")) for _ in range(5)]
    known, unknown = (statistics.median(times) for times in zip(*pairs, strict=True))
    assert 1 / 3 < known / unknown < 3


def test_one_unfinished_request_holds_up_nobody(app: Flask, dr: Colleague) -> None:
    """JSON would be read within a transaction of Flask-Security: it is refused before."""
    for path in ("/account/sign-in", "/account/code", "/account/password"):
        token = re.search(r'name="csrf_token"[^>]* value="([^"]+)"', dr.get("/account/").text)
        assert token is not None
        sent = dr.client.post(path, json={"code": 1}, headers={"X-CSRFToken": token[1]})
        assert sent.status_code == 415


def test_whoever_asks_for_json_gets_pages_and_no_token(app: Flask, dr: Colleague) -> None:
    visitor = Visitor(app)
    page = visitor.get("/account/sign-in").text
    token = page.split('name="csrf_token"')[1].split('value="')[1].split('"')[0]
    values = {"sign_in_name": "dr", "password": PASSWORD, "csrf_token": token}
    asked = {"headers": {"Accept": "application/json"}}
    sent = visitor.client.post("/account/sign-in?include_auth_token=1", data=values, **asked)
    assert sent.status_code == 302
    assert sent.content_type.startswith("text/html")


def test_the_password_so_far_cannot_be_guessed_for_long(app: Flask, dr: Colleague) -> None:
    dr.get("/account/password")
    for number in range(people.ATTEMPTS_PER_NAME_AND_ADDRESS):
        dr.change_password(f"guess {number}", "another long password")
    dr.change_password(PASSWORD, "another long password")
    assert "Too many attempts failed" in dr.text


def test_a_second_factor_is_changed_only_shortly_after_the_password_was_given(
    app: Flask, dr: Colleague
) -> None:
    dr.get("/account/second-factor")
    dr.post("/account/second-factor", {"setup": "authenticator"})
    action = re.search(r'action="(/account/second-factor/[^"]+)"', dr.page.text)
    assert action is not None
    with dr.client.session_transaction() as session:
        session["fs_paa"] -= 16 * 60
    for path in (action[1], "/account/second-factor", "/account/recovery-codes"):
        dr.get("/account/")
        dr.post(path, {"code": "123456", "setup": "authenticator", "generate_new_codes": "1"})
        assert dr.path == "/account/confirm", path


def test_setting_up_a_second_factor_ends_every_other_sign_in(app: Flask, dr: Colleague) -> None:
    second = Visitor(app)
    second.get("/account/sign-in")
    second.post("/account/sign-in", {"sign_in_name": "dr", "password": PASSWORD})
    codes(dr)
    assert second.get("/clinic/").request.path == "/account/sign-in"


def test_a_form_left_open_is_not_sent_in_the_name_of_the_next_person(
    app: Flask, dr: Colleague
) -> None:
    Colleague(app, "other")
    visitor = Visitor(app)
    visitor.fill_in()
    reference = visitor.send()
    dr.get(f"/clinic/screenings/{reference}")
    form = dr.page
    leave_idle(app)
    dr.sign_in(name="other")
    dr.page = form
    dr.post(f"/clinic/screenings/{reference}/review", {"decision": "proceed", "seen": "0"})
    assert dr.page.status_code == 400


def test_a_stranger_elsewhere_does_not_lock_somebody_out(make_app: Callable[..., Flask]) -> None:
    app = make_app(proxies=1)
    dr = Colleague(app)
    stranger = Visitor(app)
    stranger.client.environ_base["HTTP_X_FORWARDED_FOR"] = "203.0.113.9"
    stranger.get("/account/sign-in")
    for _ in range(people.ATTEMPTS_PER_NAME_AND_ADDRESS + 1):
        stranger.post("/account/sign-in", {"sign_in_name": "dr", "password": "wrong"})
    assert "Too many attempts failed" in stranger.text
    dr.get("/clinic/")
    dr.post("/account/sign-out")
    dr.sign_in()
    assert dr.path == "/clinic/"


def test_lists_with_names_are_in_the_audit_log_without_what_was_searched_for(
    app: Flask, dr: Colleague
) -> None:
    dr.get("/clinic/")
    dr.post("/clinic/search", {"search": "Markerova"})
    log = run(app, "audit", "export")
    assert "dr,listed,,0 lines" in log
    assert "dr,searched,,0 lines" in log
    assert "Markerova" not in log


@pytest.mark.parametrize("query", ["page=99999999999999999999", "page=-5", "q=nonsense", "q=%00"])
def test_an_odd_address_of_the_inbox_is_no_fault(app: Flask, dr: Colleague, query: str) -> None:
    assert dr.get(f"/clinic/?{query}").status_code == 200
    assert dr.get("/clinic/arrivals?after=99999999999999999999").json == {"arrived": 0}
