"""The `flask` commands on real files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from pypdf import PdfReader
from sqlalchemy import select

from screening.domain.entries import Status
from screening.extensions import db
from screening.installation import current_installation
from screening.rulebooks.load import load
from screening.settings import Settings
from screening.storage.tables import AuditRow, ScreeningRow
from tests.builders import all_no, book
from tests.integration.visitor import Visitor
from tests.storing import book_in_force, put_in_force

CASE: dict[str, Any] = {
    "patient": {"name": "Sample Patient", "birth_date": "1988-03-12", "visit": "V-1"},
    "language": "en",
    "answers": all_no(
        pregnancy_planned="yes", infection="yes", infection_symptoms=["fever"], iud="private"
    ),
}


@pytest.fixture
def bare_app(tmp_path: Path, start: Callable[[Settings], Flask]) -> Flask:
    """An application whose instance folder does not even exist."""
    return start(Settings(instance=tmp_path / "nowhere"))


def run(app: Flask, *args: str) -> tuple[int, str, str]:
    result = app.test_cli_runner().invoke(args=args)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


def case_file(tmp_path: Path, content: object) -> str:
    path = tmp_path / "case.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return str(path)


def test_screen_prints_the_assessment_as_json_without_a_database(
    bare_app: Flask, tmp_path: Path
) -> None:
    code, out, _ = run(bare_app, "screen", case_file(tmp_path, CASE), "--json")
    assert code == 0
    printed = json.loads(out)
    assert printed["outcome"] == "contraindication"
    assert [
        (finding["rule"], finding["severity"], finding["cites"]) for finding in printed["findings"]
    ] == [
        ("infection", "contraindication", ["F5", "F17"]),
        ("clarify-iud", "clarify", ["F11"]),
        ("pregnancy_planned", "caution", ["F10"]),
    ]
    assert set(printed["findings"][0]) == {"rule", "severity", "title", "reason", "cites"}
    edition = book().edition
    expected = {
        "id": "azathioprine",
        "version": edition.version,
        "digest": edition.digest,
        "approved_by": [],
    }
    assert printed["edition"] == expected
    assert not (tmp_path / "nowhere").exists()


def test_a_case_file_may_begin_with_the_mark_of_utf8(bare_app: Flask, tmp_path: Path) -> None:
    file = tmp_path / "marked.json"
    file.write_bytes(b"\xef\xbb\xbf" + Path(case_file(tmp_path, CASE)).read_bytes())
    assert run(bare_app, "screen", str(file), "--json")[0] == 0


def test_screen_says_what_it_found_and_writes_the_pdf(bare_app: Flask, tmp_path: Path) -> None:
    pdf = tmp_path / "summary.pdf"
    code, out, _ = run(bare_app, "screen", case_file(tmp_path, CASE), "--pdf", str(pdf))
    assert code == 0
    assert "Outcome: contraindication" in out
    assert "mpt-imuran, Overview, F5" in out
    assert pdf.stat().st_mode & 0o777 == 0o600
    page = PdfReader(pdf).pages[0].extract_text()
    assert "Contraindication reported" in page
    assert "and not stored" in page


def test_screen_reports_every_fault_at_once(bare_app: Flask, tmp_path: Path) -> None:
    case = {
        "patient": {"name": "", "birth_date": "12.3.1988", "shoe_size": 43},
        "language": "tlh",
        "answers": {
            "pregnancy": "maybe",
            "infection": True,
            "infection_symptoms": "fever",
            "iud_type": "copper",
            "x": 1,
        },
    }
    code, out, err = run(bare_app, "screen", case_file(tmp_path, case), "--json")
    assert (code, out) == (1, "")
    for place in (
        "patient.name",
        "patient.birth_date",
        "patient.shoe_size",
        "language",
        "answers.pregnancy",
        "answers.infection",
        "answers.infection_symptoms",
        "answers.iud_type",
        "answers.x",
    ):
        assert sum(f": {place}: " in line for line in err.splitlines()) == 1, place


@pytest.mark.parametrize(
    "content",
    ["{", "[]", '"text"', "\x00", "[" * 200_000, '{"answers": {"iud": "yes", "iud": "no"}}'],
)
def test_screen_refuses_what_is_not_a_case(bare_app: Flask, tmp_path: Path, content: str) -> None:
    code, _, err = run(bare_app, "screen", case_file(tmp_path, content))
    assert code == 1
    assert "case.json" in err


def test_screen_without_its_file_is_wrong_usage(bare_app: Flask) -> None:
    assert run(bare_app, "screen", "missing.json")[0] == 2


def test_summary_hands_over_a_stored_screening(
    app: Flask, visitor: Visitor, tmp_path: Path
) -> None:
    visitor.fill_in({"infection": {"infection": "yes", "infection_since": "last Monday"}})
    reference = visitor.send()
    pdf = tmp_path / "summary.pdf"
    typed = reference.replace("-", "").lower().replace("0", "o")
    code, out, _ = run(app, "summary", typed, "--pdf", str(pdf))
    assert code == 0
    assert reference in out
    assert "Contraindication reported" in out
    text = PdfReader(pdf).pages[0].extract_text()
    for words in (
        reference,
        "Sample Patient",
        "12-Mar-1988",
        "V-1",
        "last Monday",
        out.split("check code ")[1][:14],
    ):
        assert words in text


def test_a_summary_printed_by_command_does_not_count_as_opened(
    sqlite_app: Flask,
) -> None:
    visitor = Visitor(sqlite_app)
    visitor.fill_in()
    reference = visitor.send()
    run(sqlite_app, "summary", reference)
    with sqlite_app.app_context():
        row = db.session.scalars(select(ScreeningRow)).one()
        assert row.status == Status.NEW
        assert "printed" in db.session.scalars(select(AuditRow.action)).all()


def test_summary_of_an_unknown_reference_says_so(sqlite_app: Flask) -> None:
    code, _, err = run(sqlite_app, "summary", "AAAA-AAAA")
    assert code == 1
    assert "There is no screening AAAA-AAAA" in err


def test_summary_on_an_unprepared_machine_says_what_to_run(bare_app: Flask) -> None:
    code, _, err = run(bare_app, "summary", "AAAA-AAAA")
    assert code == 1
    assert "flask init" in err


def test_an_old_screening_is_shown_by_the_rules_it_was_made_under(sqlite_app: Flask) -> None:
    visitor = Visitor(sqlite_app)
    visitor.fill_in({"iud": {"iud": "yes", "iud_type": "copper"}})
    reference = visitor.send()
    put_in_force(
        sqlite_app, book().edition.content.replace('"topic":"IUD use"', '"topic":"Another topic"')
    )
    assert "Another topic" in [item.topic for item in book_in_force(sqlite_app).asked()]
    _, out, _ = run(sqlite_app, "summary", reference)
    assert "Consider: IUD use." in out


def test_init_can_be_run_again(app: Flask) -> None:
    keys = current_installation(app).key_file.read_text()
    code, out, _ = run(app, "init")
    assert code == 0
    assert "Ready" in out
    assert current_installation(app).key_file.read_text() == keys


def test_settings_prints_where_each_value_came_from_and_hides_secrets(
    bare_app: Flask, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "i").mkdir()
    (tmp_path / "i" / "settings.toml").write_text('clinic_name = "Rowan Street"\n')
    monkeypatch.setenv("SCREENING_INSTANCE", str(tmp_path / "i"))
    monkeypatch.setenv("SCREENING_DATABASE_URL", "postgresql://someone:hushhush@127.0.0.1/x")
    code, out, _ = run(bare_app, "settings")
    assert code == 0
    assert "clinic_name = Rowan Street  [file]" in out
    assert "database_url = (hidden)  [environment]" in out
    assert "paper = A4  [default]" in out
    assert "hushhush" not in out


def test_rulebook_check_names_edition_and_digest(bare_app: Flask) -> None:
    code, out, _ = run(bare_app, "rulebook", "check")
    assert code == 0
    assert load()["en"].edition.digest in out
    assert "es: draft" in out


@pytest.mark.parametrize(
    ("language", "words"), [("en", "Are you pregnant?"), ("es", "¿Está embarazada?")]
)
def test_rulebook_show_is_readable(bare_app: Flask, language: str, words: str) -> None:
    code, out, _ = run(bare_app, "rulebook", "show", "--language", language)
    assert code == 0
    for expected in (words, "L04AX01", "mpt-imuran, Overview, F3", "when pregnancy is yes"):
        assert expected in out
    assert run(bare_app, "rulebook", "show", "--language", "xx")[0] == 1


def test_rulebook_table_has_every_combination_once(bare_app: Flask) -> None:
    code, out, _ = run(bare_app, "rulebook", "table", "--all")
    assert code == 0
    heading, *rows = out.splitlines()
    assert heading.split("\t") == [
        "pregnancy", "pregnancy_planned", "breastfeeding", "infection", "hypersensitivity", "iud",
        "vaccines", "outcome", "findings",
    ]  # fmt: skip
    assert len(rows) == len(set(rows)) == (3 + 4) * 4**5
    assert "no\tno\tno\tno\tno\tno\tno\tnone\t" in rows
    assert sum("\tnone\t" in row for row in rows) == 1


def test_a_letter_clinic_gets_letter_paper(make_app: Callable[..., Flask], tmp_path: Path) -> None:
    app = make_app(paper="Letter", clinic_language="es", clinic_timezone="America/New_York")
    visitor = Visitor(app)
    visitor.fill_in()
    pdf = tmp_path / "summary.pdf"
    assert run(app, "summary", visitor.send(), "--pdf", str(pdf))[0] == 0
    page = PdfReader(pdf).pages[0]
    assert (round(page.mediabox.width), round(page.mediabox.height)) == (612, 792)
    text = page.extract_text()
    assert "Ningún hallazgo" in text
    assert "Are you pregnant?" in text, "the wording that the patient saw"
