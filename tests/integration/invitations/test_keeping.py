"""Invitations in the database: what nobody may change, and rows of an older release."""

from __future__ import annotations

from flask import Flask

from screening.extensions import alembic
from tests.integration.invitations.test_invitations import invited
from tests.integration.test_keeping import assert_each_change_is_found
from tests.integration.test_upkeep import flask
from tests.integration.visitor import Visitor


def test_every_row_that_a_bit_was_turned_in_is_found(app: Flask) -> None:
    invited(app)
    changes = (
        "tries = 4",
        "expires_at = created_at",
        "revoked_at = created_at",
        "token_hash = 'x'",
    )
    assert_each_change_is_found(app, "invitations", changes)


def test_what_the_release_before_has_stored_is_sealed_by_init(app: Flask) -> None:
    _made, link = invited(app)
    with app.app_context():
        alembic.downgrade("0003_invitations_and_deliveries")
    for _ in range(2):
        flask(app, "init")
    flask(app, "verify")
    assert Visitor(app).get(link).status_code == 200
