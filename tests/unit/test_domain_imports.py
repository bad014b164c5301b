"""The domain imports the standard library and itself, whatever is installed."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

FILES = sorted(Path("screening/domain").glob("*.py"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_the_domain_needs_nothing_installed(file: Path) -> None:
    modules = []
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            modules += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            modules.append(node.module or "")
    for module in modules:
        assert (
            module.startswith("screening.domain")
            or module.partition(".")[0] in sys.stdlib_module_names
        ), module


# below pages, commands and the work of the server: these are handed what they need
HANDED = ("services", "storage", "printing", "reports", "rulebooks", "operating")
EDGE = {Path("screening/operating/readiness.py")}  # which starts an application


@pytest.mark.parametrize(
    "file",
    sorted(
        {file for room in HANDED for file in Path("screening", room).rglob("*.py")}
        | set(Path("screening/features").glob("*/service.py"))
        | set(Path("screening/features").glob("*/store.py"))
    ),
    ids=str,
)
def test_no_service_looks_for_the_installation(file: Path) -> None:
    assert file in EDGE or "current_installation" not in file.read_text(encoding="utf-8")
