"""Check the hazard log: each hazard is complete, and each control exists and is not skipped.

A control is a test (`tests/FILE.py::NAME`) or a setting (`setting: NAME`). Test files are parsed,
not imported. The exit code is 1 where there is a fault; each is printed with line and remedy.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterable, Iterator
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
CONTROL = "  - "
TEST = re.compile(r"`(tests/[^`:]+\.py)::([^`]+)`( \(in `make audit`\))?")
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
        elif name == "Controls" and line.startswith(CONTROL):
            found[-1].controls.append((number, line.removeprefix(CONTROL)))
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
        risks |= {
            (severity, first): cell for severity, cell in zip(severities, cells, strict=False)
        }
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


def names(nodes: Iterable[ast.AST]) -> set[str]:
    """Return each name and attribute that stands in the statements."""
    walked = [inner for node in nodes for inner in ast.walk(node)]
    return (
        {node.id for node in walked if isinstance(node, ast.Name)}
        | {node.attr for node in walked if isinstance(node, ast.Attribute)}
        | {node.name for node in walked if isinstance(node, ast.alias)}
    )


def concerning(body: list[ast.stmt], path: str) -> list[ast.stmt]:
    """Return a test and all that stands beside it but other tests; nothing if there is no test.

    Such as a fixture that skips: it may concern the test.
    """
    name, _, inner = path.partition("::")
    around: list[ast.stmt] = []
    found: list[ast.stmt] = []
    for node in body:
        match node:
            case ast.FunctionDef(name=named) if named.startswith("test"):
                if path == named:
                    found = [node]
            case ast.ClassDef(name=named) if named.startswith("Test"):
                if inner and name == named and (found := concerning(node.body, inner)):
                    found += map(ast.Expr, node.decorator_list)
            case _:
                around.append(node)
    return found and [*around, *found]


def is_audit(node: ast.stmt) -> bool:
    """Return whether the statement marks tests as `audit`: a test, by each of its parameters."""
    match node:
        case ast.Assign(targets=[ast.Name(id="pytestmark")]) | ast.Expr():
            return "audit" in names([node])
        case ast.FunctionDef():
            for mark in node.decorator_list:
                match mark:
                    case ast.Attribute(attr="audit"):
                        return True
                    case ast.Call(args=[_, ast.List(elts=cases)]) if all(
                        "audit" in names([case]) for case in cases
                    ):
                        return True
    return False


def faults_of_test(root: Path, file: str, path: str, *, in_audit: bool) -> Iterator[str]:
    """Yield what is wrong with the test that a control names."""
    module = parsed(root / file)
    if module is None or not Path(file).name.startswith("test_"):
        yield f"there is no file of tests {file}; name the file in which the test is now"
        return
    statements = concerning(module.body, path)
    if not statements:
        yield f"{file} has no test {path}; name a test that proves the control"
        return
    conftests = [parsed(root / folder / "conftest.py") for folder in Path(file).parents]
    if skips := SKIPS & names([*statements, *filter(None, conftests)]):
        yield (
            f"{file}::{path} can be skipped or may fail ({', '.join(sorted(skips))}, in the test, "
            "its file or a conftest.py); take that away or name another test"
        )
    if any(map(is_audit, statements)) and not in_audit:
        yield f"{file}::{path} runs in `make audit` alone; write (in `make audit`) after it"
    if in_audit and not any(map(is_audit, statements)):
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
    lines = dict(enumerate(text.splitlines(), start=1))
    rows = {number: line for number, line in lines.items() if line.startswith("| [H")}
    risks = matrix(text)
    found: list[tuple[int, str]] = []
    right = []
    for number, hazard in enumerate(hazards(text), start=1):
        if hazard.id != f"H{number:02}":
            found.append((hazard.line, f"H{number:02} is to stand here, not {hazard.id}"))
        of_hazard = list(faults_of_hazard(hazard, risks, root))
        if not of_hazard:
            right.append(row(hazard, risks))
            if right[-1] not in rows.values():
                of_hazard = [(hazard.line, f"the table at the top lacks the row: {right[-1]}")]
        found += of_hazard
    if not found:
        extra = {number: line for number, line in rows.items() if line not in right}
        found += [(number, "this row has no section; take it away") for number in extra]
    if not hazards(text):
        found.append((1, "there is no hazard; write each below a heading such as: ### H01"))
    return [f"{LOG}:{line}: {fault}" for line, fault in sorted(found)]


def main(root: Path) -> int:
    """Print every fault, and return the exit code."""
    found = faults(root)
    for fault in found:
        print(fault)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(ROOT))
