"""A wrong clock deletes nothing, and nothing goes that nobody has seen announced."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import event, select, text

from screening import background
from screening.extensions import db
from screening.installation import current_installation
from screening.operating import clock, retention
from screening.operating.clock import ClockInDoubt
from screening.services import people
from screening.storage import audit
from screening.storage.audit import Actor
from screening.storage.database import write
from screening.storage.tables import AttemptRow, AuditRow, ClockRow, ScreeningRow, SignInRow
from tests.days import BOOTED, HOST, pass_days, purge
from tests.integration.colleague import PASSWORD, Colleague
from tests.integration.test_signing_in import codes
from tests.integration.test_upkeep import a_few, change, flask, kept
from tests.integration.visitor import Visitor

pytestmark = pytest.mark.one_database

both_databases = pytest.mark.both_databases
DAY = timedelta(days=1)


def confirm(app: Flask, at: datetime, *, wall: datetime | None = None) -> None:
    """As an admin does at that moment, on the machine of `tests.days`."""
    with app.app_context():
        actor = Actor(
            session=db.session, keys=current_installation().keys, now=wall or at, by="admin"
        )
        clock.confirm(
            actor, clock.Machine(host=HOST, uptime=(at - BOOTED).total_seconds()), was_off=False
        )


@both_databases
@pytest.mark.parametrize("jump", [120 * DAY, 29 * DAY, -200 * DAY, timedelta(minutes=20)])
def test_a_clock_that_jumps_deletes_nothing_until_somebody_confirms_it(
    app: Flask, jump: timedelta
) -> None:
    references = set(a_few(app, 3))
    pass_days(app, 85)
    now = datetime.now(UTC) + 86 * DAY
    for later in range(3):  # whatever is written meanwhile disarms nothing
        a_few(app, 1, at=now + jump)
        with app.app_context():
            actor = Actor(
                session=db.session, keys=current_installation().keys, now=now + jump, by="test"
            )
            people.failed(actor, "stranger", "password")
        with pytest.raises(ClockInDoubt):
            purge(app, now, wall=now + jump + timedelta(seconds=19 * later))
    with pytest.raises(ClockInDoubt):
        purge(app, now + timedelta(minutes=5))  # right again: somebody has to say so
    assert kept(app) >= references
    assert "the clock jumped, and nobody has confirmed it" in flask(app, "verify", code=1).stderr
    assert (
        f"it jumped by {jump.total_seconds():+.0f} seconds" in flask(app, "doctor", code=1).stdout
    )
    confirm(app, now)
    assert pass_days(app, 95) == 3
    assert not kept(app) & references
    assert len(kept(app)) == 3  # what was sent meanwhile, under whatever date, is as young as it is


def test_what_was_sent_while_the_clock_was_behind_is_as_young_as_it_is(app: Flask) -> None:
    """The clock was 200 days behind since the start of the machine, and is set right."""
    behind = datetime.now(UTC) - 200 * DAY
    (reference,) = a_few(app, 1, at=behind)
    assert purge(app, behind) == 0
    right = behind + timedelta(hours=1)
    with pytest.raises(ClockInDoubt):
        purge(app, right, wall=right + 200 * DAY)
    confirm(app, right, wall=right + 200 * DAY)
    for day in range(0, 88, 7):
        assert purge(app, right + day * DAY, wall=right + (200 + day) * DAY) == 0
    assert kept(app) == {reference}
    assert purge(app, right + 91 * DAY, wall=right + 291 * DAY) == 1


def test_a_machine_that_was_off_for_long_is_asked_about_and_its_time_counts(app: Flask) -> None:
    a_few(app, 1)
    pass_days(app, 80)
    started = datetime.now(UTC) + 95 * DAY

    def after_the_start(at: datetime) -> int:
        with app.app_context():
            actor = Actor(session=db.session, keys=current_installation().keys, now=at, by="test")
            machine = clock.Machine(host=HOST, uptime=(at - started).total_seconds() + 60)
            return retention.purge(actor, machine, days=90)[0]

    with pytest.raises(ClockInDoubt):
        after_the_start(started)
    with app.app_context():
        actor = Actor(session=db.session, keys=current_installation().keys, now=started, by="admin")
        clock.confirm(actor, clock.Machine(host=HOST, uptime=60), was_off=True)
    assert after_the_start(started) == 1  # announced on day 77 or 80, and the days were real


def test_a_weekend_without_the_machine_needs_nobody(app: Flask) -> None:
    with app.app_context():
        monday = datetime.now(UTC) + 3 * DAY
        keys = current_installation().keys
        clock.check(
            Actor(session=db.session, keys=keys, now=datetime.now(UTC), by="a"),
            clock.this_machine(),
        )
        clock.check(
            Actor(session=db.session, keys=keys, now=monday, by="a"),
            clock.Machine(host=HOST, uptime=9),
        )
        restarted = Actor(session=db.session, keys=keys, now=monday + DAY, by="a")
        clock.check(restarted, clock.Machine(host=HOST, uptime=5))
        assert clock.doubt(db.session) is None
        tomorrow = Actor(session=db.session, keys=keys, now=monday + 30 * DAY, by="a")
        # the same after a start, for longer than a clinic is closed unnoticed
        with pytest.raises(ClockInDoubt):
            clock.check(tomorrow, clock.Machine(host="other", uptime=5))


@both_databases
def test_the_server_says_that_it_deletes_nothing(
    app: Flask, caplog: pytest.LogCaptureFixture
) -> None:
    background.once(app)
    with app.app_context(), write(db.session):
        # as if the clock went forward since
        db.session.scalars(select(ClockRow)).one().at -= 3 * DAY
    Visitor(app).begin()
    change(app, "UPDATE drafts SET expires_at = '2020-01-01 00:00:00'")
    background.once(app)
    assert "nothing is deleted, the clock jumped" in caplog.text
    with app.app_context():
        assert db.session.scalar(text("SELECT count(*) FROM drafts")) == 1
    assert "Nothing was deleted: the clock jumped" in flask(app, "purge", code=1).stderr
    flask(app, "confirm-clock", "--yes")
    flask(app, "purge")
    log = flask(app, "audit", "export").stdout
    assert f"clock doubted,{clock.this_machine().host},'+259200 seconds" in log
    assert "clock confirmed" in log


def test_an_admin_confirms_the_clock_on_the_page_and_others_are_told(app: Flask) -> None:
    dr = Colleague(app)
    background.once(app)
    with app.app_context(), write(db.session):
        db.session.scalars(select(ClockRow)).one().at -= 120 * DAY
    background.once(app)
    assert "The server’s clock has jumped." in dr.get("/clinic/").text
    admin = Colleague(app, "boss", "admin")
    admin.get("/admin/settings")
    assert "The clock jumped by 4 months." in admin.text
    admin.post("/admin/clock")
    assert "Confirmed." in admin.text
    assert "jumped" not in admin.text
    assert "The server’s clock has jumped." not in dr.get("/clinic/").text
    assert "boss,clock confirmed" in flask(app, "audit", "export").stdout


def test_a_look_that_was_changed_behind_the_program_is_found_and_deletes_nothing(
    app: Flask,
) -> None:
    background.once(app)
    change(app, "UPDATE clocks SET at = '2020-01-01 00:00:00'")
    assert "clocks.sealed_check" in flask(app, "verify", code=1).stderr
    assert app.test_cli_runner().invoke(args=["purge"]).exit_code == 1
    flask(app, "confirm-clock", "--yes")
    flask(app, "purge")
    flask(app, "verify")


# ----------------------------------------------------------------------------------------
# announced, and not too many


def test_what_nobody_has_decided_on_is_announced_for_two_weeks(app: Flask) -> None:
    dr = Colleague(app)
    unread, opened, read = a_few(app, 3)
    dr.get(f"/clinic/screenings/{opened}")
    dr.decide(read, "proceed")
    # the weekly purges announce on day 77 for the first time
    assert pass_days(app, 90.5, acknowledged=False) == 1
    assert kept(app) == {unread, opened}
    dr.sign_in()
    assert "2 screenings are due for deletion without a decision." in dr.text
    assert dr.page.text.count(f'<a href="/clinic/screenings/{unread}">') >= 1
    staff = Colleague(app, "desk", "staff")
    staff.get("/clinic/")
    assert "2 screenings are due for deletion" in staff.text
    dr.decide(opened, "defer", until=(datetime.now(UTC) + 95 * DAY).date().isoformat())
    dr.get("/clinic/")
    assert "1 screening is due for deletion" in dr.text
    assert pass_days(app, 98) == 1
    assert kept(app) == {opened}


def test_what_is_announced_is_announced_in_parts(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "PART", 2)
    a_few(app, 5)
    with app.app_context():
        writes: list[object] = []
        event.listen(db.engine, "commit", writes.append)
    pass_days(app, 80)
    with app.app_context():
        assert audit.count(db.session, "announced", after=0) == 5
        assert (
            db.session.scalar(text("SELECT count(*) FROM screenings WHERE announced_at IS NULL"))
            == 0
        )
        assert len(writes) >= 3


def test_an_announcement_from_before_a_change_does_not_count(app: Flask) -> None:
    dr = Colleague(app)
    (reference,) = a_few(app, 1)
    pass_days(app, 80)
    with app.app_context():
        assert db.session.scalars(select(ScreeningRow.announced_at)).one() is not None
    dr.sign_in()
    dr.clarify(reference, "infection", infection="no")
    with app.app_context():
        assert db.session.scalars(select(ScreeningRow.announced_at)).one() is None
        row = db.session.scalars(select(AuditRow).where(AuditRow.action == "announced")).one()
        assert row.subject == reference


def test_the_server_by_itself_deletes_no_more_than_is_usual(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "LEAST_BY_ITSELF", 2)
    references = a_few(app, 5)
    pass_days(app, 89)
    later = datetime.now(UTC) + 92 * DAY
    assert purge(app, later, by_itself=True) == 2
    assert kept(app) == set(references[2:])
    with app.app_context():
        last = audit.last(db.session, "purged")
        assert last is not None
        assert last.detail.endswith("3 left for later")
    assert purge(app, later) == 3  # somebody asked for it


# -------------------------------------------------------------------------------------- what else a
# wrong clock leaves


@both_databases
def test_nothing_lasts_longer_because_the_clock_was_ahead(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    dr = Colleague(app)
    assert dr.get("/clinic/").request.path == "/clinic/"
    with app.app_context(), write(db.session):
        row = db.session.scalars(select(SignInRow)).one()
        row.begun_at = row.begun_at + 3 * DAY
        row.seen_at = row.seen_at + 3 * DAY
    assert dr.get("/clinic/").request.path == "/account/sign-in"
    monkeypatch.setattr(people, "ATTEMPTS_PER_KNOWN_BROWSER", 1)
    dr.sign_in("wrong")
    dr.sign_in()
    assert "Too many attempts failed" in dr.text
    with app.app_context(), write(db.session):
        for attempt in db.session.scalars(select(AttemptRow)):
            attempt.at += 3 * DAY
    dr.sign_in(PASSWORD)
    assert dr.path == "/clinic/"


def test_a_code_used_while_the_clock_was_ahead_locks_nobody_out(app: Flask) -> None:
    dr = Colleague(app)
    phone = codes(dr)
    with app.app_context(), write(db.session):
        person = people.find(db.session, "dr")
        assert person is not None
        assert person.tf_last_counter is not None
        person.tf_last_counter += int(3 * DAY / timedelta(seconds=30))
    dr.get("/clinic/")
    dr.post("/account/sign-out")
    dr.sign_in()
    dr.post("/account/code", {"code": phone.generate().token})
    assert dr.path == "/clinic/"
    flask(app, "people", "reset-password", "dr")
    with app.app_context():
        person = people.find(db.session, "dr")
        assert person is not None
        assert person.tf_last_counter is None
