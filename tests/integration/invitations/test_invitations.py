"""The right patient gets to the questions by a link; nobody else does."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from io import BytesIO
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from flask import Flask
from pypdf import PdfReader
from sqlalchemy import text

from screening.domain.answers import Patient
from screening.extensions import db
from screening.features.invitations import service, store
from screening.features.invitations.invitation import Invitation, last_moment
from screening.features.invitations.tables import INVITATIONS_KEPT
from screening.installation import current_installation
from screening.operating import overlooked
from screening.services.jobs import JobFailed
from screening.storage import drafts
from screening.storage.database import write
from screening.storage.drafts import DraftMoved
from tests.days import pass_days
from tests.integration.colleague import Colleague
from tests.integration.test_upkeep import change, flask
from tests.integration.visitor import NO_TO_ALL, Visitor
from tests.storing import act_of

pytestmark = pytest.mark.one_database
both_databases = pytest.mark.both_databases

BORN = {"birth_day": "12", "birth_month": "3", "birth_year": "1988"}
OTHER = {**BORN, "birth_day": "13"}
TYPED = {
    "name": "Sample Patient",
    **BORN,
    "visit": "V-9",
    "appointment": "2027-03-31T14:30",
    "prescriber": "Dr House",
}
TYPED |= {"language": "en", "days": "7"}


def invited(app: Flask, *, language: str = "en", email: str = "") -> tuple[str, str]:
    """The id and the path of a link."""
    patient = Patient(name="Sample Patient", birth_date=date(1988, 3, 12), visit="V-9")
    invitation = Invitation(patient=patient, language=language, email=email)
    with app.app_context():
        actor = act_of(app)
        invitation_id = service.new_id()
        service.create(actor, {invitation_id: invitation}, until=actor.now + timedelta(days=7))
        link = service.address(current_installation().settings, actor, invitation_id)
        return invitation_id, urlsplit(link).path


def opened(app: Flask, path: str, born: dict[str, str] = BORN) -> Visitor:
    """The browser of somebody who opens a link and says when they were born."""
    visitor = Visitor(app)
    visitor.get(path)
    visitor.post(path, dict(born))
    return visitor


class Mails:
    """Keeps what it is to send, unless it has a fault."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str, str, str]] = []
        self.fault = ""

    def send_text(self, to: str, subject: str, text: str, *, language: str) -> None:
        if self.fault:
            raise JobFailed(self.fault)
        self.sent.append((to, subject, text, language))


@both_databases
def test_staff_invite_and_the_patient_finds_name_and_visit_filled_in(app: Flask) -> None:
    staff = Colleague(app, "reception", "staff")
    staff.get("/clinic/invitations/new")
    staff.post("/clinic/invitations/new", dict(TYPED))
    assert "Not opened yet" in staff.text
    match = re.search(r"http://127.0.0.1:8000(/invited/(?:[a-z2-7]{4}-){6}[a-z2-7]{2})", staff.text)
    assert match is not None, staff.text
    page = staff.path
    visitor = Visitor(app)
    visitor.get(match[1])
    assert "Sample" not in visitor.page.text, "before it is known who asks"
    visitor.post(match[1], dict(BORN))
    assert visitor.path == "/about-you"
    assert 'value="Sample Patient"' in visitor.page.text
    assert 'value="V-9"' in visitor.page.text
    assert "Opened" in staff.get(page).text
    visitor.post("/about-you", {"name": "Sample Patient", **BORN, "visit": "V-9"})
    visitor.answer(NO_TO_ALL)
    reference = visitor.send()
    assert "No answers are awaited" in staff.get("/clinic/invitations/").text
    assert "Answers sent" in staff.get("/clinic/invitations/?show=all").text
    assert reference in staff.get(page).text
    log = flask(app, "audit", "export").output
    assert all(
        f" {action} " in log.replace("\t", " ").replace(",", " ")
        for action in ("invited", "link opened")
    ), log


def test_the_database_holds_neither_token_nor_name(app: Flask) -> None:
    _made, path = invited(app)
    with app.app_context():
        (row,) = db.session.query(store.InvitationRow).all()
        plain = "|".join(str(getattr(row, column.key)) for column in row.__table__.columns)
    assert path.rpartition("/")[2] not in plain
    assert "Sample" not in plain
    letters = path.rpartition("/")[2].replace("-", "")
    assert len(letters) * 5 >= 128
    assert letters not in plain
    assert opened(app, f"/invited/{letters.upper()}").path == "/about-you", "as people type it"


def test_a_wrong_date_of_birth_counts_in_the_database_whoever_tries(app: Flask) -> None:
    invitation_id, path = invited(app)
    for left in range(store.TRIES - 1, 0, -1):
        stranger = opened(app, path, OTHER)
        assert "The clinic has another date of birth for this link." in stranger.text
        assert f"You can try {left} more time" in stranger.text
        assert "Sample" not in stranger.page.text
    assert (
        opened(app, path, {**BORN, "birth_day": "30", "birth_month": "2"}).page.status_code == 200
    )
    assert opened(app, path, OTHER).page.status_code == 410
    right = opened(app, path)
    assert right.page.status_code == 410
    assert "The date of birth was wrong too many times" in right.text
    staff = Colleague(app, "reception", "staff")
    assert "Blocked" in staff.get(f"/clinic/invitations/{invitation_id}").text
    assert flask(app, "audit", "export").output.count("link refused") == store.TRIES


def test_a_form_that_is_sent_twice_invites_once_and_a_changed_one_somebody_else(app: Flask) -> None:
    staff = Colleague(app, "reception", "staff")
    form = staff.get("/clinic/invitations/new")
    match = re.search(r'name="id" value="([0-9a-f]{32})"', form.text)
    assert match is not None
    for _ in range(2):
        staff.post("/clinic/invitations/new", {**TYPED, "id": match[1]})
        assert staff.path.endswith(match[1])
    staff.post("/clinic/invitations/new", {**TYPED, "id": match[1], "name": "Second Patient"})
    assert not staff.path.endswith(match[1])
    assert "Second Patient" in staff.text
    staff.post("/clinic/invitations/new", {**TYPED, "id": match[1], "days": "8"})
    assert not staff.path.endswith(match[1]), "until another day"
    staff.post("/clinic/invitations/new", {**TYPED, "id": "../../x", "name": "Third Patient"})
    assert "Third Patient" in staff.text
    assert "4 patients whose answers may still come" in staff.get("/clinic/invitations/").text


@both_databases
def test_the_same_form_sent_several_times_at_once_invites_once(app: Flask) -> None:
    invited(app)  # the log has begun
    same = service.new_id()
    invitation = Invitation(patient=Patient(name="A", birth_date=date(1988, 3, 12)), language="en")

    def create(_number: int) -> None:
        with app.app_context():
            actor = act_of(app)
            service.create(actor, {same: invitation}, until=actor.now + timedelta(days=7))

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(create, range(8)))
    with app.app_context():
        assert store.count(db.session) == 2


def test_who_was_invited_is_invited_again_without_typing(app: Flask) -> None:
    staff = Colleague(app, "reception", "staff")
    staff.get("/clinic/invitations/new")
    staff.post("/clinic/invitations/new", {**TYPED, "language": "es"})
    page = staff.path
    assert "again=" not in staff.page.text, "the link can still be used"
    staff.post(f"{page}/revoke")
    match = re.search(r'href="(/clinic/invitations/new\?again=[0-9a-f]{32})"', staff.page.text)
    assert match is not None
    filled = staff.get(match[1]).text
    for value in ("Sample Patient", "12", "1988", "V-9", "2027-03-31T14:30", "Dr House"):
        assert f'value="{value}"' in filled
    assert '<option value="es" lang="es" selected>' in filled


def test_whose_answers_may_still_come_is_listed_by_appointment(app: Flask) -> None:
    with app.app_context():
        actor = act_of(app)

        def invite_one(name: str, days: int) -> str:
            patient = Patient(name=name, birth_date=date(1988, 3, 12))
            appointment = actor.now + timedelta(days=days) if days else None
            invitation_id = service.new_id()
            invitation = Invitation(patient=patient, language="en", appointment=appointment)
            service.create(actor, {invitation_id: invitation}, until=actor.now + timedelta(days=7))
            return invitation_id

        for name, days in (("Later", 9), ("Without a day", 0), ("Sooner", 2)):
            invite_one(name, days)
        service.revoke(actor, invite_one("Withdrawn", 1))
        kept = store.awaited(db.session, actor.keys, now=actor.now)
        assert [awaited.invitation and awaited.invitation.patient.name for awaited in kept] == [
            "Sooner",
            "Later",
            "Without a day",
        ]
        late = store.find(db.session, actor.keys, kept[1].id, now=actor.now)
        assert late is not None
    staff = Colleague(app, "reception", "staff")
    assert (
        "The link ends before the appointment" in staff.get(f"/clinic/invitations/{late.id}").text
    )
    assert (
        "The link ends before the appointment"
        not in staff.get(f"/clinic/invitations/{kept[0].id}").text
    )


def test_until_a_day_means_to_its_end_at_the_clinic() -> None:
    # the next day at the clinic, and the clocks change on the 29th
    now = datetime(2026, 3, 20, 23, 30, tzinfo=UTC)
    until = last_moment(now=now, days=14, timezone="Europe/Madrid")
    assert until == datetime(2026, 4, 4, 21, 59, 59, tzinfo=UTC)


def test_links_that_do_not_work_say_what_to_do(app: Flask) -> None:
    invitation_id, path = invited(app)
    staff = Colleague(app, "reception", "staff")
    staff.get(f"/clinic/invitations/{invitation_id}")
    staff.post(f"/clinic/invitations/{invitation_id}/revoke")
    assert "Withdrawn" in staff.text
    late = invited(app)[1]
    change(
        app,
        "UPDATE invitations SET expires_at = '2020-01-01 00:00:00+00:00' WHERE revoked_at IS NULL",
    )
    for address, status, words in (
        (path, 410, "The clinic has withdrawn this link"),
        (late, 410, "This link is too old"),
        ("/invited/" + "x" * 26, 404, "This link is not complete"),
    ):
        visitor = Visitor(app)
        assert visitor.get(address).status_code == status
        assert words in visitor.text
        assert "Ask the clinic for a new link" in visitor.text
        visitor.post(address, dict(BORN))
        assert visitor.page.status_code in (status, 400)
    assert "Sample" not in visitor.page.text


def test_opening_a_link_without_an_answer_uses_nothing_up(app: Flask) -> None:
    _made, path = invited(app)
    for _ in range(10):
        assert Visitor(app).get(path).status_code == 200
    assert opened(app, path).path == "/about-you"


@both_databases
def test_of_fifty_who_redeem_at_once_the_last_has_the_draft(app: Flask) -> None:
    _made, path = invited(app)
    token = path.rpartition("/")[2]

    def redeem(_number: int) -> str:
        with app.app_context():
            return service.redeem(act_of(app), token, date(1988, 3, 12), keep=timedelta(hours=1))[0]

    with ThreadPoolExecutor(10) as threads:
        given = set(threads.map(redeem, range(50)))
    assert len(given) == 50
    with app.app_context():
        actor = act_of(app)
        drafts_left = []
        for draft_token in given:
            with suppress(DraftMoved):
                token_hash = drafts.hash_token(draft_token)
                draft = drafts.find(db.session, actor.keys, token_hash, now=actor.now)
                drafts_left.append((draft_token, draft))
        ((last, draft),) = drafts_left
        assert draft is not None
        assert db.session.query(store.InvitationRow).one().draft_hash == store.hash_token(last)


def test_the_page_is_in_the_patients_language_until_another_is_chosen(app: Flask) -> None:
    _made, path = invited(app, language="es")
    visitor = Visitor(app)
    assert '<html lang="es"' in visitor.get(path).text
    visitor.post(path, {**OTHER, "language": "en"})
    assert '<html lang="en"' in visitor.page.text
    assert 'value="13"' in visitor.page.text, "what was typed stays"
    visitor.post(path, dict(BORN))
    assert '<html lang="en"' in visitor.page.text


def test_the_slip_says_all_that_the_patient_needs(app: Flask) -> None:
    staff = Colleague(app, "reception", "staff")
    staff.get("/clinic/invitations/new")
    staff.post("/clinic/invitations/new", dict(TYPED))
    page = staff.path
    slip = staff.get(f"{page}/slip.pdf")
    text = " ".join(PdfReader(BytesIO(slip.data)).pages[0].extract_text().split())
    for words in ("Sample Patient", "Dr House", "V-9", "Wednesday, March 31, 2027", "2:30"):
        assert words in text
    assert "/invited/" in text.replace(" ", "")
    assert "1988" not in text
    staff.get(page)
    staff.post(f"{page}/revoke")
    assert staff.get(f"{page}/slip.pdf").status_code == 404


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"name": ""}, "Enter the patient’s name"),
        ({"birth_year": ""}, "The date of birth must include a year"),
        ({"appointment": "soon"}, "Enter a day and time to come, such as 2027-03-31 14:30"),
        ({"appointment": "2020-01-01T10:00", "birth_day": "40"}, "Enter a day and time to come"),
        ({"appointment": "2020-01-01T10:00", "birth_day": "40"}, "Enter the day as a number"),
        ({"days": "0"}, "Enter a number of days from 1 to 90"),
        ({"days": "many"}, "Enter a number of days from 1 to 90"),
        ({"prescriber": "x" * 200}, "Write a little less"),
        ({"email": "a@b, c@d"}, "Enter an e-mail address such as"),
    ],
    ids=str,
)
def test_what_is_wrong_is_said_and_nothing_typed_is_lost(
    app: Flask, wrong: dict[str, str], words: str
) -> None:
    current_installation(app).points.mailers.append(Mails())
    staff = Colleague(app, "reception", "staff")
    staff.get("/clinic/invitations/new")
    staff.post("/clinic/invitations/new", {**TYPED, "email": "p@example.org", **wrong})
    assert words in staff.text
    assert "<title>Error:" in staff.page.text
    for value in {**TYPED, **wrong}.values():
        assert (
            not value or value in staff.page.text or value.replace("T", " ") in staff.page.text
        ), value


def test_whoever_prints_a_slip_or_invites_again_is_in_the_audit_log(app: Flask) -> None:
    invitation_id, _path = invited(app)
    staff = Colleague(app, "reception", "staff")
    staff.get(f"/clinic/invitations/{invitation_id}/slip.pdf")
    staff.get(f"/clinic/invitations/new?again={invitation_id}")
    log = flask(app, "audit", "export").output
    for action in ("slip printed", "invitation viewed"):
        assert f",reception,{action},{invitation_id[:8]}," in log


def test_a_reminder_goes_by_mail_and_names_nobody(app: Flask) -> None:
    mails = Mails()
    points = current_installation(app).points
    points.mailers.append(mails)
    points.reasons["full"] = "The mailbox is full."
    invitation_id, path = invited(app, email="patient@example.org", language="es")
    staff = Colleague(app, "reception", "staff")
    staff.get(f"/clinic/invitations/{invitation_id}")
    mails.fault = "full"
    staff.post(f"/clinic/invitations/{invitation_id}/remind")
    assert "The reminder was not sent. The mailbox is full." in staff.text
    mails.fault = ""
    staff.post(f"/clinic/invitations/{invitation_id}/remind")
    assert "The reminder was sent." in staff.text
    ((to, subject, body, language),) = mails.sent
    assert (to, language) == ("patient@example.org", "es")
    assert subject == "Preguntas antes de su visita"
    assert path in body
    assert not re.search("sample|1988|V-9", body + subject, re.IGNORECASE)
    assert "reminded" in staff.get("/clinic/invitations/").text


def test_a_clinic_that_sends_no_mail_reminds_nobody(app: Flask) -> None:
    invitation_id, _path = invited(app, email="patient@example.org")
    staff = Colleague(app, "reception", "staff")
    assert "Send a reminder" not in staff.get(f"/clinic/invitations/{invitation_id}").text
    staff.post(f"/clinic/invitations/{invitation_id}/remind")
    assert staff.page.status_code == 404
    assert "E-mail" not in staff.get("/clinic/invitations/new").text


def test_invitations_are_deleted_some_time_after_their_end(app: Flask) -> None:
    invited(app)
    for days, left in (
        (7 + INVITATIONS_KEPT.days - 1, 1),
        (7 + INVITATIONS_KEPT.days + 1, 0),
    ):
        pass_days(app, days)
        with app.app_context():
            assert store.count(db.session) == left


def test_an_invitation_goes_with_the_screening_that_came_of_it(app: Flask) -> None:
    visitor = opened(app, invited(app)[1])
    visitor.answer(NO_TO_ALL)
    visitor.send()
    invited(app)
    pass_days(app, 14, days=3)
    with app.app_context():
        assert store.count(db.session) == 1


def test_a_new_key_seals_invitations_anew(app: Flask) -> None:
    _made, path = invited(app)
    flask(app, "rotate-key", "--forget")
    assert opened(app, path).path == "/about-you"


TABLE = "name,birth_date,visit,appointment,prescriber,language,email\n"
RIGHT = (
    "Ana Pérez,1988-03-12,V-1,2027-03-31 14:30,Dr House,es,ana@example.org\n"
    '"=Li, 王",1990-01-02,,,,,\n'
)


def test_a_table_of_patients_is_invited_with_slips(app: Flask, tmp_path: Path) -> None:
    table = tmp_path / "patients.csv"
    slips = tmp_path / "slips"
    table.write_text(TABLE + RIGHT, encoding="utf-8-sig")
    assert (
        "2 can be invited; nothing was done"
        in flask(app, "invite", "--list", str(table), "--dry-run").output
    )
    result = flask(
        app, "invite", "--yes", "--list", str(table), "--slips", str(slips), "--days", "1"
    )
    assert "2 invited, until" in result.stderr
    assert "1 of these links end before the appointment" in result.stderr
    rows = list(csv.DictReader(result.stdout.splitlines()))
    assert [row["name"] for row in rows] == ["Ana Pérez", "'=Li, 王"]
    files = sorted(slips.iterdir())
    assert [
        bool(re.fullmatch(r"invitation-\d{4}-[0-9a-f]{8}\.pdf", file.name)) for file in files
    ] == [True, True]
    assert all(file.stat().st_mode & 0o077 == 0 for file in files)
    assert "31 de marzo de 2027" in PdfReader(files[0]).pages[0].extract_text()
    path = rows[0]["link"].partition(":8000")[2]
    assert '<html lang="es"' in opened(app, path).page.text


def test_whoever_was_invited_before_something_failed_has_a_link(
    sqlite_app: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = tmp_path / "patients.csv"
    table.write_text(TABLE + RIGHT, encoding="utf-8")
    monkeypatch.setattr("screening.features.invitations.service.PART", 1)
    full = (
        "WHEN (SELECT count(*) FROM invitations) > 0 BEGIN SELECT RAISE(ABORT, 'no more room'); END"
    )
    with sqlite_app.app_context(), write(db.session):
        db.session.execute(text(f"CREATE TRIGGER full BEFORE INSERT ON invitations {full}"))
    result = flask(sqlite_app, "invite", "--yes", "--list", str(table), code=1)
    assert "no more room" in result.stderr
    (row,) = csv.DictReader(result.stdout.splitlines())
    assert opened(sqlite_app, row["link"].partition(":8000")[2]).path == "/about-you"


def test_every_bad_row_is_named_and_then_nobody_is_invited(app: Flask, tmp_path: Path) -> None:
    table = tmp_path / "patients.csv"
    bad = [
        "1,1988-03-12,,,,,",
        "A,12.3.88,,,,,",
        "B,2999-01-01,,soon,,xx,a b@c",
        ",1988-03-12,,,,,",
    ]
    table.write_text(
        TABLE + "Ana,1988-03-12,,9999-01-01 14:30,,,\n" + "\n".join(bad), encoding="utf-8"
    )
    output = flask(app, "invite", "--yes", "--list", str(table), code=1).output
    for line in (
        "row 4, birth_date: “12.3.88”: which century? "
        "Write the year with four digits, such as 1988.",
        "row 5, birth_date: This cannot be a date of birth: check it, above all the year.",
        "row 2, appointment: This is in the past or very far away: check it.",
        "row 5, appointment: “soon” cannot be read: write it such as 2027-03-31 14:30.",
        "row 5, language: “xx” is not offered: write one of en, es.",
        "row 5, email: “a b@c” is not one e-mail address",
        "row 6, name: A name is needed here: write it.",
        "Nobody was invited.",
    ):
        assert line in output
    assert f"{table}: row 4, birth_date" in output
    with app.app_context():
        assert store.count(db.session) == 0


def test_one_patient_is_invited_on_the_command_line(app: Flask) -> None:
    result = flask(app, "invite", "--name", "Ana", "--birth-date", "1988-03-12", "--days", "3")
    assert re.search(
        r'^"Ana","","http://127.0.0.1:8000/invited/(?:[a-z2-7]{4}-){6}[a-z2-7]{2}"$',
        result.stdout,
        re.MULTILINE,
    )
    assert (
        "name: A name is needed here"
        in flask(app, "invite", "--name", "?", "--birth-date", "1988-03-12", code=1).output
    )
    assert "Give --list FILE, or --name" in flask(app, "invite", code=2).output


def test_staff_read_invitations_in_the_clinics_language(make_app: Callable[..., Flask]) -> None:
    staff = Colleague(make_app(clinic_language="es"), "reception", "staff")
    assert '<html lang="es"' in staff.get("/clinic/invitations/").text


@both_databases
def test_answers_without_a_decision_are_raised_when_the_appointment_comes(app: Flask) -> None:
    with app.app_context():
        actor = act_of(app)
        made = service.new_id()
        patient = Patient(name="Sample Patient", birth_date=date(1988, 3, 12), visit="V-9")
        at = actor.now + timedelta(hours=2)
        one = Invitation(patient=patient, language="en", appointment=at)
        service.create(actor, {made: one}, until=actor.now + timedelta(days=7))
        path = urlsplit(service.address(current_installation().settings, actor, made)).path
    visitor = opened(app, path)
    visitor.post("/about-you", {"name": "Sample Patient", **BORN, "visit": "V-9"})
    visitor.answer(NO_TO_ALL)
    reference = visitor.send()

    def raised(hours: float) -> list[str]:
        with app.app_context():
            later = act_of(app, now=datetime.now(UTC) + timedelta(hours=hours))
            return overlooked.read(later, current_installation(), patience=5).appointed

    assert raised(1.9) == []
    assert raised(2.1) == [reference]
    dr = Colleague(app)
    dr.get(f"/clinic/screenings/{reference}")
    assert raised(2.1) == [reference]
    dr.decide(reference, "proceed")
    assert raised(2.1) == []
