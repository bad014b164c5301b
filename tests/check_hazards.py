"""Check the hazard log: each hazard is complete, and each control exists and is not skipped.

A control is a test (`tests/FILE.py::NAME`) or a setting (`setting: NAME`). Test files are parsed,
not imported. The exit code is 1 where there is a fault; each is printed with line and remedy.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent
LOG = Path("docs/safety/hazard-log.md")
SETTINGS = Path("screening/settings.py")
FIELDS = (
    *("Hazard", "Cause", "Effect", "Harm"),
    *("Severity", "Likelihood", "Risk"),
    *("Controls", "Remains"),
)

HEADING = re.compile(r"### (H\d\d)")
FIELD = re.compile(r"- \*\*([^*]+):\*\* ?(.*)")
CONTROL = re.compile(r"  - ")
TEST = re.compile(r"`(tests/[^`:]+\.py)::([^`]+)`(,? \(?in `make audit`\)?)?")
SETTING = re.compile(r"`setting: ([^`]+)`")
DOCUMENT = re.compile(r"\]\([^)]+\)")
SKIPS = {"skip", "skipif", "xfail", "importorskip", "skipIf", "skipUnless", "skipTest", "SkipTest"}


@dataclass
class Hazard:
    """One section of the log: each field with its text, and the controls with their lines."""

    id: str
    line: int
    fields: dict[str, str] = field(default_factory=dict)
    controls: list[tuple[int, str]] = field(default_factory=list)

    def grades(self) -> tuple[str, str, str]:
        """Return the severity and the likelihood before and after controls."""
        before, _, after = self.fields["Likelihood"].partition(" before controls, ")
        return self.fields["Severity"], before, after.removesuffix(" after")


def hazards(text: str) -> list[Hazard]:
    """Return the hazards of a log in its order."""
    found: list[Hazard] = []
    name = ""
    for number, line in enumerate(text.splitlines(), start=1):
        if heading := HEADING.fullmatch(line):
            found.append(Hazard(id=heading[1], line=number))
            name = ""
        elif not found or line.startswith("#"):
            name = ""
        elif start := FIELD.fullmatch(line):
            name = start[1]
            found[-1].fields[name] = start[2]
        elif name == "Controls" and CONTROL.match(line):
            found[-1].controls.append((number, line.removeprefix("  - ")))
        elif name == "Controls" and line.strip() and found[-1].controls:
            first, words = found[-1].controls[-1]
            found[-1].controls[-1] = (first, f"{words} {line.strip()}")
        elif name and line.strip():
            found[-1].fields[name] = f"{found[-1].fields[name]} {line.strip()}".strip()
    return found


def matrix(text: str) -> dict[tuple[str, str], str]:
    """Return the risk of each severity and likelihood, from the matrix in the log."""
    risks: dict[tuple[str, str], str] = {}
    severities: list[str] = []
    for line in text.splitlines():
        first, *cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not cells:
            severities = []
        elif first == "likelihood":
            severities = cells
        risks |= {(severity, first): cell for severity, cell in zip(severities, cells, strict=False)}
    return risks


def row(hazard: Hazard, risks: dict[tuple[str, str], str]) -> str:
    """Return the row of a hazard in the table at the top of the log."""
    severity, before, after = hazard.grades()
    cells = hazard.fields["Hazard"], severity, risks[severity, before], risks[severity, after]
    return f"| [{hazard.id}](#{hazard.id.lower()}) | {' | '.join(cells)} |"


@cache
def parsed(file: Path) -> ast.Module | None:
    """Return the parsed file, or None if there is none."""
    return ast.parse(file.read_text(encoding="utf-8")) if file.is_file() else None


def names(nodes: list[ast.stmt]) -> set[str]:
    """Return each name and attribute that stands in the statements."""
    walked = [node for statement in nodes for node in ast.walk(statement)]
    return (
        {node.id for node in walked if isinstance(node, ast.Name)}
        | {node.attr for node in walked if isinstance(node, ast.Attribute)}
        | {node.name for node in walked if isinstance(node, ast.alias)}
    )


def is_test(node: ast.stmt) -> bool:
    """Return whether pytest collects the statement, or what is in it, as a test."""
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            return name.startswith("test")
        case ast.ClassDef(name=name):
            return name.startswith("Test")
    return False


def is_audit(node: ast.stmt) -> bool:
    """Return whether the statement marks what it belongs to as `audit`.

    A test is also so marked if each of its parameters is.
    """
    match node:
        case ast.Assign(targets=[ast.Name(id="pytestmark")]):
            return "audit" in names([node])
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            for mark in node.decorator_list:
                match mark:
                    case ast.Attribute(attr="audit"):
                        return True
                    case ast.Call(args=[_, ast.List(elts=cases)]) if all(
                        "pytest.mark.audit" in ast.unparse(case) for case in cases
                    ):
                        return True
    return False


def faults_of_test(root: Path, file: str, path: str, *, in_audit: bool) -> Iterator[str]:
    """Yield what is wrong with the test that a control names."""
    module = parsed(root / file)
    if module is None or not Path(file).name.startswith("test_"):
        yield f"there is no file of tests {file}; name the file in which the test is now"
        return
    # What stands beside the test at each level: a skip there, as in a fixture, may concern it.
    body = module.body
    beside = [*body]
    chain: list[ast.stmt] = []
    for name in path.split("::"):
        node = next((node for node in body if is_test(node) and node.name == name), None)  # type: ignore[attr-defined]
        if node is None:
            yield f"{file} has no test {path}; name a test that proves the control"
            return
        chain.append(node)
        beside = [other for other in beside if other is not node]
        body = node.body if isinstance(node, ast.ClassDef) else []
        beside += body
    if body:
        yield f"{file}::{path} is a class; name one of its tests"
        return
    folders = (root / file).relative_to(root).parents
    fixtures = [parsed(root / folder / "conftest.py") for folder in folders]
    concerned = [node for node in beside if not is_test(node)] + [chain[-1]]
    concerned += [node for module in fixtures if module for node in module.body]
    marks = [mark for node in chain[:-1] for mark in getattr(node, "decorator_list", [])]
    if skips := SKIPS & names([*concerned, *map(ast.Expr, marks)]):
        yield (
            f"{file}::{path} can be skipped or may fail ({', '.join(sorted(skips))}, in the test, "
            "its file or a conftest.py); take that away or name another test"
        )
    audit = any(map(is_audit, [*chain, *concerned]))
    if audit and not in_audit:
        yield f"{file}::{path} runs in `make audit` alone; write (in `make audit`) after it"
    if in_audit and not audit:
        yield f"{file}::{path} runs in `make test`; take (in `make audit`) away"


def settings(root: Path) -> set[str]:
    """Return the names of all settings."""
    module = parsed(root / SETTINGS)
    classes = [node for node in module.body if isinstance(node, ast.ClassDef)] if module else []
    return {
        node.target.id
        for node in (node for a_class in classes for node in a_class.body)
        if isinstance(node, ast.AnnAssign)
        and isinstance(node.target, ast.Name)
        and isinstance(node.value, ast.Call)
        and ast.unparse(node.value.func) == "setting"
    }


def faults_of_hazard(
    hazard: Hazard, risks: dict[tuple[str, str], str], root: Path
) -> Iterator[tuple[int, str]]:
    """Yield what is wrong with one hazard, each with its line."""
    written = dict(hazard.fields, Controls="-" if hazard.controls else "")
    for name in FIELDS:
        if not written.get(name):
            yield hazard.line, f"{hazard.id} has no {name}; write - **{name}:** and its text"
    for name in set(written) - set(FIELDS):
        yield hazard.line, f"{hazard.id} has a field {name}; there are {', '.join(FIELDS)}"
    if {"Severity", "Likelihood", "Risk"} <= set(hazard.fields):
        severity, before, after = hazard.grades()
        right = [risks.get((severity, likelihood)) for likelihood in (before, after)]
        if None in right:
            yield (
                hazard.line,
                f"{hazard.id}: {severity!r}, {before!r} or {after!r} is not in the matrix; write "
                "Likelihood as: high before controls, low after",
            )
        elif hazard.fields["Risk"] != f"{right[0]} before controls, {right[1]} after":
            yield (
                hazard.line,
                f"{hazard.id}: by the matrix Risk is: {right[0]} before controls, {right[1]} after",
            )
    proved = False
    for line, words in hazard.controls:
        tests, named = TEST.findall(words), SETTING.findall(words)
        proved = proved or bool(tests or named)
        if not (tests or named or DOCUMENT.search(words)):
            yield line, "this control names no test, setting or document; name what proves it"
        for file, path, in_audit in tests:
            for fault in faults_of_test(root, file, path, in_audit=bool(in_audit)):
                yield line, fault
        for name in named:
            if name not in settings(root):
                yield line, f"there is no setting {name}; `flask settings` lists them"
    if hazard.controls and not proved:
        yield hazard.line, f"{hazard.id} has documents alone as controls; name a test or a setting"


def faults(root: Path) -> list[str]:
    """Return every fault of the hazard log of a project, with file, line and remedy."""
    text = (root / LOG).read_text(encoding="utf-8")
    lines = text.splitlines()
    risks = matrix(text)
    found: list[tuple[int, str]] = []
    for number, hazard in enumerate(hazards(text), start=1):
        if hazard.id != f"H{number:02}":
            found.append((hazard.line, f"H{number:02} is to stand here, not {hazard.id}"))
        of_hazard = list(faults_of_hazard(hazard, risks, root))
        found += of_hazard
        if not of_hazard and row(hazard, risks) not in lines:
            found.append((hazard.line, f"the table at the top lacks the row: {row(hazard, risks)}"))
    known = {hazard.id for hazard in hazards(text)}
    for number, line in enumerate(lines, start=1):
        if (named := re.match(r"\| \[(H\d\d)\]", line)) and named[1] not in known:
            found.append((number, f"there is no section {named[1]}; take the row away"))
    if not known:
        found.append((1, "there is no hazard; write each below a heading such as: ### H01"))
    return [f"{LOG}:{line}: {fault}" for line, fault in sorted(found)]


if __name__ == "__main__":
    found = faults(ROOT)
    print(*found, sep="\n", end="\n" if found else "")
    sys.exit(1 if found else 0)
