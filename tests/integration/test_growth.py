"""However much is stored, no page waits for all of it to be read."""

from __future__ import annotations

import threading
from datetime import UTC, date, datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import text

from screening import background
from screening.extensions import db
from screening.installation import current_installation
from screening.storage import outbox, waiting_times, worklist
from screening.storage.worklist import Filter, Worklist
from tests.builders import all_no
from tests.integration.colleague import Colleague
from tests.integration.test_background import Ended, Rounds
from tests.integration.test_inbox import names
from tests.integration.test_review import UNSURE
from tests.integration.test_upkeep import change, flask
from tests.storing import store

pytestmark = pytest.mark.one_database

both_databases = pytest.mark.both_databases
TODAY = date(2026, 6, 1)
SENT = datetime(2026, 5, 1, tzinfo=UTC)


def a_few(app: Flask, count: int, *, since: datetime = SENT, **answers: object) -> list[str]:
    """References, the oldest first, a minute apart."""
    with app.app_context():
        installation = current_installation()
        book = installation.books["en"]
        times = [since + timedelta(minutes=number) for number in range(count)]
        values = all_no(**answers)
        return [
            store(db.session, installation.keys, book, values, at=at, name=f"P {n}").reference
            for n, at in enumerate(times)
        ]


def listed(app: Flask, list_: Worklist) -> list[str]:
    """What the list has after another part of it was read, the newest first."""
    with (
        app.app_context(),
        list_.current(
            db.session, current_installation().keys, timezone="UTC", today=TODAY, patience=0
        ) as connection,
    ):
        lines, total = list_.page(
            connection, Filter(show="all"), by_severity=False, offset=0, limit=1000
        )
        assert total == len(lines)
        return [line.reference for line in lines]


@both_databases
def test_the_list_of_a_new_process_is_read_in_parts_the_newest_first(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worklist, "PART", 3)
    references = a_few(app, 8)
    list_ = Worklist()
    assert listed(app, list_) == references[:4:-1]
    assert not list_.is_whole
    dr = Colleague(app)
    dr.get(f"/clinic/screenings/{references[0]}")  # not read yet
    dr.decide(references[6], "proceed")  # read already
    change(app, f"DELETE FROM screenings WHERE reference = '{references[1]}'")
    newer = a_few(app, 1, since=SENT + timedelta(days=1))
    change(
        app,
        f"UPDATE screenings SET sealed_state = sealed_patient WHERE reference = '{references[2]}'",
    )
    while not list_.is_whole:
        listed(app, list_)
    stored = []
    with app.app_context():
        for each_list in (list_, Worklist()):
            with each_list.current(
                db.session, current_installation().keys, timezone="UTC", today=TODAY
            ) as connection:
                entries = each_list.page(
                    connection, Filter(show="all"), by_severity=True, offset=0, limit=1000
                )[0]
                assert each_list.is_whole
                assert entries[0].reference == references[2]
                assert entries[0].outcome is None  # what cannot be opened stands at the top
                assert len(entries) == 8
                stored.append(
                    connection.execute("SELECT * FROM list ORDER BY reference").fetchall()
                    + connection.execute("SELECT * FROM counts WHERE number > 0").fetchall()
                )
    assert stored[0] == stored[1]
    assert newer[0] in listed(app, list_)


def test_a_page_says_that_older_screenings_are_missing_until_they_are_read(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_few(app, 5)
    dr = Colleague(app)
    monkeypatch.setattr(worklist, "PART", 2)
    monkeypatch.setattr(worklist.Worklist.current.__wrapped__, "__kwdefaults__", {"patience": 0})  # type: ignore[attr-defined]
    current_installation(app).worklist.forget()
    dr.get("/clinic/?show=all")
    assert "still reading 3 older screenings" in dr.text
    dr.get("/clinic/statistics")
    assert "still reading 1 older screening," in dr.text
    assert not background.read_list(app)  # nothing is left
    dr.get("/clinic/?show=all")
    assert "still reading" not in dr.text
    assert len(names(dr)) == 5


def test_no_page_says_that_nothing_is_to_do_or_found_before_all_was_read(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    references = a_few(app, 3)
    dr = Colleague(app)
    dr.decide(references[-1], "proceed")
    monkeypatch.setattr(worklist, "PART", 1)
    monkeypatch.setattr(worklist.Worklist.current.__wrapped__, "__kwdefaults__", {"patience": 0})  # type: ignore[attr-defined]
    for address in ("/clinic/", "/clinic/?to=2000-01-01"):
        current_installation(app).worklist.forget()
        dr.get(address)
        assert "still reading 2 older screenings" in dr.text
        assert "Nothing " not in dr.text
    while background.read_list(app):
        pass
    assert "No screenings match" in dr.get(address).text


def test_a_page_that_waited_for_another_one_reads_no_more_than_one_part(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_few(app, 3)
    monkeypatch.setattr(worklist, "PART", 1)
    clock = [0.0]

    class TakenForASecond:
        def __enter__(self) -> None:
            clock[0] += 1

        def __exit__(self, *_: object) -> None:
            pass

    monkeypatch.setattr(worklist.time, "monotonic", lambda: clock[0])
    list_ = Worklist()
    list_._lock = TakenForASecond()  # type: ignore[assignment]
    with (
        app.app_context(),
        list_.current(
            db.session, current_installation().keys, timezone="UTC", today=TODAY
        ) as connection,
    ):
        assert connection.execute("SELECT count(*) FROM list").fetchone() == (1,)


def test_a_fork_need_not_wait_while_the_thread_that_reads_the_list_lets_others_go_first(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_few(app, 3)
    monkeypatch.setattr(worklist, "PART", 1)
    monkeypatch.setattr(background, "SHORTLY", 0)
    busy: list[bool] = []
    lock = threading.Lock()
    monkeypatch.setattr(background.time, "sleep", lambda _: busy.append(lock.locked()))
    with pytest.raises(Ended):
        background.run(app, background.read_list, 5.0, lock, Rounds())
    assert busy == [False, False, False]
    assert current_installation(app).worklist.is_whole


def test_a_session_that_looked_earlier_does_not_begin_the_list_anew(app: Flask) -> None:
    a_few(app, 2)
    list_ = Worklist()
    with app.app_context():
        keys = current_installation().keys
        old = db.sessionmaker()
        with old:
            old.execute(text("SELECT count(*) FROM audit")).scalar()  # its snapshot
            a_few(app, 1, since=SENT + timedelta(days=1))
            assert len(listed(app, list_)) == 3
            begun = list_._oldest
            with list_.current(old, keys, timezone="UTC", today=TODAY) as connection:
                assert connection.execute("SELECT count(*) FROM list").fetchone() == (3,)
            assert list_._oldest is begun


def test_of_very_many_stuck_jobs_the_inbox_reads_some(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "MOST_SHOWN", 3)
    references = a_few(app, 5)
    change(app, "UPDATE outbox SET failed = true, fault = 'broken'")
    dr = Colleague(app)
    dr.get("/clinic/")
    assert "The PDFs of 3 screenings could not be made. There are more." in dr.text
    assert "5 jobs wait, 5 of them failed, 0 fail again" in flask(app, "doctor", code=1).stdout
    change(app, "DELETE FROM outbox WHERE id > (SELECT min(id) FROM outbox) + 1")
    dr.get("/clinic/")
    assert "The PDFs of 2 screenings could not be made." in dr.text
    assert "There are more" not in dr.text
    assert references[0] in dr.text


@both_databases
def test_statistics_count_the_newest_and_say_so(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = datetime.now(UTC) - timedelta(hours=1)
    unsure = {item: value for page in UNSURE.values() for item, value in page.items()}
    (old,) = a_few(app, 1, since=now - timedelta(days=2), **unsure)
    a_few(app, 2, since=now)
    dr = Colleague(app)
    dr.decide(old, "proceed", reason="x")
    dr.get("/clinic/statistics")
    assert "No questions are open." not in dr.text
    assert "Based on the newest" not in dr.text
    assert "had a decision within" in dr.text
    monkeypatch.setattr(waiting_times, "SAMPLE", 2)
    dr.get("/clinic/statistics")
    assert "No questions are open." not in dr.text  # counted beside the list, of all
    assert "No decisions have been recorded yet. Based on the newest 2 screenings." in " ".join(
        dr.text.split()
    )
    dr.clarify(old, "infection", infection="no")
    assert "No questions are open." in dr.get("/clinic/statistics").text
