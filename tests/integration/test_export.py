"""What is handed over: CSV that no spreadsheet runs, and FHIR that its own schema accepts."""

from __future__ import annotations

import csv
import errno
import io
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from hypothesis import example, given
from hypothesis import strategies as st

from screening.reports.spreadsheet import harmless
from tests.fhir_validators import fhir_faults
from tests.integration.colleague import Colleague
from tests.integration.test_review import PREGNANT, UNSURE, sent
from tests.integration.test_upkeep import flask


@pytest.fixture
def reference(sqlite_app: Flask) -> str:
    dr = Colleague(sqlite_app)
    pages = {
        **UNSURE,
        "iud": {"iud": "yes", "iud_type": "copper"},
        "vaccines": {"vaccines": "yes", "vaccines_which": "Flu"},
    }
    reference = sent(sqlite_app, pages, name="=1+1", visit="@V")
    dr.clarify(
        reference,
        "infection",
        infection="yes",
        infection_symptoms=["fever", "chills"],
        infection_since="-2 days",
    )
    dr.decide(reference, "do_not_start")
    return reference


def exported(app: Flask, folder: Path, kind: str) -> str:
    flask(app, "export", str(folder / "out"), "--since", "2020-01-01", "--format", kind)
    assert (folder / "out").stat().st_mode & 0o777 == 0o600
    return (folder / "out").read_text(encoding="utf-8-sig" if kind == "csv" else "utf-8")


def test_csv_has_every_answer_and_no_formula(
    sqlite_app: Flask, reference: str, tmp_path: Path
) -> None:
    (row,) = csv.DictReader(exported(sqlite_app, tmp_path, "csv").splitlines())
    assert row["reference"] == reference
    assert row["patient"] == "'=1+1"
    assert row["visit"] == "'@V"
    assert row["infection"] == "yes"
    assert row["infection_symptoms"] == "fever; chills"
    assert row["infection_since"] == "'-2 days"
    assert row["iud_type"] == "copper"
    assert (row["outcome"], row["status"], row["decision"]) == (
        "contraindication",
        "reviewed",
        "do_not_start",
    )
    assert row["findings"].startswith("infection")


HARMFUL = re.compile(r"""(?:^|[,;\t\r\n])[\s"]*[=+\-@＝＋－＠]""")  # wherever a cell can begin
ANY = st.text(st.sampled_from("=+-@＝,;\t\r\n'\" ax1"), max_size=12)


def plain(cell: str) -> str:
    """The words of a cell, as docs/clinic.md says."""
    return re.sub(r"(^|[,;\t\r\n])'", r"\1", cell)


@given(ANY)
@example("Eva;=1+1;x")
@example('Eva;"=1+1')
@example("'x")
@example("Eva\n\n'=1")
@example("Ana, +34 600")
def test_a_cell_is_harmless_and_can_be_read_back(text: str) -> None:
    assert HARMFUL.search(harmless(text)) is None
    assert plain(harmless(text)) == text


def test_usual_words_stay_as_they_are() -> None:
    for text in (
        "Since May; fever, 38 °C\n\nthen chills",
        "O'Neill",
        "Anne-Marie",
        "a@b.example",
        "1 + 1 = 2",
    ):
        assert harmless(text) == text


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_no_separator_makes_a_formula_of_an_export(
    sqlite_app: Flask, tmp_path: Path, separator: str
) -> None:
    sent(sqlite_app, PREGNANT, name="Eva;=1+1;x\t=2", visit='V,"=3')
    flask(sqlite_app, "export", str(tmp_path / "out"), "--since", "2020-01-01")
    content = (tmp_path / "out").read_bytes()
    assert content.startswith(b'\xef\xbb\xbf"reference","sent"')
    text = content.decode("utf-8-sig")
    assert text.count('"') >= 2 * len(next(csv.reader([text.splitlines()[0]])))
    cells = [
        cell
        for line in csv.reader(io.StringIO(text, newline=""), delimiter=separator)
        for cell in line
    ]
    assert not [cell for cell in cells if cell.lstrip(' "').startswith(("=", "+", "-", "@"))]


@pytest.mark.audit
def test_names_come_back_from_an_export_whatever_the_locale(
    sqlite_app: Flask, tmp_path: Path
) -> None:
    sent(sqlite_app, PREGNANT, name="André 王小明; =x")
    env = {
        **os.environ,
        "SCREENING_INSTANCE": sqlite_app.instance_path,
        "PYTHONIOENCODING": "latin-1",
    }
    env |= {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    for locale in ("C", "POSIX"):
        target = tmp_path / locale
        command = [
            sys.executable,
            "-m",
            "flask",
            "--app",
            "wsgi",
            "export",
            str(target),
            "--since",
            "2020-01-01",
        ]
        subprocess.run(
            command,
            check=True,
            env={**env, "LC_ALL": locale, "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        )
        (row,) = csv.DictReader(io.StringIO(target.read_text(encoding="utf-8-sig"), newline=""))
        assert plain(row["patient"]) == "André 王小明; =x"


def test_an_export_that_fails_leaves_nothing(
    sqlite_app: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent(sqlite_app, PREGNANT)
    sent(sqlite_app, PREGNANT)
    calls = []

    def fail_at_the_second(*given: object) -> dict[str, str]:
        calls.append(given)
        if len(calls) > 1:
            raise OSError(errno.ENOSPC, "No space left on device")
        return {}

    monkeypatch.setattr("screening.reports.spreadsheet.row", fail_at_the_second)
    result = flask(sqlite_app, "export", str(tmp_path / "out"), "--since", "2020-01-01", code=1)
    assert "No space left" in result.stderr
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("out")] == []


def test_fhir_is_valid_and_its_parts_belong_together(
    sqlite_app: Flask, reference: str, tmp_path: Path
) -> None:
    (line,) = exported(sqlite_app, tmp_path, "fhir").splitlines()
    bundle = json.loads(line)
    resources = {entry["fullUrl"]: entry["resource"] for entry in bundle["entry"]}
    kinds = [resource["resourceType"] for resource in resources.values()]
    assert kinds.count("DetectedIssue") == 3
    assert len(resources) == len(bundle["entry"])
    by_kind = {resource["resourceType"]: resource for resource in resources.values()}
    response = by_kind["QuestionnaireResponse"]
    questionnaire = by_kind["Questionnaire"]
    assert response["status"] == "amended"
    assert response["questionnaire"].split("|")[0] == questionnaire["url"]
    assert response["encounter"]["identifier"]["value"] == "@V"

    def link_ids(items: list[dict[str, Any]]) -> set[str]:
        inner = [
            nested
            for item in items
            for answer in item.get("answer", [item])
            for nested in answer.get("item", [])
        ]
        return {item["linkId"] for item in items} | (link_ids(inner) if inner else set())

    asked = link_ids(questionnaire["item"])
    answered = link_ids(response["item"])
    assert answered <= asked
    assert {
        "infection",
        "infection_symptoms",
        "infection_since",
        "iud_type",
        "vaccines_which",
    } <= answered

    def references(value: object) -> list[str]:
        if isinstance(value, dict):
            own = [value["reference"]] if "reference" in value else []
            return own + [target for part in value.values() for target in references(part)]
        return (
            [target for part in value for target in references(part)]
            if isinstance(value, list)
            else []
        )

    assert set(references(bundle)) <= set(resources)
    (medication,) = [
        candidate for candidate in resources.values() if candidate["resourceType"] == "Medication"
    ]
    assert {coding["code"] for coding in medication["code"]["coding"]} == {"L04AX01", "1256"}
    assert fhir_faults(bundle) == []


def test_the_schema_would_notice_a_fault(sqlite_app: Flask, reference: str, tmp_path: Path) -> None:
    bundle = json.loads(exported(sqlite_app, tmp_path, "fhir"))
    for entry in bundle["entry"]:
        if entry["resource"]["resourceType"] == "DetectedIssue":
            entry["resource"]["severity"] = "terrible"
    with pytest.raises(AssertionError, match="severity"):
        assert fhir_faults(bundle) == []


def test_the_same_screening_gives_the_same_bundle(
    sqlite_app: Flask, reference: str, tmp_path: Path
) -> None:
    first = exported(sqlite_app, tmp_path, "fhir")
    (tmp_path / "out").unlink()
    assert exported(sqlite_app, tmp_path, "fhir") == first


def test_an_export_is_in_the_audit_log_and_replaces_no_file(
    sqlite_app: Flask, tmp_path: Path
) -> None:
    sent(sqlite_app, PREGNANT)
    exported(sqlite_app, tmp_path, "csv")
    assert "exported,,since 2020-01-01 as csv" in flask(sqlite_app, "audit", "export").stdout
    result = sqlite_app.test_cli_runner().invoke(
        args=["export", str(tmp_path / "out"), "--since", "2020-01-01"]
    )
    assert result.exit_code == 1
    assert "cannot be written: File exists" in result.stderr
    flask(sqlite_app, "export", str(tmp_path / "later"), "--since", "2099-01-01")
    assert len((tmp_path / "later").read_text(encoding="utf-8").splitlines()) == 1
    shutil.rmtree(tmp_path / "instance")
