"""Passkeys: made, used in place of a password and as the second factor, removed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from screening.extensions import db
from screening.storage.tables import PasskeyRow
from tests.integration.colleague import PASSWORD, Colleague
from tests.integration.device import Device, encoded
from tests.integration.test_signing_in import codes
from tests.integration.test_upkeep import change, flask
from tests.integration.visitor import Visitor

pytestmark = pytest.mark.one_database

PASSKEYS = "/account/passkeys"
SIGN_IN = "/account/passkey"


@pytest.fixture
def dr(app: Flask) -> Colleague:
    return Colleague(app, "dr", "prescriber", "admin")


def asked(visitor: Visitor) -> tuple[str, dict[str, Any]]:
    """Return where the page sends the answer, and what it asks the browser for."""
    form = re.search(
        r'action="([^"]+)" data-passkey="\w+" data-options="([^"]+)"', visitor.page.text
    )
    assert form is not None, visitor.text
    return form[1], json.loads(unescape(form[2]))


def make(person: Visitor, name: str = "My phone", device: Device | None = None) -> Device:
    device = device or Device()
    person.get(PASSKEYS)
    person.post(PASSKEYS, {"name": name, "usage": "first"})
    action, options = asked(person)
    person.post(action, {"credential": device.create(options)})
    return device


def use(visitor: Visitor, device: Device, page: str = SIGN_IN) -> None:
    visitor.get(page)
    visitor.post(SIGN_IN, {"next": ""})
    action, options = asked(visitor)
    visitor.post(action, {"credential": device.get(options)})


def give_password(visitor: Visitor) -> None:
    visitor.get("/account/sign-in")
    visitor.post("/account/sign-in", {"sign_in_name": "dr", "password": PASSWORD})


@pytest.mark.both_databases
def test_a_passkey_signs_in_without_a_password(app: Flask, dr: Colleague) -> None:
    device = make(dr)
    assert dr.path == "/account/recovery-codes"
    assert len(re.findall(r"<li>([0-9a-f-]{14})</li>", dr.page.text)) == 5
    assert "My phone" in dr.get(PASSKEYS).text
    for _ in range(2):
        visitor = Visitor(app)
        use(visitor, device)
        assert visitor.path == "/clinic/"
    assert "last used" in dr.get(PASSKEYS).text
    log = flask(app, "audit", "export").stdout
    assert "dr,people,,passkey added" in log
    assert "dr,signed in,,passkey" in log
    assert "All is as it was stored" in flask(app, "verify").stdout


def test_the_password_goes_on_where_nothing_more_is_required(app: Flask, dr: Colleague) -> None:
    make(dr)
    visitor = Visitor(app)
    give_password(visitor)
    assert visitor.path == "/clinic/"


def test_signing_in_by_passkey_leads_on_to_where_one_was_going(app: Flask, dr: Colleague) -> None:
    device = make(dr)
    visitor = Visitor(app)
    visitor.get("/clinic/statistics")
    assert visitor.path == "/account/sign-in"
    visitor.post(SIGN_IN, {"next": "/clinic/statistics"})
    action, options = asked(visitor)
    visitor.post(action, {"credential": device.get(options), "next": "/clinic/statistics"})
    assert visitor.path == "/clinic/statistics"


def test_a_passkey_is_the_second_factor_where_one_is_required(app: Flask, dr: Colleague) -> None:
    flask(app, "people", "require-totp", "dr")
    assert dr.get("/clinic/").request.path == "/account/second-factor"
    assert "Use a passkey instead of an app" in dr.text
    device = make(dr)
    recovery = re.findall(r"<li>([0-9a-f-]{14})</li>", dr.page.text)
    assert dr.get("/clinic/").request.path == "/clinic/"
    visitor = Visitor(app)
    give_password(visitor)
    assert visitor.path == SIGN_IN
    assert visitor.get("/clinic/").request.path == "/account/sign-in", "the password is not enough"
    give_password(visitor)
    use(visitor, device)
    assert visitor.path == "/clinic/"
    without = Visitor(app)
    give_password(without)
    without.get("/account/recovery")
    without.post("/account/recovery", {"code": recovery[0]})
    assert without.path == "/clinic/"
    assert "second factor" in flask(app, "people", "list").stdout


def test_after_the_password_only_a_passkey_of_that_person_will_do(
    app: Flask, dr: Colleague
) -> None:
    flask(app, "people", "require-totp", "dr")
    make(dr)
    device = make(Colleague(app, "other"))
    visitor = Visitor(app)
    give_password(visitor)
    use(visitor, device)
    assert "That passkey cannot be used here" in visitor.text
    assert visitor.get("/clinic/").request.path == "/account/sign-in"


def test_after_the_password_the_browser_is_told_which_passkeys_will_do(
    app: Flask, dr: Colleague
) -> None:
    """Else it would offer those of everybody who shares the computer."""
    flask(app, "people", "require-totp", "dr")
    device = make(dr)
    make(Colleague(app, "other"))
    visitor = Visitor(app)
    give_password(visitor)
    visitor.post(SIGN_IN, {"next": ""})
    _action, options = asked(visitor)
    assert [allowed["id"] for allowed in options["allowCredentials"]] == [encoded(device.id)]
    assert options["userVerification"] == "required"
    stranger = Visitor(app)
    stranger.get(SIGN_IN)
    stranger.post(SIGN_IN, {"next": ""})
    assert asked(stranger)[1]["allowCredentials"] == [], "nobody is told who has passkeys"


def test_a_passkey_does_instead_of_the_code_of_an_app(app: Flask, dr: Colleague) -> None:
    codes(dr)
    visitor = Visitor(app)
    give_password(visitor)
    assert "Use a passkey instead" not in visitor.text
    device = make(dr)
    visitor = Visitor(app)
    give_password(visitor)
    assert visitor.path == "/account/code"
    assert "Use a passkey instead" in visitor.text
    use(visitor, device, "/account/code")
    assert visitor.path == "/clinic/"


def test_a_passkey_is_removed_by_its_name(app: Flask, dr: Colleague) -> None:
    device = make(dr)
    make(dr, "PC in room 2")
    dr.get(PASSKEYS)
    dr.post("/account/passkey-removal", {"name": "My phone"})
    assert "PC in room 2" in dr.text
    visitor = Visitor(app)
    use(visitor, device)
    assert "That passkey cannot be used here" in visitor.text
    assert "dr,people,,passkey removed" in flask(app, "audit", "export").stdout
    dr.get(PASSKEYS)
    dr.post("/account/passkey-removal", {"name": "PC in room 2"})
    assert dr.get("/account/recovery-codes").request.path == "/account/", "they have no use now"


def test_the_last_passkey_stays_where_more_than_a_password_is_required(
    app: Flask, dr: Colleague
) -> None:
    """Else the password alone would be enough to sign in and to set up another factor."""
    flask(app, "people", "require-totp", "dr")
    make(dr)
    make(dr, "PC in room 2")
    for name in ("My phone", "PC in room 2"):
        dr.get(PASSKEYS)
        dr.post("/account/passkey-removal", {"name": name})
    assert "My phone" not in dr.text
    assert "PC in room 2" in dr.text
    assert "It stays until you have another passkey or an app" in dr.text
    assert dr.get("/clinic/").request.path == "/clinic/"


def test_passkeys_are_changed_only_shortly_after_the_password_was_given(
    app: Flask, dr: Colleague
) -> None:
    make(dr)
    dr.get(PASSKEYS)
    dr.post(PASSKEYS, {"name": "Another", "usage": "first"})
    action, options = asked(dr)
    with dr.client.session_transaction() as session:
        session["fs_paa"] -= 16 * 60
    form = dr.page
    for path, values in (
        (PASSKEYS, {"name": "Another", "usage": "first"}),
        ("/account/passkey-removal", {"name": "My phone"}),
        (action, {"credential": Device().create(options)}),
    ):
        dr.page = form
        dr.post(path, values)
        assert dr.path == "/account/confirm", path
    assert dr.page.request.args["next"] == PASSKEYS


def test_a_new_passkey_ends_every_other_sign_in(app: Flask, dr: Colleague) -> None:
    other = Visitor(app)
    give_password(other)
    make(dr)
    assert other.get("/clinic/").request.path == "/account/sign-in"
    assert dr.get("/clinic/").request.path == "/clinic/"


def test_a_reset_removes_passkeys(app: Flask, dr: Colleague) -> None:
    device = make(dr)
    flask(app, "people", "reset-password", "dr")
    visitor = Visitor(app)
    use(visitor, device)
    assert "That passkey cannot be used here" in visitor.text


@pytest.mark.parametrize("words", [("disable", "dr")])
def test_a_disabled_person_has_no_use_of_a_passkey(
    app: Flask, dr: Colleague, words: tuple[str, ...]
) -> None:
    Colleague(app, "boss", "admin")
    device = make(dr)
    flask(app, "people", *words)
    visitor = Visitor(app)
    use(visitor, device)
    assert "That passkey cannot be used here" in visitor.text
    assert visitor.get("/clinic/").request.path == "/account/sign-in"


@pytest.mark.parametrize(
    "change_device",
    [
        {"verifies": False},
        {"origin": "http://elsewhere.example"},
        {"key": Device().key},
        {"id": b"another passkey!"},
        {"handle": "AAAA"},
        {"uses": -1},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_wrong_answer_does_not_sign_in(
    app: Flask, dr: Colleague, change_device: dict[str, Any]
) -> None:
    """Nobody is asked to tell what was wrong: all answers are alike."""
    device = make(dr)
    use(Visitor(app), device)
    for name, value in change_device.items():
        setattr(device, name, value)
    visitor = Visitor(app)
    use(visitor, device)
    assert "That passkey cannot be used here. Try again, or use your password." in visitor.text
    assert 'role="status"' in visitor.page.text
    assert visitor.get("/clinic/").request.path == "/account/sign-in"


def test_an_answer_is_good_once_and_only_in_the_browser_that_was_asked(
    app: Flask, dr: Colleague
) -> None:
    device = make(dr)
    visitor = Visitor(app)
    thief = Visitor(app)
    for browser in (thief, visitor):
        browser.get(SIGN_IN)
        browser.post(SIGN_IN, {"next": ""})
    action, options = asked(visitor)
    answer = device.get(options)
    thief.post(action, {"credential": answer})
    assert "That passkey cannot be used here" in thief.text
    visitor.post(action, {"credential": answer})
    assert visitor.path == "/clinic/"
    visitor.post("/account/sign-out")
    visitor.post(action, {"credential": answer})
    assert "That passkey cannot be used here" in visitor.text


def test_an_answer_that_was_recorded_with_its_cookies_is_not_good_again(
    app: Flask, dr: Colleague
) -> None:
    """Passkeys that are kept in step on several devices do not count their uses."""
    device = make(dr)
    visitor = Visitor(app)
    visitor.get(SIGN_IN)
    visitor.post(SIGN_IN, {"next": ""})
    action, options = asked(visitor)
    device.uses = -1
    answer = device.get(options)
    thief = Visitor(app)
    thief.page = visitor.page
    session = visitor.client.get_cookie("session")
    assert session is not None
    thief.client.set_cookie("session", session.value)
    visitor.post(action, {"credential": answer})
    assert visitor.path == "/clinic/"
    thief.post(action, {"credential": answer})
    assert "That passkey cannot be used here" in thief.text
    assert thief.get("/clinic/").request.path == "/account/sign-in"


@pytest.mark.parametrize("credential", ["", "x", "{}", '{"id": 1}', "[]", "null", "\x00"])
def test_what_is_no_answer_is_refused(app: Flask, dr: Colleague, credential: str) -> None:
    visitor = Visitor(app)
    visitor.get(SIGN_IN)
    visitor.post(SIGN_IN, {"next": ""})
    visitor.post(asked(visitor)[0], {"credential": credential})
    assert visitor.page.status_code == 200
    assert "That passkey cannot be used here" in visitor.text
    dr.get(PASSKEYS)
    dr.post(PASSKEYS, {"name": "New", "usage": "first"})
    dr.post(asked(dr)[0], {"credential": credential})
    assert dr.path == PASSKEYS
    with app.app_context():
        assert db.session.scalars(select(PasskeyRow)).all() == []


def test_a_passkey_that_was_changed_behind_the_program_is_not_accepted(
    app: Flask, dr: Colleague
) -> None:
    other = Colleague(app, "other")
    device = make(other)
    change(app, "UPDATE passkeys SET user_id = (SELECT id FROM people WHERE sign_in_name = 'dr')")
    visitor = Visitor(app)
    device.handle = ""
    visitor.get(SIGN_IN)
    visitor.post(SIGN_IN, {"next": ""})
    action, options = asked(visitor)
    visitor.post(action, {"credential": device.get(options)})
    assert visitor.page.status_code == 500
    assert visitor.get("/clinic/").request.path == "/account/sign-in"
    result = app.test_cli_runner().invoke(args=["verify"])
    assert "passkeys" in result.output


def test_names_are_told_apart_and_may_have_any_letters(app: Flask, dr: Colleague) -> None:
    make(dr, "Zoë’s phone (2)")
    assert "Zoë’s phone (2)" in dr.get(PASSKEYS).text
    dr.post(PASSKEYS, {"name": "Zoë’s phone (2)", "usage": "first"})
    assert "<title>Error:" in dr.page.text
    for name in ("", "x" * 65, "<b>"):
        dr.post(PASSKEYS, {"name": name, "usage": "first"})
        assert "<title>Error:" in dr.page.text
        assert "Enter a name that none of your passkeys has" in dr.text


@pytest.mark.parametrize(
    ("url", "works"),
    [
        ("https://screening.example", True),
        ("http://localhost", True),
        ("http://screening.example", False),
        ("http://127.0.0.1", False),
        ("https://192.0.2.1", False),
    ],
)
def test_passkeys_are_offered_only_where_browsers_allow_them(
    make_app: Callable[..., Flask], url: str, works: bool
) -> None:
    app = make_app(public_url=url, allow_plain_http=True)
    page = app.test_client().get("/account/sign-in", base_url=url)
    assert page.status_code == 200
    assert ("Sign in with a passkey" in page.text) is works


def test_an_expired_question_is_asked_again(app: Flask, dr: Colleague) -> None:
    visitor = Visitor(app)
    visitor.get(SIGN_IN)
    visitor.post("/account/passkey/made-up", {"credential": "{}"})
    assert visitor.path == SIGN_IN
    assert visitor.page.status_code == 200


def test_nobody_signed_in_is_signed_out_by_a_passkey(app: Flask, dr: Colleague) -> None:
    device = make(Colleague(app, "other"))
    stranger = Visitor(app)
    stranger.get(SIGN_IN)
    stranger.post(SIGN_IN, {"next": ""})
    action, options = asked(stranger)
    dr.get("/account/")
    dr.post(action, {"credential": device.get(options)})
    assert dr.path == "/account/"
    assert "dr" in dr.text


@pytest.mark.both_databases
def test_a_passkey_survives_rotation_and_a_removed_app(app: Flask, dr: Colleague) -> None:
    codes(dr)
    device = make(dr)
    dr.get("/account/second-factor")
    dr.post("/account/second-factor", {"setup": "disable"})
    assert dr.get("/account/recovery-codes").request.path == "/account/recovery-codes"
    flask(app, "rotate-key")
    visitor = Visitor(app)
    use(visitor, device)
    assert visitor.path == "/clinic/"


def test_doctor_tells_where_browsers_will_refuse_the_passkeys_there_are(
    app: Flask, dr: Colleague
) -> None:
    make(dr)
    printed = app.test_cli_runner().invoke(args=["doctor"]).output
    assert "1 may sign in, 0 of them without a second factor" in printed
    assert "1 people have passkeys, which need https and a name in public_url" in printed
