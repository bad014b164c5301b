"""A drill that is killed half way costs the live data nothing, and the next one clears up."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.faults.serving import Clinic

PATIENCE = 60  # seconds


@pytest.mark.audit
def test_a_killed_drill_leaves_nothing_that_the_next_does_not_delete(tmp_path: Path) -> None:
    clinic = Clinic(instance=tmp_path / "instance", database_url="")
    clinic.flask("init")
    (tmp_path / "backups").mkdir()
    clinic.flask("backup", str(tmp_path / "backups" / "first"))
    before = clinic.rows("SELECT number, mac FROM audit")
    folder = clinic.instance / "drill"
    with clinic.command("drill", str(tmp_path / "backups")) as process:
        until = time.monotonic() + PATIENCE
        while not (folder / "drill.db").exists():
            assert process.poll() is None, process.communicate()[0]
            assert time.monotonic() < until
        process.kill()
        process.wait()
    assert list(folder.iterdir())
    assert clinic.rows("SELECT number, mac FROM audit") == before
    assert "can be restored" in clinic.flask("drill", str(tmp_path / "backups"))
    assert not folder.exists()
