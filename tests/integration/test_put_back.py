"""Rows that were put back, changed, added or taken away behind the program are found by `verify`.

Whoever does so has the database, but not the keys: old rows have valid seals.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from pypdf import PdfReader
from sqlalchemy import ColumnElement, Table, and_, delete, insert, select, text, update

from screening.extensions import db
from screening.features.invitations import service as invitations
from screening.features.tablet import service as tablet
from screening.installation import current_installation
from screening.services import editions, people
from screening.storage.database import write
from screening.storage.tables import Base
from tests.integration.colleague import Colleague
from tests.integration.invitations.test_invitations import invited
from tests.integration.test_approving import adopted, approve
from tests.integration.test_review import sent
from tests.integration.test_upkeep import flask
from tests.integration.visitor import Visitor
from tests.storing import act_of

Rows = list[dict[str, Any]]
LOG = ("audit", "audit_head")


def rows_of(*tables: str) -> dict[str, Rows]:
    with write(db.session):
        return {name: rows_there(name) for name in tables}


def put_back(stored: dict[str, Rows]) -> None:
    """Make tables hold these rows again, as somebody with a copy of the database can."""
    with write(db.session):
        connection = db.session.connection()
        present = {name: rows_there(name) for name in stored}
        for name in reversed(stored):
            table = Base.metadata.tables[name]
            for row in present[name]:
                if key_of(table, row) not in [key_of(table, kept) for kept in stored[name]]:
                    connection.execute(delete(table).where(is_row(table, row)))
        for name, rows in stored.items():
            table = Base.metadata.tables[name]
            there = [key_of(table, row) for row in present[name]]
            for row in rows:
                if key_of(table, row) in there:
                    connection.execute(update(table).where(is_row(table, row)).values(row))
                else:
                    connection.execute(insert(table), [row])


def rows_there(name: str) -> Rows:
    rows = db.session.connection().execute(select(Base.metadata.tables[name]))
    return [dict(row) for row in rows.mappings()]


def key_of(table: Table, row: dict[str, Any]) -> list[Any]:
    return [row[column.name] for column in table.primary_key]


def is_row(table: Table, row: dict[str, Any]) -> ColumnElement[bool]:
    return and_(*(column == row[column.name] for column in table.primary_key))


def lose_role(app: Flask) -> None:
    people.change(act_of(app), "boss", roles=["staff"])


def lose_access(app: Flask) -> None:
    people.change(act_of(app), "dr", active=False)


def sign_out(app: Flask) -> None:
    people.end(act_of(app), "dr", token_hash=None)


def revoke(app: Flask) -> None:
    (row,) = rows_of("invitations")["invitations"]
    invitations.revoke(act_of(app), row["id"])


def end_tablet(app: Flask) -> None:
    with write(db.session):
        db.session.delete(db.session.scalars(select(tablet.TabletRow)).one())


def do_jobs(app: Flask) -> None:
    flask(app, "outbox", "run", "--once")


def withdraw(app: Flask) -> None:
    (row,) = rows_of("approvals")["approvals"]
    edition = current_installation(app).books["en"].edition
    editions.withdraw(act_of(app), row["id"], edition, why="An error")


CHANGES: list[tuple[str, Callable[[Flask], None]]] = [
    ("people", lose_role),
    ("people", lose_access),
    ("sign_ins", sign_out),
    ("invitations", revoke),
    ("tablets", end_tablet),
    ("outbox", do_jobs),
    ("approvals", withdraw),
]
TABLES = (
    "people",
    "credentials",
    "sign_ins",
    "invitations",
    "tablets",
    "outbox",
    "approvals",
    "in_force",
)


@pytest.fixture
def world(make_app: Callable[..., Flask], database_url: str, tmp_path: Path) -> Flask:
    """An installation with a row in each table: nothing is wrong with it."""
    (tmp_path / "out").mkdir()
    channels = {"archive": {"kind": "folder", "folder": str(tmp_path / "out")}}
    app = make_app(channels=channels, database_url=database_url)
    Colleague(app, "boss", "admin")
    dr = Colleague(app, "dr", "prescriber")
    people_add = ("people", "add", "chief", "--role", "admin")
    flask(app, *people_add)
    invited(app)
    sent(app)
    approve(dr, adopted(app))
    with app.app_context():
        tablet.begin(act_of(app), pin="x", sign_in="none", patient=None, draft="")
        assert all(rows_of(*TABLES).values()), {k: len(v) for k, v in rows_of(*TABLES).items()}
        flask(app, "verify")
    return app


def found(app: Flask) -> str:
    return flask(app, "verify", code=1).output


@pytest.mark.parametrize(
    ("table", "change"), CHANGES, ids=lambda value: getattr(value, "__name__", value)
)
def test_an_older_row_that_is_put_back_is_found(
    world: Flask, table: str, change: Callable[[Flask], None]
) -> None:
    with world.app_context():
        before = rows_of(table)
        change(world)
        assert rows_of(table) != before
        flask(world, "verify")
        put_back(before)
        assert f"{table}: a row was put back" in found(world)


@pytest.mark.parametrize("table", TABLES)
def test_rows_that_are_taken_away_are_found(world: Flask, table: str) -> None:
    with world.app_context():
        # without the rows that refer to people, which the database would keep
        put_back({table: [], "sign_ins": [], "credentials": []})
        assert f"{table}: a row was put back" in found(world)


def test_a_job_that_was_turned_to_another_channel_is_found(world: Flask) -> None:
    with world.app_context():
        with write(db.session):
            db.session.execute(text("UPDATE outbox SET kind = 'to elsewhere' WHERE id = 1"))
        assert "outbox 1: " in found(world)


def test_a_part_of_a_name_that_was_moved_to_the_roles_is_found(world: Flask) -> None:
    with world.app_context():
        people.add(act_of(world), "temp", "A|admin B", ["staff"], "x")
        flask(world, "verify")
        with write(db.session):
            moved = "UPDATE people SET full_name = 'A', role_names = 'admin B|staff'"
            db.session.execute(text(f"{moved} WHERE sign_in_name = 'temp'"))
        assert "people temp: " in found(world)


def test_an_invitation_that_was_taken_off_its_day_is_found(world: Flask) -> None:
    """The patient would not be among those who are expected that day."""
    with world.app_context():
        with write(db.session):
            changed = text("UPDATE invitations SET appointment_day = :day")
            db.session.execute(changed, {"day": b"another day"})
        assert "appointment_day was changed" in found(world)


def test_a_decision_that_was_rolled_back_is_not_shown_as_none(world: Flask) -> None:
    """Page, PDF and command say that something is missing; the kept PDF of before is not shown."""
    dr = Colleague(world, "other")
    with world.app_context():
        (reference,) = (row["reference"] for row in rows_of("screenings")["screenings"])
        address = f"/clinic/screenings/{reference}"
        dr.get(f"{address}/summary.pdf")
        assert "INCOMPLETE" not in dr.get(address).text
        before = rows_of("screenings", "entries", "summaries", "outbox")
        dr.decide(reference, "do_not_start", note="Not with this infection")
        assert "INCOMPLETE" not in dr.get(address).text
        put_back(before)
        for _ in range(2):
            assert "entries of the clinic are missing here (1)" in dr.get(address).text
            pages = PdfReader(BytesIO(dr.get(f"{address}/summary.pdf").data)).pages
            words = " ".join("".join(page.extract_text() for page in pages).split())
            assert "entries of the clinic are missing here (1)" in words
        assert "INCOMPLETE" in flask(world, "summary", reference).output
        assert f"{reference}: " in found(world)


def test_an_emptied_audit_log_is_found(world: Flask) -> None:
    with world.app_context():
        put_back({name: [] for name in LOG})
        assert "the end of the audit log was taken away" in found(world)
        said = flask(world, "audit", "verify", code=1).output
        assert "the end of the audit log was taken away" in said
        flask(world, "init")  # makes no new end that would hide it
        assert "the end of the audit log was taken away" in found(world)
        people.change(act_of(world), "dr", active=False)  # nobody has to wait for the repair
        assert "the end of the audit log was taken away" in found(world)


def test_a_log_put_back_as_a_whole_is_found_by_what_left_the_machine(
    world: Flask, tmp_path: Path
) -> None:
    """The file beside the keys was put back too: only the other machine knows better."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    with world.app_context():
        installation = current_installation()
        installation.settings = installation.settings.model_copy(
            update={"audit_head_folder": str(elsewhere)}
        )
        (beside,) = installation.settings.instance.glob("audit-*.head")
        tables = [table.name for table in Base.metadata.sorted_tables]
        before = rows_of(*tables)
        shutil.copy(beside, tmp_path / "copy")
        people.change(act_of(world), "dr", active=False)
        flask(world, "verify")
        put_back(before)
        shutil.copy(tmp_path / "copy", beside)
        assert f"{elsewhere}/{beside.name} tells of row" in found(world)


def test_what_was_looked_into_can_be_accepted_and_the_log_says_so(world: Flask) -> None:
    with world.app_context():
        before = rows_of("people")
        lose_role(world)
        put_back(before)
        flask(world, "verify", "--accept", code=1)
        flask(world, "verify")
        assert 'taken as it is,,"' in flask(world, "audit", "export").output


def test_what_the_program_does_is_never_found(world: Flask, tmp_path: Path) -> None:
    """Backup and restore, key rotation, retention, refused rows: all tables stay as noted."""
    with world.app_context():
        for words in (("rotate-key",), ("rotate-key", "--forget"), ("purge",), ("init",)):
            flask(world, *words)
            flask(world, "verify")
        with pytest.raises(people.NotAccepted):
            people.add(act_of(world), "dr", "Dr Again", ["staff"], "x")
        with pytest.raises(people.NotAccepted):
            people.change(act_of(world), "chief", active=False, roles=[])
        invitation = next(iter(invitations.open_ones(act_of(world)).items()))
        until = act_of(world).now + timedelta(days=1)
        # One of them exists already: its row is refused within the transaction that adds another.
        several = {invitation[0]: invitation[1], "e" * 32: invitation[1]}
        invitations.create(act_of(world), several, until=until)
        assert len(rows_of("invitations")["invitations"]) == 2
        Visitor(world).get("/")
        flask(world, "verify")
