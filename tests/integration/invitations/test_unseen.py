"""An invitation is read as a person sees it: what cannot be seen is held against nobody."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from flask import Flask

from screening.extensions import db
from screening.features.invitations import store
from screening.installation import current_installation
from tests.integration.colleague import Colleague
from tests.integration.test_upkeep import flask

pytestmark = pytest.mark.one_database

INVITED = {
    "name": "An\u200ba",
    "prescriber": "\u200fDr\u00ad House",
    "email": "ana@exam\u2060ple.org\u200b",
}


def test_an_invitation_is_read_as_it_is_seen_on_the_page(sqlite_app: Flask) -> None:
    dr = Colleague(sqlite_app)
    day = datetime.now(UTC).date() + timedelta(days=9)
    born = {"birth_day": "\u200e12", "birth_month": "3\u200b", "birth_year": "1988\ufeff"}
    more = {"appointment": f"\u200e{day}T14:30\u200f", "language": "en", "days": "7\u200b"}
    dr.get("/clinic/invitations/new")
    dr.post("/clinic/invitations/new", {**INVITED, **born, **more})
    assert_invited(sqlite_app)


def test_an_invitation_is_read_as_it_is_seen_by_the_command(sqlite_app: Flask) -> None:
    options = {**INVITED, "birth-date": "1988-03-12\u200e"}
    flask(sqlite_app, "invite", *(f"--{name}={value}" for name, value in options.items()))
    assert_invited(sqlite_app)


def assert_invited(app: Flask) -> None:
    with app.app_context():
        keys = current_installation().keys
        now = datetime.now(UTC)
        (kept,) = store.listed(db.session, keys, now=now, offset=0, limit=9)
        assert kept.invitation is not None
        read = kept.invitation
        assert (read.patient.name, read.patient.birth_date) == ("Ana", date(1988, 3, 12))
        assert (read.prescriber, read.email) == ("Dr House", "ana@example.org")
