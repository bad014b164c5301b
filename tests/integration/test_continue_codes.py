"""A patient without an invitation writes down a short code, and goes on by it on another device."""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from screening.domain.answers import read_answers
from screening.extensions import db
from screening.installation import current_installation
from screening.services import questionnaire
from screening.services.questionnaire import DraftGone
from screening.settings import Settings
from screening.storage import drafts
from screening.storage.database import write
from screening.storage.drafts import Draft, DraftMoved, hash_token
from screening.storage.tables import AttemptRow, AuditRow, DraftRow, ScreeningRow
from tests.builders import a_patient, all_no
from tests.integration.test_moving import target
from tests.integration.test_patient_way import count
from tests.integration.test_upkeep import change, flask
from tests.integration.visitor import NO_TO_ALL, Visitor
from tests.storing import act_of

__all__ = ["target"]  # a fixture
pytestmark = pytest.mark.one_database
both_databases = pytest.mark.both_databases

KEEP = timedelta(hours=1)
UNKNOWN = "We cannot find answers with this code"
WRONG = "000-000-000"
LONG_AGO = "2020-01-01 00:00:00.000000"


def half_way(app: Flask) -> tuple[Visitor, str]:
    """A patient at the second question who has pressed Stop, and the code."""
    visitor = Visitor(app)
    visitor.begin()
    visitor.answer({"pregnancy": NO_TO_ALL["pregnancy"]})
    visitor.post("/questions/breastfeeding", {"breastfeeding": "maybe", "stop": "1"})
    return visitor, code_of(visitor)


def code_of(visitor: Visitor) -> str:
    """The code that is shown once its button was pressed."""
    visitor.get("/stop")
    visitor.post("/stop")
    assert visitor.path == "/stop"
    match = re.search(r"\b(?:[0-9A-Z]{3}-){2}[0-9A-Z]{3}\b", visitor.text)
    assert match is not None, visitor.text
    return match[0]


def typed(app: Flask, code: str, address: str = "192.0.2.7") -> Visitor:
    """Another browser in which somebody types a code."""
    visitor = Visitor(app)
    visitor.client.environ_base["REMOTE_ADDR"] = address
    visitor.get("/code")
    visitor.post("/code", {"code": code})
    return visitor


def token_of(visitor: Visitor) -> str:
    return visitor.client.get_cookie("draft").value.partition("~")[0]  # type: ignore[union-attr]


@both_databases
def test_the_newest_device_has_the_answers_and_the_other_one_says_so(app: Flask) -> None:
    phone, code = half_way(app)
    computer = typed(app, code)
    assert computer.path == "/questions/breastfeeding", "nothing answered is asked again"
    assert 'value="Sample Patient"' in computer.get("/about-you").text
    for path in ("/questions/breastfeeding", "/check", "/continue", "/stop"):
        assert phone.get(path).status_code == 410
        assert "You went on with these questions on another device" in phone.text
        assert "choose “Go on with my code” at the start" in phone.text
        assert "If it was not you, tell the clinic" in phone.text
    for step in ("/questions/breastfeeding", "/submit", "/stop", "/finish"):
        assert phone.post(step, {"breastfeeding": "no"}).status_code == 410
    assert "Go on with my code" in phone.get("/").text
    assert code_of(computer) == code, "the paper with the code stays right"
    phone.get("/code")
    phone.post("/code", {"code": code})
    assert phone.path == "/questions/breastfeeding", "and back again"
    assert computer.get("/continue").status_code == 410
    phone.answer(NO_TO_ALL)
    phone.send()
    assert count(app, ScreeningRow) == 1
    assert flask(app, "verify").exit_code == 0


def test_what_was_refused_or_typed_before_stop_is_there_on_the_other_device(
    sqlite_app: Flask,
) -> None:
    visitor = Visitor(sqlite_app)
    visitor.begin()
    visitor.answer({"pregnancy": NO_TO_ALL["pregnancy"], "breastfeeding": {"breastfeeding": "no"}})
    visitor.post("/questions/infection", {"infection_since": "since Tuesday", "stop": "1"})
    assert "since Tuesday" in typed(sqlite_app, code_of(visitor)).page.text


def test_a_code_can_be_had_before_anything_was_answered(sqlite_app: Flask) -> None:
    visitor = Visitor(sqlite_app)
    visitor.post("/")
    assert typed(sqlite_app, code_of(visitor)).path == "/about-you"


@pytest.mark.parametrize(
    ("code", "as_typed"),
    [
        ("4KX-9TP-W2M", "4kx 9tp w2m"),
        ("4KX-9TP-W2M", "  4KX9TPW2M."),
        ("4KX-9TP-W2M", "4KX\u20119TP\u2013W2M\u200b"),
        ("4KX-9TP-W2M", "\uff14\uff2b\uff38\uff0d\uff19TPW2M"),
        ("011-256-800", "oIl-zsG bQ0"),
        ("V4X-9TP-W2M", "u4x9tpw2m"),
    ],
)
def test_a_code_is_read_however_it_is_typed(
    sqlite_app: Flask, monkeypatch: pytest.MonkeyPatch, code: str, as_typed: str
) -> None:
    monkeypatch.setattr(drafts, "new_code", lambda: code)
    half_way(sqlite_app)
    assert typed(sqlite_app, as_typed).path == "/questions/breastfeeding"


def test_codes_are_short_have_no_vowels_and_nothing_that_looks_like_something_else() -> None:
    codes = [drafts.new_code() for _ in range(1000)]
    assert len(set(codes)) == 1000
    letters = set("".join(codes)) - {"-"}
    assert letters == set("0123456789CDFHJKMNPRTVWXY")
    assert all(re.fullmatch(r"(\w{3}-){2}\w{3}", code) for code in codes)


@pytest.mark.parametrize(
    "fate", ["never was", "empty", "cut off", "sent", "deleted", "expired", "draft gone"]
)
def test_whatever_became_of_a_code_the_answer_is_the_same_and_keeps_what_was_typed(
    sqlite_app: Flask, fate: str
) -> None:
    visitor, code = half_way(sqlite_app)
    if fate == "sent":
        visitor.answer(NO_TO_ALL)
        visitor.send()
    elif fate == "deleted":
        visitor.get("/delete")
        visitor.post("/finish")
        assert visitor.path == "/deleted"
    elif fate == "expired":
        change(sqlite_app, f"UPDATE drafts SET expires_at = '{LONG_AGO}'")
    elif fate == "draft gone":
        change(
            sqlite_app, f"DELETE FROM drafts WHERE token_hash = '{hash_token(token_of(visitor))}'"
        )
    else:
        code = {"never was": WRONG, "empty": "", "cut off": code[:7]}[fate]
    stranger = typed(sqlite_app, code)
    other = typed(sqlite_app, WRONG)
    assert stranger.path == "/code"
    assert UNKNOWN in stranger.text
    assert f'name="code" value="{code}"' in stranger.page.text

    pages = {
        re.sub(r' (name|value)="[^"]*"', "", browser.page.text) for browser in (stranger, other)
    }
    assert len(pages) == 1
    assert [response.status_code for response in stranger.page.history] == [303], (
        "Back sends no form once more"
    )


def test_what_was_typed_stays_with_its_error_when_the_language_is_switched(
    sqlite_app: Flask,
) -> None:
    visitor = typed(sqlite_app, WRONG)
    visitor.post("/code", {"code": WRONG, "language": "es"})
    assert "No encontramos respuestas con este código" in visitor.text
    visitor.post("/code", {"code": "4KX", "language": "en"})
    assert 'value="4KX"' in visitor.page.text
    assert UNKNOWN not in visitor.text, "this one was not tried yet"
    visitor.post("/code", {"code": "4KX"})
    visitor.get("/")
    assert "4KX" not in visitor.get("/code").text, "the next person does not see it"


@pytest.mark.parametrize("end", ["sent", "deleted"])
def test_nothing_stays_of_a_code_once_the_answers_are_sent_or_deleted(
    sqlite_app: Flask, end: str
) -> None:
    visitor, _code = half_way(sqlite_app)
    assert count(sqlite_app, DraftRow) == 2
    if end == "sent":
        visitor.answer(NO_TO_ALL)
        visitor.send()
    else:
        visitor.post("/finish")
    assert count(sqlite_app, DraftRow) == 0


def test_a_code_lives_as_long_as_the_draft_and_ends_with_it(sqlite_app: Flask) -> None:
    visitor, code = half_way(sqlite_app)
    change(sqlite_app, "UPDATE drafts SET expires_at = '2999-01-01 00:00:00.000000'")
    visitor.post("/questions/breastfeeding", {"breastfeeding": "no"})
    with sqlite_app.app_context():
        draft, way = db.session.scalars(select(DraftRow.expires_at)).all()
    assert draft == way < datetime(2999, 1, 1, tzinfo=draft.tzinfo), "each step puts both off"
    assert typed(sqlite_app, code).path == "/questions/infection"
    change(sqlite_app, f"UPDATE drafts SET expires_at = '{LONG_AGO}'")
    flask(sqlite_app, "purge")
    assert count(sqlite_app, DraftRow) == 0


def test_the_database_shows_neither_code_nor_token_nor_which_rows_belong_together(
    sqlite_app: Flask,
) -> None:
    visitor, code = half_way(sqlite_app)
    with sqlite_app.app_context():
        rows = db.session.scalars(select(DraftRow)).all()
        assert len({len(row.sealed_draft) for row in rows}) == 1
        content = b"".join(row.sealed_draft + row.token_hash.encode() for row in rows)
        (way,) = {row.token_hash for row in rows} - {hash_token(token_of(visitor))}
        log = " ".join(
            f"{row.subject} {row.detail}" for row in db.session.scalars(select(AuditRow))
        )
    for form in (code, code.replace("-", "")):
        assert form not in log
        assert form.encode() not in content
        assert hash_token(form) != way, "without the clinic's key no code can be tried out"
    assert token_of(visitor).encode() not in content


def test_a_new_key_and_another_database_leave_a_code_as_it_is(
    sqlite_app: Flask, target: str, start: Callable[[Settings], Flask]
) -> None:
    _visitor, code = half_way(sqlite_app)
    flask(sqlite_app, "rotate-key")
    flask(sqlite_app, "verify")
    flask(sqlite_app, "move-database", target)
    moved = start(
        Settings(instance=current_installation(sqlite_app).settings.instance, database_url=target)
    )
    assert typed(moved, code).path == "/questions/breastfeeding"
    flask(moved, "verify")


# ----------------------------------------------------------------------------------------
# misuse


@both_databases
def test_whoever_tries_codes_out_is_stopped_and_others_are_not(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(questionnaire, "MOST_WRONG", 3)
    _visitor, code = half_way(app)
    # this machine too: a proxy that is not in the settings looks like it
    for address in ("192.0.2.7", "127.0.0.1"):
        assert [typed(app, f"000-000-00{n}", address).page.status_code for n in range(3)] == [
            200
        ] * 3
        stopped = typed(app, code, address)
        assert stopped.page.status_code == 429, (
            "the right one is not told from a wrong one any more"
        )
        assert "Staff have the questions on paper" in stopped.text
    assert count(app, AttemptRow) == 6, "3 for each address"
    assert typed(app, code, "192.0.2.8").path == "/questions/breastfeeding"
    change(app, f"UPDATE attempts SET at = '{LONG_AGO}'")
    assert typed(app, code).path == "/questions/breastfeeding"
    with app.app_context():
        noted = db.session.scalars(
            select(AuditRow.action)
            .where(AuditRow.action.startswith("code "))
            .order_by(AuditRow.number)
        ).all()
    assert noted == ["code refused"] * 6 + ["code accepted"] * 2


def test_a_code_page_pressed_twice_leads_to_what_the_first_one_brought(sqlite_app: Flask) -> None:
    _visitor, code = half_way(sqlite_app)
    other = Visitor(sqlite_app)
    other.get("/code")
    page = other.page
    other.post("/code", {"code": code})
    other.page = page
    other.post("/code", {"code": code})
    assert other.path == "/code"
    assert 'href="/continue"' in other.page.text
    assert other.get("/continue").request.path == "/questions/breastfeeding"


def test_a_cookie_that_names_the_row_of_a_code_opens_nothing(sqlite_app: Flask) -> None:
    _visitor, code = half_way(sqlite_app)
    for token in (code, code.replace("-", "")):
        stranger = Visitor(sqlite_app)
        stranger.client.set_cookie("draft", token, domain="localhost")
        assert stranger.get("/check").status_code == 410


def test_going_on_by_a_code_hides_what_the_last_person_here_had(sqlite_app: Flask) -> None:
    _visitor, code = half_way(sqlite_app)
    other = Visitor(sqlite_app)
    other.begin(name="Somebody Else")
    old = other.page
    page = other.get("/code").text
    assert "Somebody has begun to answer on this device" in page
    assert 'href="/continue"' in page
    other.post("/code", {"code": code})
    assert "Somebody Else" not in other.get("/about-you").text
    other.page = old
    assert other.post("/questions/pregnancy", {"pregnancy": "yes"}).status_code == 400, (
        "nor is their form accepted"
    )


# ----------------------------------------------------------------------------------------
# who has none


def test_the_clinic_can_do_without_codes(make_app: Callable[..., Flask]) -> None:
    visitor, code = half_way(make_app())
    app = make_app(continue_codes=False)
    without = Visitor(app)
    assert "Go on with my code" not in without.text
    assert without.get("/code").status_code == 404
    without.get("/")
    assert without.post("/code", {"code": code}).status_code == 404
    visitor = Visitor(app)
    visitor.begin()
    assert "Show me a code" not in visitor.get("/stop").text
    visitor.post("/stop")
    assert visitor.path == "/stop"
    assert "Write this code down" not in visitor.text


# ----------------------------------------------------------------------------------------
# all at once


@both_databases
def test_of_all_that_is_done_at_once_one_device_has_the_answers_and_nobody_waits_in_a_circle(
    app: Flask,
) -> None:
    with app.app_context():
        books = current_installation().books
    for rival in ("record", "send", "delete", "go on"):
        for _ in range(4):
            token = questionnaire.new_token()
            code = drafts.new_code()
            with app.app_context():
                actor = act_of(app)
                filled = Draft(
                    patient=a_patient(), answers=read_answers(books["en"], all_no()), code=code
                )
                with write(db.session):
                    drafts.put(
                        db.session,
                        actor.keys,
                        hash_token(token),
                        filled,
                        expires_at=actor.now + KEEP,
                    )

            def go_on(code: str = code) -> str:
                with app.app_context(), suppress(DraftMoved):
                    return questionnaire.go_on(act_of(app), code, address="192.0.2.7", keep=KEEP)
                return ""

            def other(
                rival: str = rival, token: str = token, go_on: Callable[[], str] = go_on
            ) -> Any:
                if rival == "go on":
                    return go_on()
                with app.app_context(), suppress(DraftMoved, DraftGone):
                    actor = act_of(app)
                    if rival == "record":
                        return (
                            questionnaire.record(actor, token, lambda draft: draft, keep=KEEP)
                            or "recorded"
                        )
                    if rival == "send":
                        return questionnaire.submit(actor, token, books, "en", jobs=()).reference
                    return questionnaire.discard(actor, token) or "deleted"
                return ""

            with ThreadPoolExecutor(2) as threads:
                going_on = threads.submit(go_on)
                doing = threads.submit(other)
                given = going_on.result(30)
                done = doing.result(30)
            assert given or done
            if rival in ("send", "delete"):
                assert bool(given) != bool(done), "sent or deleted, or gone on with, and never both"
            if rival == "record":
                with app.app_context():
                    assert drafts.find(db.session, actor.keys, hash_token(given), now=actor.now), (
                        "never lost"
                    )
