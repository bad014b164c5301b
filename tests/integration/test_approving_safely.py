"""A wrong clock, a retry or a stray row changes neither the edition in force nor its approvals."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, g
from sqlalchemy import text

from screening.domain.rules import BASE_LANGUAGE, Edition
from screening.extensions import db
from screening.installation import current_installation
from screening.rulebooks.adopt import basis
from screening.rulebooks.load import load
from screening.services import editions as service
from screening.services import people
from screening.storage import editions
from screening.storage.audit import Actor
from screening.storage.database import write
from screening.storage.private_files import KeyFault
from screening.storage.tables import ApprovalRow
from tests.integration.colleague import Colleague
from tests.integration.test_approving import ADDRESS, adopted, approve, changed, in_force
from tests.integration.test_upkeep import flask
from tests.integration.visitor import Visitor

NOW = datetime.now(UTC)
GIVEN = {"role": "GMC 7654321", "on": date(2026, 1, 1), "review_by": date(2099, 1, 1)}


def edition_of_file(app: Flask) -> Edition:
    return load(current_installation(app).rule_book_file, ["en"])[BASE_LANGUAGE].edition


def approving(
    edition: Edition, by: str, *, clock: timedelta = timedelta(0), needed: int = 2, **given: Any
) -> bool:
    """Approve it while the clock is off by that much."""
    actor = Actor(
        session=db.session,
        keys=current_installation().keys,
        now=NOW + clock,
        by=by,
        full_name=f"Dr {by}",
    )
    return service.approve(
        actor, edition, needed=needed, **{"from_at": actor.now, **GIVEN, **given}
    )


def test_what_came_into_force_at_once_stays_so_when_the_clock_is_set_back(app: Flask) -> None:
    packaged = in_force(app)
    long_ago = datetime(2020, 1, 1, tzinfo=UTC)
    digest = adopted(app)
    with app.app_context():
        keys = current_installation().keys
        assert editions.in_force(db.session, keys, now=long_ago) == packaged, (
            "not what is in the file"
        )
        approving(edition_of_file(app), "dr", needed=1)
        assert editions.in_force(db.session, keys, now=long_ago) == digest
        changed(app, ('version = "own-1"', 'version = "own-2"'))
        approving(edition_of_file(app), "dr", needed=1, clock=timedelta(days=-400))
        assert editions.in_force(db.session, keys, now=NOW) == edition_of_file(app).digest
    flask(app, "verify")


def test_nobody_is_the_second_after_themselves_when_the_clock_is_set_back(app: Flask) -> None:
    adopted(app)
    with app.app_context():
        approving(edition_of_file(app), "dr")
        with pytest.raises(service.ApprovedAlready):
            approving(edition_of_file(app), "dr", clock=timedelta(hours=-1))


def test_a_second_approval_counts_on_a_machine_whose_clock_is_behind(app: Flask) -> None:
    digest = adopted(app)
    with app.app_context():
        assert not approving(edition_of_file(app), "dr")
        assert approving(edition_of_file(app), "other", clock=timedelta(seconds=-20))
        assert (
            editions.in_force(
                db.session, current_installation().keys, now=NOW - timedelta(minutes=1)
            )
            == digest
        )


def test_an_edition_to_come_does_not_come_without_an_approval_that_it_needs(
    sqlite_app: Flask,
) -> None:
    adopted(sqlite_app)
    edition = edition_of_file(sqlite_app)
    later = NOW + timedelta(days=3)
    with sqlite_app.app_context():
        keys = current_installation().keys
        approving(edition, "dr", needed=1, from_at=later)
        approving(edition, "other", from_at=later, clock=timedelta(seconds=1))
        (first, _) = editions.approvals(db.session, keys, edition.digest)
        actor = Actor(
            session=db.session,
            keys=keys,
            now=NOW + timedelta(seconds=2),
            by="dr",
            full_name="Dr dr",
        )
        service.withdraw(actor, first.id, edition, why="A rule is wrong")
        assert service.approvals_at(db.session, keys, edition.digest) == ()
        assert editions.in_force(db.session, keys, now=later) != edition.digest


def test_a_row_in_the_middle_of_what_is_in_force_is_missed(app: Flask) -> None:
    dr = Colleague(app)
    approve(dr, adopted(app))
    changed(app, ('version = "own-1"', 'version = "own-2"'))
    approve(dr, edition_of_file(app).digest, from_day="2098-01-01")
    flask(app, "verify")
    with app.app_context(), write(db.session):
        db.session.execute(text("DELETE FROM in_force WHERE number = 2"))
    flask(app, "verify", code=1)


def test_an_approval_that_nobody_gave_here_is_found(app: Flask) -> None:
    approve(Colleague(app), adopted(app))
    # such as from a copy of this installation, with its keys
    with app.app_context(), write(db.session):
        (row,) = editions.approvals(db.session, current_installation().keys, in_force(app))
        columns = {column.key: getattr(row, column.key) for column in ApprovalRow.__table__.columns}
        db.session.add(ApprovalRow(**{**columns, "id": "f" * 32, "full_name": "Dr Nobody"}))
    assert "approval ffffffff" in flask(app, "verify", code=1).output


def test_the_file_is_asked_for_nothing_when_the_database_does_not_say_what_is_in_force(
    app: Flask,
) -> None:
    adopted(app)
    with app.app_context(), write(db.session):
        db.session.execute(text("DELETE FROM in_force"))
    with (
        app.test_request_context(),
        pytest.raises(KeyFault, match="does not say which rule book is in force"),
    ):
        assert current_installation().books
    assert "rule book in force" in flask(app, "verify", code=1).output


@pytest.mark.parametrize(
    "statement", ["DELETE FROM in_force", "UPDATE in_force SET from_at = '2020-01-01 00:00:00'"]
)
def test_patients_read_that_something_is_wrong_where_what_is_in_force_was_changed(
    app: Flask, statement: str
) -> None:
    app.config["PROPAGATE_EXCEPTIONS"] = False
    with app.app_context(), write(db.session):
        db.session.execute(text(statement))
    patient = app.test_client().get("/")
    assert patient.status_code == 500
    assert "Something went wrong on our side" in patient.text


def test_a_page_of_the_moment_in_which_an_edition_comes_into_force_is_answered(
    sqlite_app: Flask,
) -> None:
    class Switched(dict[str, service.Books]):
        """Another request reads the next edition right after this one has looked."""

        def __contains__(self, digest: object) -> bool:
            current_installation().loaded = {}
            return super().__contains__(digest)

    with sqlite_app.test_request_context():
        before = current_installation().books
        current_installation().loaded = Switched(current_installation().loaded)
        del g.books
        assert current_installation().books is before


def test_a_first_edition_comes_into_force_although_its_version_was_used(
    sqlite_app: Flask, make_app: Callable[..., Flask]
) -> None:
    other = service.load_content(edition_of_file(sqlite_app).content + " ")[BASE_LANGUAGE].edition
    with sqlite_app.app_context():
        actor = Actor(session=db.session, keys=current_installation().keys, now=NOW, by="init")
        with write(db.session):
            db.session.execute(text("DELETE FROM in_force"))
        service.begin(actor, lambda: other, adopted=False)
    assert in_force(sqlite_app) == other.digest


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"clinic_language": "es"}, "the rule book has no es"),
        ({"languages": ("es",)}, "the rule book has none of es"),
    ],
)
def test_an_edition_without_the_languages_of_this_clinic_is_not_approved(
    make_app: Callable[..., Flask], settings: dict[str, Any], said: str
) -> None:
    app = make_app(**settings)
    dr = Colleague(app)
    digest = adopted(app)
    assert said in dr.get(ADDRESS).text
    assert "Approve this edition" not in dr.text
    approve(dr, digest)
    assert said in dr.text
    assert in_force(app) != digest
    assert Visitor(app).page.status_code == 200
    assert said in flask(app, "rulebook", "check", code=1).output


@pytest.mark.parametrize("content", ["not = [TOML", "deep = " + "[" * 100_000])
def test_a_file_of_before_that_cannot_be_read_leaves_the_page_as_it_is(
    sqlite_app: Flask, content: str
) -> None:
    dr = Colleague(sqlite_app)
    digest = adopted(sqlite_app)
    basis(current_installation(sqlite_app).rule_book_folder).write_text(content, encoding="utf-8")
    assert digest in dr.get(ADDRESS).text
    assert "new rules" in flask(sqlite_app, "doctor", code=1).output


def test_a_folder_that_the_server_may_not_read_is_told(
    sqlite_app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    dr = Colleague(sqlite_app)
    _ = adopted(sqlite_app)

    # as where root adopted it; tests may run as root, who may read all
    def refuse(self: Path, **_: object) -> None:
        raise PermissionError(13, "Permission denied", str(self))

    with monkeypatch.context() as patch:
        patch.setattr(
            Path, "exists", lambda self: refuse(self) if "rulebook" in self.parent.parts else True
        )
        patch.setattr(Path, "read_text", refuse)
        assert "Permission denied" in dr.get(ADDRESS).text


def test_only_the_last_of_two_says_from_when_it_is_in_force(make_app: Callable[..., Flask]) -> None:
    app = make_app(approvals_needed=2)
    digest = adopted(app)
    dr = Colleague(app)
    other = Colleague(app, "other")
    assert "In force from" not in dr.get(ADDRESS).text, "it would be forgotten"
    approve(dr, digest)
    assert "In force from" in other.get(ADDRESS).text


def test_whoever_is_disabled_while_the_password_is_proved_approves_nothing(
    sqlite_app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = adopted(sqlite_app)
    dr = Colleague(sqlite_app)

    reserve = people.reserve

    def disabled_meanwhile(actor: Actor, name: str, *more: str, **credential: str) -> list[int]:
        counted = reserve(actor, name, *more, **credential)
        people.change(actor, name, active=False)
        return counted

    dr.get(ADDRESS)
    monkeypatch.setattr(people, "reserve", disabled_meanwhile)
    approve(dr, digest)
    assert in_force(sqlite_app) != digest
