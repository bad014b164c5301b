"""Fixtures from the tests of faults and of integration."""

from tests.faults.conftest import on_postgresql  # noqa: F401
from tests.integration.conftest import make_app, new_instance, sqlite_app, start  # noqa: F401
