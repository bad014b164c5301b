"""A prepared installation on SQLite and on a PostgreSQL server that the tests start themselves."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from flask import Flask
from jinja2 import FileSystemBytecodeCache
from passlib.hash import argon2

from screening import create_app
from screening.extensions import alembic, db
from screening.settings import Settings
from tests.integration.visitor import Visitor

FAST_HASHING = {"default_rounds": 1, "memory_cost": 8, "parallelism": 1}
SERVED_HASHING = {name: getattr(argon2, name) for name in FAST_HASHING}


@pytest.fixture(scope="session")
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a PostgreSQL server of our own, without a database name.

    Fails where PostgreSQL is not installed.
    """
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not programs:
        pytest.fail("PostgreSQL is not installed; run: apt-get install postgresql")
    # PostgreSQL refuses to run as root, and its own user cannot enter pytest's folders.
    user = "postgres" if os.geteuid() == 0 else None
    home = Path(
        subprocess.check_output(
            ["/usr/bin/mktemp", "-d", "/tmp/screening-postgresql-XXXXXX"], text=True
        ).strip()
    )
    if user:
        os.chown(home, pwd.getpwnam(user).pw_uid, pwd.getpwnam(user).pw_gid)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    def run(*command: str) -> None:
        subprocess.run(
            command,
            check=True,
            user=user,
            cwd=home,
            env={"LC_ALL": "C.UTF-8"},
            stdout=subprocess.DEVNULL,
        )

    options = (
        f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories= -c fsync=off"
    )
    run(
        f"{programs[-1]}/initdb",
        "-D",
        f"{home}/data",
        "-U",
        "tester",
        "--auth=trust",
        "--encoding=UTF8",
    )
    run(
        f"{programs[-1]}/pg_ctl",
        "-D",
        f"{home}/data",
        "-w",
        "-o",
        options,
        "-l",
        f"{home}/log",
        "start",
    )
    try:
        yield f"postgresql://tester@127.0.0.1:{port}"
    finally:
        run(f"{programs[-1]}/pg_ctl", "-D", f"{home}/data", "-w", "-m", "immediate", "stop")
        shutil.rmtree(home)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that asks for a database runs on both, unless its file is about what no database makes different."""
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
    """Hash passwords fast but for tests that ask for `slow_hashing`."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in FAST_HASHING.items():
            patch.setattr(argon2, name, value)
        yield


@pytest.fixture
def slow_hashing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hash passwords as they are when served. Has to come before the application."""
    for name, value in SERVED_HASHING.items():
        monkeypatch.setattr(argon2, name, value)


@pytest.fixture(scope="session")
def compiled_templates(tmp_path_factory: pytest.TempPathFactory) -> FileSystemBytecodeCache:
    """What applications share, so that each need not compile the templates again."""
    return FileSystemBytecodeCache(str(tmp_path_factory.mktemp("templates")))


@pytest.fixture
def start(compiled_templates: FileSystemBytecodeCache) -> Iterator[Callable[[Settings], Flask]]:
    """Create an application; its connections are closed after the test."""
    started: list[Flask] = []

    def start(settings: Settings) -> Flask:
        started.append(create_app(settings))
        started[-1].jinja_env.bytecode_cache = compiled_templates
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
    """The name of a database as `flask init` leaves it, for the keys of `new_instance`; a copy spares that run."""
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
