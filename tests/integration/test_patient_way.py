"""The patient's way over HTTP, on SQLite and on PostgreSQL."""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import func, select, update

from screening import background
from screening.domain.assessment import Screening
from screening.extensions import db
from screening.installation import current_installation
from screening.services import questionnaire
from screening.storage import screenings
from screening.storage.tables import AttemptRow, DraftRow, EditionRow, ScreeningRow
from tests.integration.test_upkeep import change
from tests.integration.visitor import NO_TO_ALL, SAMPLE, Visitor

pytestmark = pytest.mark.one_database


def stored(app: Flask, reference: str) -> Screening:
    with app.app_context():
        screening = screenings.find(
            db.session, current_installation().keys, ScreeningRow.reference == reference
        )
        assert screening is not None
        return screening


def count(app: Flask, table: type) -> int:
    with app.app_context():
        return db.session.scalar(select(func.count()).select_from(table)) or 0


@pytest.mark.both_databases
def test_answers_arrive_as_they_were_given(app: Flask, visitor: Visitor) -> None:
    infection = {
        "infection": "yes",
        "infection_symptoms": ["aches", "fever"],
        "infection_since": "3 days ago",
    }
    visitor.fill_in({"infection": infection}, name="  José  Ñandú ", visit="V-77")
    screening = stored(app, visitor.send())
    assert screening.patient.name == "José  Ñandú"
    assert screening.patient.birth_date.isoformat() == "1988-03-12"
    assert screening.patient.visit == "V-77"
    assert screening.answers.value("infection_symptoms") == ("fever", "aches")
    assert screening.answers.value("infection_since") == "3 days ago"
    answer = screening.answers.get("pregnancy")
    assert answer is not None
    assert (answer.asked, answer.shown, answer.language) == ("Are you pregnant?", "No", "en")
    assert count(app, DraftRow) == 0
    assert count(app, EditionRow) == 1


@pytest.mark.both_databases
def test_sending_twice_gives_one_screening(app: Flask, visitor: Visitor) -> None:
    visitor.fill_in()
    first = visitor.send()
    assert visitor.send() == first
    assert count(app, ScreeningRow) == 1


@pytest.mark.both_databases
def test_sending_at_the_same_time_gives_one_screening(app: Flask, visitor: Visitor) -> None:
    visitor.fill_in()
    token = visitor.page.text.split('name="csrf_token"')[-1].split('value="')[1].split('"')[0]
    cookies = "; ".join(
        f"{name}={visitor.client.get_cookie(name).value}" for name in ("session", "draft")
    )  # type: ignore[union-attr]

    def send(_: int) -> int:
        return (
            app.test_client(use_cookies=False)
            .post("/submit", data={"csrf_token": token}, headers={"Cookie": cookies})
            .status_code
        )

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(send, range(8))) == {303}
    assert count(app, ScreeningRow) == 1


@pytest.mark.both_databases
def test_two_patients_send_at_the_same_time(app: Flask) -> None:
    def send(number: int) -> str:
        visitor = Visitor(app)
        visitor.fill_in(visit=f"V-{number}")
        return visitor.send()

    with ThreadPoolExecutor(4) as pool:
        references = set(pool.map(send, range(4)))
    assert len(references) == 4
    assert count(app, ScreeningRow) == 4
    assert count(app, EditionRow) == 1


def test_a_changed_answer_drops_the_follow_ups_it_closes(app: Flask, visitor: Visitor) -> None:
    visitor.fill_in({"iud": {"iud": "yes", "iud_type": "copper"}})
    visitor.post("/questions/iud", {"iud": "no", "iud_type": "copper"})
    assert visitor.path == "/check"
    assert stored(app, visitor.send()).answers.get("iud_type") is None


def test_switching_the_language_keeps_what_was_typed(app: Flask, visitor: Visitor) -> None:
    visitor.begin()
    visitor.answer({"pregnancy": NO_TO_ALL["pregnancy"], "breastfeeding": {"breastfeeding": "no"}})
    visitor.post(
        "/questions/infection", {"infection": "yes", "infection_since": "ayer", "language": "es"}
    )
    assert "¿Tiene ahora una infección?" in visitor.text
    assert "ayer" in visitor.text
    assert 'value="yes" checked' in visitor.page.text
    visitor.get("/check")
    assert visitor.page.status_code == 409, "nothing was saved by switching"


def test_each_answer_keeps_the_language_it_was_given_in(app: Flask, visitor: Visitor) -> None:
    visitor.fill_in()
    visitor.post("/language", {"language": "es", "next": "/check"})
    assert "Revise sus respuestas" in visitor.text
    visitor.post("/questions/iud", {"iud": "private"})
    answers = stored(app, visitor.send()).answers
    changed = answers.get("iud")
    kept = answers.get("vaccines")
    assert changed is not None
    assert kept is not None
    assert (changed.language, changed.shown) == ("es", "Prefiero decírselo al personal en privado")
    assert (kept.language, kept.shown) == ("en", "No")


@pytest.mark.parametrize(
    "target", ["//evil.example/", "https://evil.example/", "javascript:alert(1)", "/\\evil.example"]
)
def test_switching_the_language_never_leads_elsewhere(sqlite_app: Flask, target: str) -> None:
    visitor = Visitor(sqlite_app)
    visitor.post("/language", {"language": "es", "next": target})
    for response in (*visitor.page.history, visitor.page):
        assert re.match(r"/(?![/\\])|$", response.headers.get("Location", ""))


@pytest.mark.parametrize(
    "name",
    [
        "María-José Ñuñez",
        "فاطمة الزهراء",
        "王小明",
        "Дмитрий Иванович",
        "देवनागरी",
        "O'Neill",
        "D’Arcy",
        "Suharto",
        "می‌خواهم",
    ],
)
def test_names_in_any_script_are_taken(sqlite_app: Flask, name: str) -> None:
    visitor = Visitor(sqlite_app)
    visitor.fill_in(name=name)
    assert stored(sqlite_app, visitor.send()).patient.name == name


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ({"name": " "}, "Enter your name"),
        ({"name": "x" * 121}, "Enter a shorter name: at most 120 letters"),
        ({"name": "Ann\x00a"}, "Type the name again"),
        ({"visit": "9" * 41}, "Enter a shorter visit number"),
        ({"birth_day": "", "birth_month": "", "birth_year": ""}, "Enter the date of birth"),
        ({"birth_month": ""}, "The date of birth must include a month"),
        ({"birth_day": "", "birth_month": ""}, "The date of birth must include a day"),
        ({"birth_day": "", "birth_month": ""}, "The date of birth must include a month"),
        ({"birth_day": "45", "birth_month": ""}, "The date of birth must include a month"),
        ({"birth_day": "45", "birth_month": ""}, "Enter the day as a number from 1 to 31"),
        ({"birth_day": "12.3.1988", "birth_month": "", "birth_year": ""}, "each in its own box"),
        ({"birth_day": "31", "birth_month": "2"}, "That month does not have that day"),
        ({"birth_day": "32"}, "Enter the day as a number"),
        ({"birth_month": "Smarch"}, "Enter the month as a number"),
        ({"birth_year": "88"}, "Enter the year with 4 numbers"),
        (
            {"birth_year": "2999"},
            "The date of birth must be in the past. Use the Western calendar, such as 1985",
        ),
        ({"birth_year": "1364"}, "Check the year of birth. Use the Western calendar, such as 1985"),
    ],
)
def test_about_you_says_kindly_what_is_wrong_and_keeps_what_was_typed(
    sqlite_app: Flask, typed: dict[str, str], message: str
) -> None:
    visitor = Visitor(sqlite_app)
    visitor.begin(**typed)
    assert visitor.path == "/about-you"
    assert message in visitor.text
    for value in {**SAMPLE, **typed}.values():
        assert f'value="{value}"' in visitor.page.text


@pytest.mark.parametrize("month", ["March", "mar", "MARZO", "03", "٣", "３"])
def test_the_month_may_be_a_name_or_other_digits(sqlite_app: Flask, month: str) -> None:
    visitor = Visitor(sqlite_app)
    visitor.fill_in(birth_month=month)
    assert stored(sqlite_app, visitor.send()).patient.birth_date.month == 3


@pytest.mark.parametrize(
    "path", ["/about-you", "/questions/iud", "/check", "/done", "/copy", "/continue"]
)
def test_without_a_draft_every_step_leads_back_to_the_start(sqlite_app: Flask, path: str) -> None:
    visitor = Visitor(sqlite_app)
    assert visitor.get(path).status_code == 410
    assert "We cannot find your answers" in visitor.text
    assert 'href="/"' in visitor.page.text


def test_half_way_the_pages_after_sending_lead_back_to_the_questions(sqlite_app: Flask) -> None:
    visitor = Visitor(sqlite_app)
    visitor.begin()
    for path in ("/done", "/copy"):
        assert visitor.get(path).status_code == 409
        assert 'href="/questions/pregnancy"' in visitor.page.text


def test_back_keeps_what_was_answered_and_lets_the_rest_go(app: Flask, visitor: Visitor) -> None:
    visitor.begin()
    visitor.answer({"pregnancy": NO_TO_ALL["pregnancy"]})
    visitor.post("/questions/breastfeeding", {"breastfeeding": "unsure", "back": "1"})
    assert visitor.path == "/questions/pregnancy"
    visitor.post("/questions/pregnancy", {"pregnancy": "no", "back": "1"})
    assert visitor.path == "/about-you"
    visitor.post("/about-you", {**SAMPLE, "name": "Another Name", "back": "1"})
    assert visitor.path == "/"
    visitor.get("/continue")
    assert visitor.path == "/questions/infection"
    assert 'value="Another Name"' in visitor.get("/about-you").text


def test_an_answer_is_kept_in_the_words_it_was_shown_in(app: Flask, visitor: Visitor) -> None:
    visitor.fill_in()
    visitor.get("/questions/iud")
    in_english = visitor.page
    visitor.post("/language", {"language": "es", "next": "/check"})
    visitor.page = in_english
    visitor.post("/questions/iud", {"iud": "unsure", "shown_in": "en"})
    answer = stored(app, visitor.send()).answers.get("iud")
    assert answer is not None
    assert (answer.language, answer.shown) == ("en", "I am not sure")


def test_each_step_puts_off_when_the_device_forgets(sqlite_app: Flask) -> None:
    visitor = Visitor(sqlite_app)
    visitor.begin()
    visitor.answer({"pregnancy": NO_TO_ALL["pregnancy"]})
    (saved,) = visitor.page.history
    assert any(
        "draft=" in cookie and "Max-Age=14400" in cookie
        for cookie in saved.headers.getlist("Set-Cookie")
    )


def test_nobody_begins_very_many_questionnaires_from_one_address(
    sqlite_app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(questionnaire, "MOST_BEGUN", 3)

    def begin(address: str) -> int:
        visitor = Visitor(sqlite_app)
        visitor.client.environ_base["REMOTE_ADDR"] = address
        visitor.post("/")
        if visitor.page.status_code != 200:
            assert "Staff have the questions on paper" in visitor.text
        return visitor.page.status_code

    assert [begin("192.0.2.7") for _ in range(4)] == [200, 200, 200, 429]
    assert begin("192.0.2.8") == 200, "others may go on"
    assert [begin("127.0.0.1") for _ in range(4)] == [200] * 4, (
        "whoever is on this machine needs no form to fill it"
    )
    change(sqlite_app, "UPDATE attempts SET at = '2020-01-01 00:00:00.000000'")
    assert begin("192.0.2.7") == 200
    assert count(sqlite_app, AttemptRow) == 1, "older ones are forgotten"


def test_a_forged_token_finds_nothing(sqlite_app: Flask) -> None:
    visitor = Visitor(sqlite_app)
    visitor.begin()
    visitor.client.set_cookie("draft", "forged", domain="localhost")
    assert visitor.get("/questions/pregnancy").status_code == 410


@pytest.mark.both_databases
def test_an_expired_draft_is_gone(app: Flask, visitor: Visitor) -> None:
    visitor.fill_in()
    with app.app_context():
        db.session.execute(
            update(DraftRow).values(expires_at=datetime.now(UTC) - timedelta(seconds=1))
        )
        db.session.commit()
    visitor.post("/submit")
    assert visitor.page.status_code == 410
    assert count(app, ScreeningRow) == 0
    background.once(app)
    assert count(app, DraftRow) == 0


@pytest.mark.parametrize("path", ["/questions/vaccines", "/check"])
def test_a_later_step_waits_for_those_before_it(sqlite_app: Flask, path: str) -> None:
    visitor = Visitor(sqlite_app)
    visitor.begin()
    assert visitor.get(path).status_code == 409
    assert 'href="/questions/pregnancy"' in visitor.page.text


def test_sending_an_unfinished_questionnaire_sends_nothing(app: Flask, visitor: Visitor) -> None:
    visitor.begin()
    assert visitor.post("/submit").status_code == 409
    assert count(app, ScreeningRow) == 0


def test_what_was_sent_cannot_be_changed(sqlite_app: Flask) -> None:
    visitor = Visitor(sqlite_app)
    visitor.fill_in()
    visitor.send()
    assert visitor.post("/questions/iud", {"iud": "yes", "iud_type": "copper"}).status_code == 409
    assert "sent already" in visitor.text


def test_the_copy_is_closed_after_its_time_and_after_finish(
    make_app: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_app(copy_minutes=5)
    visitor = Visitor(app)
    visitor.fill_in()
    visitor.send()
    assert visitor.get("/copy").status_code == 200
    later = datetime.now(UTC) + timedelta(minutes=6)
    with monkeypatch.context() as patched:
        patched.setattr("screening.web.patient.draft._now", lambda: later)
        assert visitor.get("/copy").status_code == 409
        assert "The clinic has them" in visitor.text
        assert visitor.get("/done").status_code == 409
    visitor.get("/done")
    visitor.post("/finish")
    assert visitor.get("/copy").status_code == 410


def test_patients_never_see_severity_or_findings(app: Flask, visitor: Visitor) -> None:
    adverse = {question: {question: "yes"} for question in NO_TO_ALL} | {
        "iud": {"iud": "yes", "iud_type": "copper"}
    }
    visitor.fill_in(adverse)
    seen = visitor.text
    visitor.send()
    seen += visitor.text + str(visitor.get("/copy").text)
    for word in ("contraindicat", "caution", "clarify", "severity", "finding", "not appropriate"):
        assert word not in seen.lower()
    calm = Visitor(app)
    calm.fill_in()
    reference = calm.send()
    done = calm.text
    adverse_visitor = Visitor(app)
    adverse_visitor.fill_in(adverse)
    other = adverse_visitor.send()
    assert adverse_visitor.text.replace(other, reference) == done


def test_an_answer_to_a_question_worded_otherwise_is_asked_again(
    app: Flask, visitor: Visitor
) -> None:
    visitor.fill_in()
    with app.app_context():
        installation = current_installation()
        row = db.session.scalars(select(DraftRow)).one()
        place = {"table": "drafts", "column": "sealed_draft", "row": row.token_hash}
        old = installation.keys.unseal(row.sealed_draft, **place).replace(
            b"Are you pregnant?", b"Another wording?"
        )
        row.sealed_draft = installation.keys.seal(old, **place)
        db.session.commit()
    assert visitor.post("/submit").status_code == 409
    visitor.get("/continue")
    assert visitor.path == "/questions/pregnancy"
