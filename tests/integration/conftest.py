"""A prepared installation on SQLite and on PostgreSQL."""

from __future__ import annotations

import shutil
import tomllib
from collections.abc import Callable, Iterator
from copy import deepcopy
from functools import cache
from pathlib import Path
from types import CodeType
from typing import Any

import psycopg
import pytest
from flask import Flask
from jinja2 import BytecodeCache
from jinja2.bccache import Bucket
from passlib.hash import argon2
from sqlalchemy import Engine, event
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.orm import ORMExecuteState, Session
from werkzeug.routing import Rule

from screening.application import create_app
from screening.extensions import alembic, db
from screening.settings import Settings
from screening.storage.checksums import COUNTED
from screening.storage.tables import Checked
from tests.integration.visitor import Visitor

FAST_HASHING = {"default_rounds": 1, "memory_cost": 8, "parallelism": 1}
SERVED_HASHING = {name: getattr(argon2, name) for name in FAST_HASHING}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that needs a database on both, unless its file is marked `one_database`."""
    if "database_url" in metafunc.fixturenames:
        marks = {mark.name for mark in metafunc.definition.iter_markers()}
        both = "one_database" not in marks or "both_databases" in marks
        metafunc.parametrize(
            "database_url", ["sqlite", "postgresql"] if both else ["sqlite"], indirect=True
        )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs a PostgreSQL server, for `make test-fast`."""
    for item in items:
        parameters = getattr(getattr(item, "callspec", None), "params", {})
        fixtures = {"postgresql", "postgresql_app", "prepared_postgresql"} & set(
            getattr(item, "fixturenames", ())
        )
        if parameters.get("database_url") == "postgresql" or (
            fixtures and "database_url" not in parameters
        ):
            item.add_marker("postgresql")


@pytest.fixture
def database_url(request: pytest.FixtureRequest) -> str:
    """An empty database."""
    if request.param == "sqlite":
        return ""
    server = request.getfixturevalue("postgresql")
    name = f"test_{abs(hash(request.node.nodeid)):x}"
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return f"{server}/{name}"


@pytest.fixture(scope="session", autouse=True)
def _spared() -> Iterator[None]:
    """Spare each test what is slow and proves nothing there.

    - Passwords are hashed fast, but for tests that ask for `slow_hashing`.
    - Werkzeug compiles what builds an address once for each rule and not for each application.
    - SQLAlchemy compiles a statement once for each kind of database and not for each engine: all
      engines of a driver share one cache, in which their dialects are the same key.
    - The same TOML is parsed once.
    """
    compile_builder = Rule._compile_builder
    compiled: dict[tuple[object, ...], Any] = {}
    statements: dict[object, Any] = {}

    def compile_once(rule: Rule, append_unknown: bool = True) -> Any:
        key = (rule.rule, *rule._trace, append_unknown, *(rule.defaults or {}).items())
        if key not in compiled:
            compiled[key] = compile_builder(rule, append_unknown)
        return compiled[key]

    with pytest.MonkeyPatch.context() as patch:
        for name, value in FAST_HASHING.items():
            patch.setattr(argon2, name, value)
        patch.setattr(Rule, "_compile_builder", compile_once)
        patch.setattr(DefaultDialect, "__hash__", lambda dialect: hash(type(dialect)))
        patch.setattr(DefaultDialect, "__eq__", lambda dialect, other: type(dialect) is type(other))
        parse = cache(tomllib.loads)
        patch.setattr(tomllib, "loads", lambda text: deepcopy(parse(text)))
        create_engine = Engine.__init__

        def share_compiled(engine: Engine, *args: Any, **more: Any) -> None:
            create_engine(engine, *args, **more)
            engine._compiled_cache = statements

        patch.setattr(Engine, "__init__", share_compiled)
        yield


@event.listens_for(Session, "do_orm_execute")
def _refuse_uncounted(state: ORMExecuteState) -> None:
    """Refuse a statement that would delete rows which storage.checksums does not count."""
    mapper = state.bind_mapper
    if state.is_delete and mapper is not None and issubclass(mapper.class_, Checked):
        assert state.execution_options.get(COUNTED), f"use delete_in_order: {mapper.class_}"


@pytest.fixture
def slow_hashing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hash passwords as they are when served. Has to come before the application."""
    for name, value in SERVED_HASHING.items():
        monkeypatch.setattr(argon2, name, value)


class InMemory(BytecodeCache):
    """Compiled templates, which all applications share."""

    def __init__(self) -> None:
        self.compiled: dict[tuple[str, str], CodeType | None] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self.compiled.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        self.compiled[bucket.key, bucket.checksum] = bucket.code


TEMPLATES = InMemory()


@pytest.fixture
def start() -> Iterator[Callable[[Settings], Flask]]:
    """Create an application; its connections are closed after the test."""
    started: list[Flask] = []

    def start(settings: Settings) -> Flask:
        started.append(create_app(settings))
        started[-1].jinja_env.bytecode_cache = TEMPLATES
        with started[-1].app_context():
            _ = alembic.config  # before the first request, as in a command; tests mix the two
        return started[-1]

    yield start
    for app in started:
        with app.app_context():
            db.engine.dispose()


@pytest.fixture(scope="session")
def new_instance(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An instance folder as `flask init` leaves it; a copy of it spares a test that run."""
    folder = tmp_path_factory.mktemp("new") / "instance"
    _init(create_app(Settings(instance=folder)))
    return folder


@pytest.fixture
def make_app(
    tmp_path: Path, new_instance: Path, start: Callable[[Settings], Flask]
) -> Callable[..., Flask]:
    """Make the application of an installation in `tmp_path`, prepared by `flask init`."""

    def make(*, prepared: bool = False, **settings: object) -> Flask:
        settings.setdefault("unreviewed_languages", ("es",))
        wanted = Settings(instance=tmp_path / "instance", **settings)  # type: ignore[arg-type]
        if not wanted.instance.exists():
            shutil.copytree(new_instance, wanted.instance)
        if wanted.database_url and not prepared:
            _init(start(wanted))
        return start(wanted)

    return make


def _init(app: Flask) -> None:
    result = app.test_cli_runner().invoke(args=["init"])
    assert result.exit_code == 0, result.output
    with app.app_context():
        db.engine.dispose()


@pytest.fixture(scope="session")
def prepared_postgresql(
    postgresql: str, new_instance: Path, tmp_path_factory: pytest.TempPathFactory
) -> str:
    """Return the name of a database as `flask init` leaves it, for the keys of `new_instance`."""
    instance = tmp_path_factory.mktemp("prepared") / "instance"
    shutil.copytree(new_instance, instance)
    with psycopg.connect(f"{postgresql}/postgres", autocommit=True) as connection:
        connection.execute("CREATE DATABASE prepared")
    _init(create_app(Settings(instance=instance, database_url=f"{postgresql}/prepared")))
    return "prepared"


@pytest.fixture
def app(request: pytest.FixtureRequest, make_app: Callable[..., Flask], database_url: str) -> Flask:
    """A prepared application on each kind of database."""
    if database_url:
        template = request.getfixturevalue("prepared_postgresql")
        (server, _, name) = database_url.rpartition("/")
        with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name}")
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
    return make_app(prepared=True, database_url=database_url)


@pytest.fixture
def sqlite_app(make_app: Callable[..., Flask]) -> Flask:
    """A prepared application on SQLite, where the kind of database does not matter."""
    return make_app()


@pytest.fixture
def postgresql_app(
    make_app: Callable[..., Flask],
    postgresql: str,
    prepared_postgresql: str,
    request: pytest.FixtureRequest,
) -> Flask:
    """A prepared application on PostgreSQL, for what only several writers at once can do."""
    name = f"only_{abs(hash(request.node.nodeid)):x}"
    with psycopg.connect(f"{postgresql}/postgres", autocommit=True) as connection:
        connection.execute(
            f"CREATE DATABASE {name} TEMPLATE {prepared_postgresql} STRATEGY FILE_COPY"
        )
    return make_app(prepared=True, database_url=f"{postgresql}/{name}")


@pytest.fixture
def visitor(app: Flask) -> Visitor:
    """A patient with a browser of their own."""
    return Visitor(app)
