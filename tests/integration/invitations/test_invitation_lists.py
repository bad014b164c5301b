"""A list of patients is checked before anybody is invited, on the page and by the command."""

from __future__ import annotations

import csv
import io
import re
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import text

from screening.extensions import db
from screening.features.invitations import store
from screening.installation import current_installation
from screening.storage.database import write
from tests.integration.colleague import Colleague
from tests.integration.invitations.test_invitations import invited, opened
from tests.integration.test_upkeep import flask
from tests.storing import act_of

pytestmark = pytest.mark.one_database

LIST = (
    "Nombre;Fecha de nacimiento;Visita;Idioma\n"
    "André Müller;12.03.1988;V-1;es\nBo Li;1990-01-02;V-2;\n"
)
TRIALS = {
    "semi": (
        "name;birth_date;visit;appointment;prescriber;language;email\n"
        "Ana Ruiz;1988-03-12;V-1;2027-03-31 14:30;Dr Kim;es;\n"
    ),
    "cp1252": "name,birth_date\nAndré Müller,1988-03-12\n".encode("cp1252"),
    "heads": "Name,Birth date,Visit\nAna Ruiz,1988-03-12,V-1\n",
    "dmy": "name,birth_date\nAna Ruiz,12.03.1988\nBo Li,03/12/1988\nCy Do,12/3/88\n",
    "trail": "name,birth_date,visit,,,\nAna Ruiz,1988-03-12,V-1,,,\n,,,,,\n",
    "dup": "name,birth_date,visit\nAna Ruiz,1988-03-12,V-1\nAna Ruiz,1988-03-12,V-1\n",
    "twice": "name,birth_date,name,birth_date\r\nPatient One,1988-03-12,Mother Two,1960-01-01\r\n",
}


@pytest.fixture
def staff(app: Flask) -> Colleague:
    return Colleague(app, "reception", "staff")


def upload(staff: Colleague, content: str | bytes) -> str:
    """Choose a file on the page."""
    staff.get("/clinic/invitations/list")
    token = re.search(r'name="csrf_token"[^>]* value="([^"]+)"', staff.page.text)
    assert token is not None
    sent = content.encode() if isinstance(content, str) else content
    # Written out here: Flask's test client would put a large file on the disk and forget to close
    # it.
    parts = [b'--x\r\nContent-Disposition: form-data; name="csrf_token"\r\n', token[1].encode()]
    parts += [
        b'--x\r\nContent-Disposition: form-data; name="list"; filename="list"\r\n',
        sent,
        b"--x--\r\n",
    ]
    kind = "multipart/form-data; boundary=x"
    staff.page = staff.client.post(
        "/clinic/invitations/list", data=b"\r\n".join(parts), content_type=kind
    )
    return staff.text


def press(staff: Colleague, **more: str) -> str:
    """Send the hidden fields of the page back, with a button or a choice."""
    kept = dict(
        re.findall(
            r'<input type="hidden" name="(sealed|seed|dates)" value="([^"]*)"', staff.page.text
        )
    )
    staff.post("/clinic/invitations/list", {**kept, **more})
    return staff.text


def count(app: Flask) -> int:
    with app.app_context():
        return store.count(db.session)


def test_a_list_is_shown_as_understood_and_invited_by_the_button(
    app: Flask, staff: Colleague
) -> None:
    shown = upload(staff, LIST.encode("cp1252"))
    for words in (
        "André Müller",
        "12-Mar-1988",
        "02-Jan-1990",
        "V-2",
        "2 rows, as they are understood",
    ):
        assert words in shown
    assert (
        '<button type="submit" class="primary" name="invite" value="2">Invite 2 patients</button>'
        in staff.page.text
    )
    assert count(app) == 0, "nothing is made before the button is pressed"
    plain_page = staff.page.text
    assert "2 patients are invited" in press(staff, invite="2", days="7")
    assert count(app) == 2
    table = press(staff, links="1")
    rows = list(csv.DictReader(io.StringIO(staff.page.data.decode("utf-8-sig"), newline="")))
    assert [(row["name"], row["visit"]) for row in rows] == [
        ("André Müller", "V-1"),
        ("Bo Li", "V-2"),
    ]
    assert table.startswith("\ufeff")
    assert '<html lang="es"' in opened(app, rows[0]["link"].partition(":8000")[2]).page.text
    sealed = re.search(r'name="sealed" value="([^"]+)"', plain_page)
    assert sealed is not None
    assert "links listed" in flask(app, "audit", "export").output


def test_a_button_that_is_pressed_twice_invites_once(app: Flask, staff: Colleague) -> None:
    upload(staff, LIST)
    page = staff.page
    for _ in range(2):
        staff.page = page
        assert "2 patients are invited" in press(staff, invite="2", days="7")
    assert count(app) == 2


def test_the_file_goes_into_the_page_sealed_and_for_this_person_alone(
    app: Flask, staff: Colleague
) -> None:
    upload(staff, LIST.encode())
    sealed = re.search(r'name="sealed" value="([^"]+)"', staff.page.text)
    assert sealed is not None
    other = Colleague(app, "other", "staff")
    other.get("/clinic/invitations/list")
    values = dict(re.findall(r'name="(sealed|seed)" value="([^"]*)"', staff.page.text))
    for wrong in (
        values,
        {**values, "sealed": "x"},
        {**values, "sealed": "AAAA"},
        {**values, "seed": "0" * 32},
    ):
        other.post("/clinic/invitations/list", {**wrong, "invite": "2", "days": "7"})
        assert "This page cannot be used any more. Choose the file again" in other.text
    assert count(app) == 0


def test_faults_stand_at_their_cells_and_nobody_is_invited(app: Flask, staff: Colleague) -> None:
    shown = upload(
        staff, "Paciente;Fecha nacimiento;Cita\nAna;12/3/88;\n;1988-03-12;2020-01-01 10:00\n"
    )
    assert "<title>Error:" in staff.page.text
    assert "3 cells are at fault" in shown
    assert "Row 2, Fecha nacimiento: “12/3/88”: which century?" in shown
    for target in ("row-2-birth_date", "row-3-name", "row-3-appointment"):
        assert f'href="#{target}"' in staff.page.text
        assert f'id="{target}"' in staff.page.text
    assert 'name="invite"' not in staff.page.text
    press(staff, invite="2", days="7")
    assert count(app) == 0


def test_the_order_of_day_and_month_is_asked_for_and_the_answer_stays(
    app: Flask, staff: Colleague
) -> None:
    shown = upload(staff, "name,birth_date\nAna Ruiz,03/12/1988\n")
    assert "What stands first in “03/12/1988”?" in shown
    assert "03-Dec-1988" in shown
    assert "12-Mar-1988" in shown
    assert " checked" not in staff.page.text
    assert "12-Mar-1988" in press(staff, dates="month-first")
    invited = press(staff, invite="1", days="7")
    assert "1 patient is invited" in invited
    assert "until the answers are sent" in invited  # not only once (decision 30)
    with app.app_context():
        (kept,) = store.awaited(db.session, current_installation().keys, now=act_of(app).now)
        assert kept.invitation is not None
        assert kept.invitation.patient.birth_date == date(1988, 3, 12)


def test_doubles_are_marked_and_not_invited(app: Flask, staff: Colleague) -> None:
    invited(app)
    shown = upload(
        staff,
        "name,birth_date,visit\n"
        "Sample Patient,1988-03-12,V-9\nAna,1988-03-12,V-1\nANA,1988-03-12,v-1\n",
    )
    assert "2 rows are not invited" in shown
    assert "This patient is already invited to this visit" in shown
    assert "Same patient and visit as row 3" in shown
    press(staff, invite="1", days="7")
    assert count(app) == 2


def test_what_changed_since_the_page_was_shown_is_looked_at_again(
    app: Flask, staff: Colleague
) -> None:
    upload(staff, "name,birth_date,visit\nSample Patient,1988-03-12,V-9\nAna,1988-03-12,V-1\n")
    invited(app)
    assert "Something has changed since you looked" in press(staff, invite="2", days="7")
    assert count(app) == 1
    assert "Enter a number of days from 1 to 90" in press(staff, invite="1", days="100")
    assert count(app) == 1
    press(staff, invite="1", days="7\u200b")
    assert count(app) == 2


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "Choose the file with the list"),
        (b"x" * (2 * 1024 * 1024 + 1), "This file is too large"),
        (b"x" * (4 * 1024 * 1024), "This file is too large"),
        (TRIALS["twice"], "These columns are for the same: “name”, “name”. Keep one of them."),
        (b"PK\x03\x04", "This workbook cannot be read"),
    ],
    ids=["empty", "large", "very large", "heading twice", "no workbook"],
)
def test_a_file_that_cannot_be_used_says_what_to_do(
    app: Flask, staff: Colleague, content: bytes, words: str
) -> None:
    assert words in upload(staff, content)
    assert "<title>Error:" in staff.page.text
    assert count(app) == 0


def test_what_fails_in_the_middle_is_told_and_can_go_on(
    sqlite_app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    staff = Colleague(sqlite_app, "reception", "staff")
    monkeypatch.setattr("screening.features.invitations.service.PART", 1)
    upload(staff, LIST)
    full = (
        "WHEN (SELECT count(*) FROM invitations) > 0 BEGIN SELECT RAISE(ABORT, 'no more room'); END"
    )
    with sqlite_app.app_context(), write(db.session):
        db.session.execute(text(f"CREATE TRIGGER full BEFORE INSERT ON invitations {full}"))
    assert "Not all could be invited" in press(staff, invite="2", days="7")
    assert count(sqlite_app) == 1
    with sqlite_app.app_context(), write(db.session):
        db.session.execute(text("DROP TRIGGER full"))
    assert "2 patients are invited" in press(staff, invite="2", days="7")
    assert count(sqlite_app) == 2


def test_progress_is_shown_for_many(app: Flask, staff: Colleague) -> None:
    rows = "".join(f"Patient {number};1988-03-12;V-{number}\n" for number in range(250))
    upload(staff, f"name;birth_date;visit\n{rows}")
    shown = press(staff, invite="250", days="7")
    for done in (100, 200, 250):
        assert f"{done} of 250" in shown


# ----------------------------------------------------------------------------------------
# command


def command(
    app: Flask, folder: Path, content: str | bytes, *more: str, code: int = 0, answer: str = ""
) -> str:
    """What `flask invite --list` says."""
    file = folder / "list.csv"
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    result = app.test_cli_runner().invoke(args=["invite", "--list", str(file), *more], input=answer)
    assert result.exit_code == code, result.output
    return result.output


@pytest.mark.parametrize(
    ("trial", "born", "names"),
    [
        ("semi", "12-Mar-1988", "Ana Ruiz"),
        ("cp1252", "12-Mar-1988", "André Müller"),
        ("heads", "12-Mar-1988", "Ana Ruiz"),
        ("trail", "12-Mar-1988", "Ana Ruiz"),
    ],
)
def test_lists_that_people_really_have(
    app: Flask, tmp_path: Path, trial: str, born: str, names: str
) -> None:
    said = command(app, tmp_path, TRIALS[trial], "--yes")
    assert f"row 2: {names} | {born}" in said
    assert "1 invited" in said
    assert count(app) == 1


def test_a_double_gets_no_second_link(app: Flask, tmp_path: Path) -> None:
    assert (
        "row 3: Ana Ruiz | 12-Mar-1988 | V-1 [not invited: Same patient and visit as row 2]"
        in command(app, tmp_path, TRIALS["dup"], "--yes")
    )
    assert count(app) == 1
    assert "0 invited" in command(app, tmp_path, TRIALS["dup"], "--yes")
    assert count(app) == 1


def test_a_heading_that_stands_twice_is_refused_by_name(app: Flask, tmp_path: Path) -> None:
    said = command(app, tmp_path, TRIALS["twice"], "--yes", code=1)
    assert (
        f"{tmp_path}/list.csv: These columns are for the same: “name”, “name”. Keep one of them."
        in said
    )
    assert count(app) == 0


def test_days_that_can_be_read_in_two_ways_need_an_option(app: Flask, tmp_path: Path) -> None:
    said = command(app, tmp_path, TRIALS["dmy"], "--yes", code=1)
    assert "row 4, birth_date: “12/3/88”: which century?" in said
    assert (
        "is the day or the month first in 03/12/1988? Run this again with --dates day-first" in said
    )
    right = str(TRIALS["dmy"]).replace("12/3/88", "1990-01-02")
    assert "Bo Li | 03-Dec-1988" in command(
        app, tmp_path, right, "--dry-run", "--dates", "day-first"
    )
    assert "Bo Li | 12-Mar-1988" in command(
        app, tmp_path, right, "--dry-run", "--dates", "month-first"
    )
    assert count(app) == 0


def test_the_command_asks_before_it_invites(app: Flask, tmp_path: Path) -> None:
    assert "Invite 2 patients? [y/N]" in command(app, tmp_path, LIST, answer="n\n", code=1)
    assert count(app) == 0
    command(app, tmp_path, LIST, answer="y\n")
    assert count(app) == 2


@pytest.mark.parametrize("locale", ["C", "latin-1"])
def test_links_are_utf8_under_any_locale_and_marked_in_a_file(
    sqlite_app: Flask, tmp_path: Path, locale: str
) -> None:
    file = tmp_path / "list.csv"
    links = tmp_path / "links.csv"
    file.write_text("name;birth_date\n王 André;1988-03-12\n", encoding="utf-8")
    env = {
        "SCREENING_INSTANCE": sqlite_app.instance_path,
        "LC_ALL": "C",
        "PYTHONUTF8": "0",
        "PYTHONCOERCECLOCALE": "0",
    }
    env |= {"PYTHONIOENCODING": "latin-1"} if locale == "latin-1" else {}
    command = [
        sys.executable,
        "-m",
        "flask",
        "--app",
        "wsgi",
        "invite",
        "--yes",
        "--list",
        str(file),
    ]
    with links.open("wb") as out:
        subprocess.run(command, check=True, env=env, stdout=out)
    content = links.read_bytes()
    assert content.startswith(b'\xef\xbb\xbf"name","visit","link"\r\n')
    assert "王 André" in content.decode()


def test_a_link_with_a_slash_at_its_end_works(app: Flask) -> None:
    _made, path = invited(app)
    assert opened(app, f"{path}/").path == "/about-you"
