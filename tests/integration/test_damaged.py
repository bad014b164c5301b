"""A damaged database or row, or a full disk: commands exit with 1 and a message, no traceback."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from importlib import import_module
from pathlib import Path
from typing import NoReturn

import click
import pytest
from flask import Flask

from screening.cli import LazyCommands
from screening.cli import outbox as outbox_command
from screening.extensions import db
from screening.installation import current_installation
from tests.integration.test_review import sent
from tests.integration.test_upkeep import change, flask
from tests.integration.test_watching import disk_full

pytestmark = pytest.mark.one_database

PATIENT = "Zyxwvutina"
ADD = ("people", "add", "dr", "--role", "admin")
# What each command is given; None where it serves, or asks a database nothing.
WORDS: dict[str, tuple[str, ...] | None] = {
    "audit export": (),
    "audit head": (),
    "audit verify": (),
    "backup": ("{folder}/copy",),
    "confirm-clock": ("--yes",),
    "doctor": (),
    "drill": ("{folder}",),
    "export": ("--since", "2020-01-01", "{folder}/table.csv"),
    "init": (),
    "move-database": ("postgresql://nobody@127.0.0.1:9/nothing",),
    "outbox list": (),
    "outbox retry": (),
    "outbox run": ("--once",),
    "people add": ("nurse", "--role", "staff"),
    "people disable": ("dr",),
    "people enable": ("dr",),
    "people list": (),
    "people require-totp": ("dr",),
    "people reset-password": ("dr",),
    "purge": (),
    "restore": ("{folder}/backup",),
    "rotate-key": (),
    "rulebook adopt": (),
    "rulebook check": (),
    "rulebook diff": ("packaged", "in-force", "--references"),
    "rulebook fhir": (),
    "rulebook schema": None,
    "rulebook show": (),
    "rulebook table": (),
    "screen": None,
    "settings": None,
    "signing-key create": (),
    "signing-key show": (),
    "summary": ("{reference}", "--pdf", "{folder}/summary.pdf"),
    "verify": (),
}
# Those of features stand with their tests.
for file in Path(__file__).parent.glob("*/commands.py"):
    WORDS |= import_module(f"tests.integration.{file.parent.name}.commands").WORDS


def names(group: click.Group, before: str = "") -> Iterator[str]:
    context = click.Context(group)
    for name in {*group.list_commands(context)} - {"db"}:
        command = group.get_command(context, name)
        yield from (
            names(command, f"{name} ") if isinstance(command, click.Group) else [before + name]
        )


def damage_file(app: Flask) -> None:
    """Overwrite what stands behind the first page, as a bad disk does."""
    with app.app_context():
        db.session.rollback()
        db.engine.dispose()
    file = current_installation(app).settings.instance / "screening.db"
    content = bytearray(file.read_bytes())
    content[4096:] = b"\xa5" * len(content[4096:])
    file.write_bytes(content)


def damage_row(app: Flask) -> None:
    for table, column in (("screenings", "submitted_at"), ("audit", "at"), ("outbox", "due_at")):
        change(app, f"UPDATE {table} SET {column} = 'nonsense {PATIENT}'")


def test_every_command_is_tried() -> None:
    assert set(names(LazyCommands())) == set(WORDS)


@pytest.mark.parametrize(
    ("damage", "during", "at_fault"),
    [
        (
            damage_file,
            nullcontext,
            {"audit export", "backup", "doctor", "outbox run", "people add", "summary", "verify"},
        ),
        (
            damage_row,
            nullcontext,
            {"audit export", "audit verify", "doctor", "export", "summary", "verify"},
        ),
        (
            None,
            disk_full,
            {
                "backup",
                "export",
                "invite",
                "outbox retry",
                "outbox run",
                "people add",
                "purge",
                "summary",
            },
        ),
    ],
    ids=["file", "row", "full disk"],
)
def test_commands_end_in_words(
    make_app: Callable[..., Flask],
    tmp_path: Path,
    damage: Callable[[Flask], None] | None,
    during: Callable[[], AbstractContextManager[None]],
    at_fault: set[str],
) -> None:
    app = make_app(channels={"archive": {"kind": "folder", "folder": str(tmp_path)}})
    runner = app.test_cli_runner()
    reference = sent(app, name=PATIENT)
    assert runner.invoke(args=ADD).exit_code == 0
    (tmp_path / "backup").write_bytes(b"no backup")
    if damage:
        damage(app)
    ended = {}
    for name, words in WORDS.items():
        if words is not None:
            given = [
                *name.split(),
                *(word.format(folder=tmp_path, reference=reference) for word in words),
            ]
            with during():
                result = runner.invoke(args=given)
            assert isinstance(result.exception, SystemExit | None), (name, repr(result.exception))
            assert result.exit_code == 0 or (result.exit_code == 1 and result.output.strip()), (
                name,
                result.output,
            )
            assert PATIENT not in result.output, name
            ended[name] = result.exit_code
    assert {name for name in at_fault & ended.keys() if ended[name] == 0} == set()


def test_of_what_nobody_expected_kind_and_place_are_told(
    sqlite_app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> NoReturn:
        raise LookupError(PATIENT)

    monkeypatch.setattr(outbox_command, "waiting", fail)
    result = flask(sqlite_app, "outbox", "list", code=1)
    assert re.fullmatch(
        r"LookupError at cli/outbox.py:\d+; run: flask doctor; flask verify\n", result.output
    )
