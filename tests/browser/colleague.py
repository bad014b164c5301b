"""People of the clinic with their browsers: added by command, signed in, at work."""

from __future__ import annotations

import itertools
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from typing import Any

from flask import Flask
from flask.sessions import SecureCookieSessionInterface
from playwright.sync_api import Locator, Page

from screening.application import create_app
from screening.extensions import db
from screening.installation import current_installation
from screening.services.people import find
from screening.settings import Settings
from tests.browser import journey
from tests.browser.journey import OpenPage
from tests.browser.server import LiveServer
from tests.builders import all_no
from tests.integration.colleague import PASSWORD, add_person
from tests.integration.visitor import Visitor
from tests.storing import store

DESK = {"width": 1280, "height": 900}
PHONE = {"viewport": {"width": 320, "height": 568}}
SIGN_IN = "/account/sign-in"
CODE = "/account/code"
PRIMARY = "main button.primary"
SIGN_OUT = 'form[action$="/sign-out"] button'
RECORD = "form.review button.primary"
NUMBERS = itertools.count(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Colleague:
    """The sign-in name and password of a person. Others read the name as `Dr` and this name."""

    name: str
    password: str


# Without a browser, which takes less time.


@cache
def application(server: LiveServer) -> Flask:
    """Return the same installation in this process, where each command takes less time."""
    return create_app(Settings(instance=server.instance, public_url=server.url))


def people(server: LiveServer, *words: str) -> None:
    """Run a `flask people` command."""
    result = application(server).test_cli_runner().invoke(args=["people", *words])
    assert result.exit_code == 0, result.output


def add(server: LiveServer, *roles: str, name: str = "") -> Colleague:
    """Add a person with these roles and a one-time password."""
    name = name or f"{roles[0]}-{next(NUMBERS)}"
    return Colleague(name=name, password=add_person(application(server), name, *roles))


def settled(server: LiveServer, *roles: str, name: str = "") -> Colleague:
    """Add a person whose first sign-in is past."""
    person = add(server, *roles, name=name)
    with application(server).app_context():
        account = find(db.session, person.name)
        assert account is not None
        account.password_is_one_time = False
        db.session.commit()
        db.session.close()
        db.engine.dispose()
    return person


@cache
def cookie_of(server: LiveServer, person: Colleague) -> str:
    """Sign a person in and return the session cookie."""
    visitor = Visitor(application(server))
    visitor.get(SIGN_IN)
    visitor.post(SIGN_IN, {"sign_in_name": person.name, "password": person.password})
    cookie = visitor.client.get_cookie("session")
    assert cookie is not None
    return cookie.value


@cache
def shared(server: LiveServer, roles: tuple[str, ...], name: str) -> Colleague:
    """Return a person with these roles whom all tests of this process share.

    Adding a person and signing in are slow on purpose.
    """
    return settled(server, *roles, name=name or "-and-".join(roles))


def kept_sign_in(server: LiveServer, name: str, roles: tuple[str, ...]) -> str:
    """Return the session cookie of a person whom the tests share."""
    return cookie_of(server, shared(server, roles, name))


def arrive(
    server: LiveServer,
    *,
    name: str,
    visit: str = "",
    birth_date: date = date(1988, 3, 12),
    language: str = "en",
    at: datetime | None = None,
    **answers: Any,
) -> str:
    """Store a patient's answers, no to all but `answers`, and return the reference."""
    visit = visit or f"V-{next(NUMBERS)}"
    patient = {"name": name, "visit": visit, "birth_date": birth_date}
    app = application(server)
    with app.app_context():
        installation = current_installation(app)
        sent = store(
            db.session,
            installation.keys,
            installation.books[language],
            all_no(**answers),
            at=at,
            **patient,
        )
        db.session.close()
        db.engine.dispose()
    return sent.reference


def leave_idle(server: LiveServer, person: Colleague) -> None:
    """Set back the last use of each sign-in of a person to long ago."""
    of_person = "person_id = (SELECT id FROM people WHERE sign_in_name = ?)"
    change(
        server,
        f"UPDATE sign_ins SET seen_at = '2000-01-01 00:00:00.000000' WHERE {of_person}",
        person.name,
    )


def password_given_long_ago(server: LiveServer, page: Page) -> None:
    """Set back the time of the password so far that changing people requires it again."""
    app = application(server)
    serializer = SecureCookieSessionInterface().get_signing_serializer(app)
    assert serializer is not None
    (cookie,) = page.context.cookies()
    value = serializer.dumps(serializer.loads(cookie["value"]) | {"fs_paa": 0})
    page.context.add_cookies([{"name": "session", "value": value, "url": server.url}])


def change(server: LiveServer, statement: str, *values: str) -> None:
    """Change the database directly, not through the application."""
    with closing(sqlite3.connect(server.database)) as connection, connection:
        assert connection.execute(statement, values).rowcount > 0


# In the browser.


def at_work(
    open_page: OpenPage,
    server: LiveServer,
    *roles: str,
    person: Colleague | None = None,
    **context_args: Any,
) -> Page:
    """Return a page at a desk for this person, or for a shared one with these roles, signed in."""
    page = open_page(**{"viewport": DESK} | context_args)
    value = cookie_of(server, person) if person else kept_sign_in(server, "", roles)
    page.context.add_cookies([{"name": "session", "value": value, "url": server.url}])
    return page


def give_password(page: Page, name: str, password: str) -> None:
    """Type name and password on the sign-in page, and send."""
    page.fill("[name=sign_in_name]", name)
    page.fill("[name=password]", password)
    journey.press(page, PRIMARY)


def sign_in(page: Page, name: str, password: str) -> None:
    """Open the sign-in page and sign in."""
    page.goto(SIGN_IN)
    give_password(page, name, password)


def choose_password(page: Page, old: str, new: str = PASSWORD) -> None:
    """Change the password on its page."""
    page.fill("[name=password]", old)
    page.fill("[name=new_password]", new)
    page.fill("[name=new_password_confirm]", new)
    journey.press(page, PRIMARY)


def row(page: Page, reference: str) -> Locator:
    """Return the row of the inbox with this reference."""
    return page.locator(".inbox tbody tr", has_text=reference)


def references(page: Page) -> list[str]:
    """Return the references of the inbox in their order."""
    lines = page.locator(".inbox th .small").all_inner_texts()
    return [reference for line in lines for reference in journey.REFERENCE.findall(line)]


def read(page: Page, reference: str) -> None:
    """Open a screening."""
    page.goto(f"/clinic/screenings/{reference}")


def outcome(page: Page) -> str:
    """Return the outcome that the page of a screening shows, as the word in its class."""
    shown = page.get_attribute("section.outcome", "class")
    assert shown is not None
    return shown.removeprefix("outcome ")


def status(page: Page) -> str:
    """Return the status that the page of a screening shows."""
    return page.inner_text(".identity div:has(dt:text-is('Status')) dd")


def entries(page: Page) -> list[str]:
    """Return the texts of the entries on the page of a screening."""
    return page.locator(".entries li").all_inner_texts()


def fill_decision(page: Page, decision: str, **typed: str) -> None:
    """Choose a decision and type the text that belongs to it."""
    page.check(f"[name=decision][value={decision}]")
    for name, words in typed.items():
        page.fill(f"[name={name}]", words)


def held(page: Page, form: str) -> list[tuple[str, str]]:
    """Return the names and values of a form's inputs, without the hidden ones."""
    script = (
        "form => [...new FormData(form)].filter(([name]) => form.elements[name].type !== 'hidden')"
    )
    return [
        (name, value.replace("\r\n", "\n")) for name, value in page.locator(form).evaluate(script)
    ]
