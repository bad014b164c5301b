"""Empty PostgreSQL databases, as the tests of faults have them."""

from tests.faults.conftest import on_postgresql, postgresql  # noqa: F401
