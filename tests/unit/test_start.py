"""What a new process imports: each process pays for it when it starts, and the server keeps it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.parametrize(
    ("code", "not_wanted"),
    [
        (
            "import wsgi",
            {"alembic", "zxcvbn", "markdown_it", "pyhanko", "weasyprint"} | {"screening.cli.init"},
        ),
        ("import screening.printing.renderer", {"flask", "sqlalchemy", "cryptography"}),
    ],
    ids=["the server", "the process that renders"],
)
def test_a_process_imports_nothing_that_it_does_not_use(
    code: str, not_wanted: set[str], tmp_path: Path
) -> None:
    environment = os.environ | {
        "SCREENING_INSTANCE": str(tmp_path),
        "FLASK_RUN_FROM_CLI": "true",  # does not serve: nothing is prepared here
    }
    code = f"import sys; {code}; print(*sys.modules)"
    printed = subprocess.check_output(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, text=True
    )
    assert set(printed.split()) & not_wanted == set()


def test_the_server_refuses_to_start_in_debug_mode(tmp_path: Path) -> None:
    environment = os.environ | {"SCREENING_INSTANCE": str(tmp_path), "FLASK_DEBUG": "1"}
    started = subprocess.run(
        [sys.executable, "-c", "import wsgi"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert started.returncode == 3  # by which gunicorn knows that it cannot start
    assert "FLASK_DEBUG is set" in started.stderr


def test_the_command_that_empties_the_outbox_serves_nothing(tmp_path: Path) -> None:
    code = "import wsgi; print(wsgi.serves)"
    environment = os.environ | {
        "SCREENING_INSTANCE": str(tmp_path),
        "FLASK_RUN_FROM_CLI": "true",
    }
    command = [sys.executable, "-c", code, "outbox", "run", "--once"]
    assert subprocess.check_output(command, cwd=ROOT, env=environment, text=True) == "False\n"


def test_every_command_is_listed_and_init_prints_what_matters_alone(tmp_path: Path) -> None:
    environment = os.environ | {"SCREENING_INSTANCE": str(tmp_path)}

    def flask(*words: str) -> str:
        command = [sys.executable, "-m", "flask", *words]
        return subprocess.check_output(
            command, cwd=ROOT, env=environment, text=True, stderr=subprocess.STDOUT
        )

    listed = {line.split()[0] for line in flask("--help").splitlines() if line.strip()}
    assert {"db", "doctor", "init", "screen", "verify"} <= listed
    assert "INFO" not in flask("init")
