"""Empty databases of both kinds, as many as a test needs."""

from __future__ import annotations

import secrets

import psycopg
import pytest

from tests.faults.serving import NewDatabase


@pytest.fixture
def on_postgresql(postgresql: str) -> NewDatabase:
    """Return a function whose each call gives the URL of an empty PostgreSQL database."""

    def make() -> str:
        name = f"fault_{secrets.token_hex(8)}"
        with psycopg.connect(f"{postgresql}/postgres", autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return f"{postgresql}/{name}"

    return make


@pytest.fixture(params=["sqlite", "postgresql"])
def new_database(request: pytest.FixtureRequest) -> NewDatabase:
    """Return a function whose each call gives the URL of an empty database.

    "" is SQLite in the instance folder.
    """
    if request.param == "sqlite":
        return lambda: ""
    return request.getfixturevalue("on_postgresql")
