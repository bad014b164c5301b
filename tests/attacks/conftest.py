"""Fixtures from the tests of integration."""

from tests.integration.conftest import _spared, make_app, new_instance, sqlite_app, start  # noqa: F401
