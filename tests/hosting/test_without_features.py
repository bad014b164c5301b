"""The core works without each feature: a copy without the feature's folders passes its tests."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
FEATURES = sorted(path.name for path in (ROOT / "screening" / "features").glob("[a-z]*/"))
COPIED = ("screening", "templates", "static", "tests", "docs", "README.md", "pyproject.toml")
COPIED += ("wsgi.py", "worker.py", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "LICENSE")


def copy_without(features: list[str], target: Path) -> None:
    """Copy the project without the folders of these features."""
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, target / name)
        else:
            shutil.copy(ROOT / name, target / name)
    (target / ".venv").symlink_to(ROOT / ".venv")  # with the validators that tests use
    for feature in features:
        shutil.rmtree(target / "screening" / "features" / feature)
        for tests in (target / "tests").glob(f"*/{feature}"):
            shutil.rmtree(tests)


def core_tests(target: Path) -> list[str]:
    """Return the unit tests and the integration tests that need no feature, even indirectly."""
    files = sorted((target / "tests" / "integration").glob("*.py"))
    needing = {file.stem for file in files if "screening.features" in file.read_text()}
    needing |= {file.stem for file in files if names_a_feature(file)}
    while True:
        importing = re.compile(rf"tests\.integration\.({'|'.join(sorted(needing))})\b")
        more = {file.stem for file in files if importing.search(file.read_text())} - needing
        if not more:
            break
        needing |= more
    kept = [
        str(file) for file in files if file.name.startswith("test_") and file.stem not in needing
    ]
    return [str(target / "tests" / "unit"), *kept]


def names_a_feature(file: Path) -> bool:
    """Return whether a file imports what stands with the tests of a feature."""
    return bool(re.search(rf"tests\.\w+\.({'|'.join(FEATURES)})\b", file.read_text()))


@pytest.mark.audit
@pytest.mark.parametrize("removed", [*([name] for name in FEATURES), FEATURES], ids="+".join)
def test_the_core_works_without(removed: list[str], tmp_path: Path) -> None:
    target = tmp_path / "copy"
    target.mkdir()
    copy_without(removed, target)
    environment = os.environ | {"SCREENING_INSTANCE": str(tmp_path / "instance")}

    def run(*words: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", *words],
            cwd=target,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
        return done.stdout

    run("flask", "init")
    run("flask", "verify")
    assert not any(f"features/{name}" in run("flask", "--help") for name in removed)
    tests = core_tests(target)
    # At least a third of the integration files: with fewer, the features have grown into the core.
    assert len(tests) > 20
    selection = (
        tests
        if removed == FEATURES
        else [str(target / "tests" / "integration" / "test_patient_way.py")]
    )
    told = run(
        "pytest", "-q", "-p", "no:cacheprovider", "-m", "not audit and not postgresql", *selection
    )
    assert re.search(r"\d+ passed", told)
