"""The browser of somebody of the clinic, signed in, with a password of their own."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import cached_property

from flask import Flask
from flask_security import hash_password, login_user
from werkzeug.test import TestResponse

from screening.extensions import db
from screening.installation import current_installation
from screening.services import people
from screening.storage.audit import Actor
from tests.integration.visitor import Visitor

PASSWORD = "correct horse battery"


def add_person(app: Flask, name: str, *roles: str) -> str:
    """Add a person on the command line and return the one-time password."""
    words = [word for role in roles for word in ("--role", role)]
    result = app.test_cli_runner().invoke(
        args=["people", "add", name, "--name", f"Dr {name}", *words]
    )
    assert result.exit_code == 0, result.output
    match = re.search(r"password (\S+)", result.output)
    assert match is not None
    return match[1]


class Colleague(Visitor):
    """Somebody who signs in."""

    def __init__(self, app: Flask, name: str = "dr", *roles: str) -> None:
        self.client = app.test_client()
        self.app = app
        self.name = name
        with app.app_context():
            # Past the first sign-in, which has tests of its own: hashing a password is slow on
            # purpose.
            actor = Actor(
                session=db.session,
                keys=current_installation().keys,
                now=datetime.now(UTC),
                by="test",
            )
            people.add(actor, name, f"Dr {name}", roles or ("prescriber",), hash_password(PASSWORD))
            person = people.find(db.session, name)
            assert person is not None
            person.password_is_one_time = False
            db.session.commit()
        # Past the sign-in page too, for the same reason.
        with app.test_request_context(environ_base=self.client.environ_base):
            login_user(people.find(db.session, name), authn_via=["password"])
            db.session.commit()
            response = app.process_response(app.make_response(""))
        for cookie in response.headers.getlist("Set-Cookie"):
            name, _, value = cookie.split(";")[0].partition("=")
            self.client.set_cookie(name, value)

    @cached_property
    def page(self) -> TestResponse:
        """The page that is open: where signing in leads to, until another one is opened."""
        return self.client.get("/clinic/", follow_redirects=True)

    def sign_in(self, password: str = PASSWORD, name: str = "") -> None:
        """From the sign-in page."""
        self.get("/account/sign-in")
        self.post("/account/sign-in", {"sign_in_name": name or self.name, "password": password})

    def change_password(self, old: str, new: str) -> None:
        """On the page for it."""
        self.post(
            "/account/password", {"password": old, "new_password": new, "new_password_confirm": new}
        )

    def decide(self, reference: str, decision: str, **more: str) -> None:
        """Open a screening and record a decision."""
        self.get(f"/clinic/screenings/{reference}")
        self.post(
            f"/clinic/screenings/{reference}/review",
            {"decision": decision, "seen": self.seen, **more},
        )

    def clarify(self, reference: str, question: str, **values: object) -> None:
        """Open the page of a question and record what was established."""
        self.get(f"/clinic/screenings/{reference}/clarify/{question}")
        sent = {"why": "Asked again", "seen": self.seen, **values}
        self.post(f"/clinic/screenings/{reference}/clarify/{question}", sent)

    @property
    def seen(self) -> str:
        """The number of entries that the page knows of."""
        match = re.search(r'name="seen" value="(\d+)"', self.page.text)
        return match[1] if match else "0"
