"""The verdict of systemd on our units, and the commands that they start."""

from __future__ import annotations

import os
import re
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import click
import pytest

from screening.cli import LazyCommands
from tests.browser.server import ROOT, environment
from tests.hosting.served import unit_environment
from tests.hosting.units import DEPLOY, Unit, systemd_analyze

EXPOSURE = 2.0  # of 10; systemd calls 2.0 and less OK
SERVICES = (
    "screening.service",
    "screening-backup.service",
    "screening-drill.service",
    "screening-verify.service",
)
OLD = 15 * 24 * 3600


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_hardly_exposed(name: str) -> None:
    judged = systemd_analyze(
        "security", "--offline=true", f"--threshold={int(EXPOSURE * 10)}", str(DEPLOY / name)
    )
    assert judged.returncode == 0, judged.stdout


def test_systemd_understands_every_line(tmp_path: Path) -> None:
    """Test with other paths of programs only, and with the settings of a second machine."""
    shutil.copytree(DEPLOY / "two-machines", tmp_path / "units")
    for file in DEPLOY.glob("screening*.*"):
        text = file.read_text(encoding="utf-8").replace(
            "/opt/screening/.venv/bin/python", sys.executable
        )
        (tmp_path / "units" / file.name).write_text(text, encoding="utf-8")
    units = [str(file) for file in (tmp_path / "units").iterdir() if file.is_file()]
    judged = systemd_analyze("verify", "--man=no", *units)
    assert len(units) == 8
    assert [
        line for line in judged.stderr.splitlines() if "screening" in line or "tunnel" in line
    ] == []


@pytest.mark.audit
def test_the_daily_backup_keeps_two_weeks(tmp_path: Path) -> None:
    unit = Unit.read("screening-backup.service")
    environ = environment(tmp_path / "instance") | unit_environment(unit, tmp_path)
    run_as_root(tmp_path, "init")
    folder = tmp_path / "backups"
    folder.mkdir()
    for name in ("old.backup", "young.backup", "other"):
        (folder / name).touch()
    for name in ("old.backup", "other"):
        os.utime(folder / name, (time.time() - OLD,) * 2)
    places = ("/var/lib/screening-backups", str(folder))
    commands = [unit.command("ExecStart", places, (".venv/bin/python", sys.executable))]
    commands.append(unit.command("ExecStartPost", places))
    for command in commands:
        subprocess.run(command, cwd=ROOT, env=environ, check=True)
    files = sorted(file.name for file in folder.iterdir())
    assert len(files) == 3
    assert files[1:] == ["other", "young.backup"]
    assert (folder / files[0]).stat().st_mode & 0o777 == 0o600


@pytest.mark.audit
def test_the_nightly_verification_notes_the_end_of_the_log_or_fails(tmp_path: Path) -> None:
    unit = Unit.read("screening-verify.service")
    environ = environment(tmp_path / "instance") | unit_environment(unit, tmp_path)
    run_as_root(tmp_path, "init")
    command = unit.command("ExecStart", ("/opt/screening/.venv/bin/python", sys.executable))
    said = subprocess.run(
        command, cwd=ROOT, env=environ, check=True, capture_output=True, text=True
    )
    assert "The end of the audit log: 0:" in said.stdout
    with closing(sqlite3.connect(tmp_path / "instance" / "screening.db")) as database:
        database.execute("DELETE FROM in_force")
        database.commit()
    failed = subprocess.run(command, cwd=ROOT, env=environ, check=False, capture_output=True)
    assert failed.returncode == 1


def test_the_page_for_the_clinic_names_only_commands_that_there_are() -> None:
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    named = set(re.findall(r"(?:^|&& |`|SCREENING_\S+ )screening ([a-z][a-z-]+)", page, re.M))
    assert {"init", "restore", "move-database", "doctor", "db"} <= named
    assert named - {"db"} <= set(LazyCommands().list_commands(click.Context(LazyCommands())))


def test_what_the_service_cannot_read_is_named_with_the_remedy() -> None:
    text = (DEPLOY / "screening").read_text(encoding="utf-8")
    text = text.replace("runuser -u screening", "runuser -u nobody" if os.geteuid() == 0 else "env")
    with TemporaryDirectory() as installed:
        Path(installed).chmod(0o311)  # its owner cannot read it either
        text = text.replace("/opt/screening", installed)
        done = subprocess.run(
            ["/bin/sh", "-c", text, "screening", "init"],
            capture_output=True,
            text=True,
            check=False,
        )
        Path(installed).chmod(0o700)
    assert done.returncode == 1
    assert (
        done.stderr
        == f"The user screening cannot read {installed}/. Run: chmod -R go+rX {installed}/\n"
    )


@pytest.mark.parametrize("address", ["", "localhost"])
def test_an_address_that_cannot_be_used_is_named_once_with_why(address: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = address or f"127.0.0.1:{taken.getsockname()[1]}"
        make = [
            "make",
            "--no-print-directory",
            "-o",
            "run-packages",
            "-o",
            ".venv/run-installed",
            "run",
            f"ADDRESS={address}",
        ]
        done = subprocess.run(make, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    first, second = done.stdout.splitlines()
    assert first.startswith(f"ADDRESS={address} cannot be used: ")
    assert ("Address already in use" in first) is (address != "localhost")
    assert second.endswith("make run ADDRESS=127.0.0.1:8001")


def run_as_root(folder: Path, *words: str) -> None:
    """Run the command for the clinic's administrator, with other paths and as the tests' user."""
    text = (DEPLOY / "screening").read_text(encoding="utf-8")
    for place, instead in (
        ("/opt/screening", str(ROOT)),
        ("runuser -u screening -- ", ""),
        ("/var/lib/screening", f"{folder}/instance"),
        ("/var/cache/screening", f"{folder}/cache"),
        (".venv/bin/python", sys.executable),
    ):
        assert place in text
        text = text.replace(place, instead)
    subprocess.run(
        ["/bin/sh", "-c", text, "screening", *words], env=environment(folder), check=True
    )
