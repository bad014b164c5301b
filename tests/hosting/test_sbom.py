"""The list of what is shipped: complete, valid and the same for the same requirements."""

from __future__ import annotations

import json
import re
import subprocess

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from tests.browser.server import ROOT

PINNED = re.compile(r"^([\w.-]+)(?:\[.*\])?==([^ ;\\]+)", re.MULTILINE)


def made() -> bytes:
    """Return what `make sbom` writes."""
    # The virtual environment counts as up to date: no test installs anything.
    command = ["make", "--silent", "--old-file", ".venv/dev-installed", "sbom"]
    subprocess.run(command, cwd=ROOT, check=True)
    return (ROOT / "build" / "screening.cdx.json").read_bytes()


@pytest.mark.audit
def test_it_names_every_package_with_its_hashes_and_nothing_that_changes_by_itself() -> None:
    written = made()
    assert made() == written
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(written.decode()) is None
    assert str(ROOT).encode() not in written
    sbom = json.loads(written)
    assert "serialNumber" not in sbom
    assert "timestamp" not in sbom["metadata"]
    assert sbom["metadata"]["component"]["name"] == "screening"
    pinned = dict(PINNED.findall((ROOT / "requirements.txt").read_text()))
    assert len(pinned) > 40
    assert {part["name"]: part["version"] for part in sbom["components"]} == pinned
    for part in sbom["components"]:
        assert part["purl"].startswith("pkg:pypi/")
        assert all(reference["hashes"] for reference in part["externalReferences"])
