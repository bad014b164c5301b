"""LHC-Forms, of a US library, fills in our Questionnaire and returns our response.

Its publisher is the National Library of Medicine.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from screening.domain.assessment import Screening
from screening.domain.evaluate import evaluate
from screening.reports import fhir
from screening.reports.fhir_definitions import TRANSLATION
from tests.browser.conftest import watch
from tests.browser.server import LiveServer
from tests.builders import a_patient, answers_of, book, books
from tests.fhir_validators import NPM, fhir_faults

LHC_FORMS = NPM / "lforms/dist/lforms"
TRIAL = json.loads((Path(__file__).parents[1] / "trials/spanish.json").read_text(encoding="utf-8"))
EVERY_FOLLOW_UP = {
    "pregnancy": "no",
    "pregnancy_planned": "private",
    "breastfeeding": "unsure",
    "infection": "unsure",
    "infection_symptoms": ["fever", "other"],
    "infection_since": "“3 days” ago",
    "hypersensitivity": "yes",
    "hypersensitivity_signs": ["rash_hives", "test_changed"],
    "hypersensitivity_reaction": "My tongue tingled,\nthen a rash",
    "iud": "yes",
    "iud_type": "hormonal",
    "vaccines": "yes",
    "vaccines_which": "Flu",
    "vaccines_when": "Next month",
}
HOST = """<!doctype html><html lang="en"><meta charset="utf-8"><title>LHC-Forms</title>
<link rel="stylesheet" href="/webcomponent/styles.css">
<link rel="icon" href="/webcomponent/favicon.ico">
<body><div id="form"></div>
<script src="/webcomponent/assets/lib/zone.min.js"></script>
<script src="/webcomponent/lhc-forms.js"></script>
<script src="/fhir/R4/lformsFHIR.min.js"></script></body></html>"""


class Files(SimpleHTTPRequestHandler):
    """The files of LHC-Forms, and a page that loads them."""

    def do_GET(self) -> None:
        if self.path != "/":
            super().do_GET()
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(HOST.encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def lhc_forms() -> Iterator[str]:
    """Serve LHC-Forms on loopback and yield its address."""
    if not LHC_FORMS.exists():
        pytest.fail(f"{LHC_FORMS} is missing; run: make test, which installs it")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Files, directory=str(LHC_FORMS))) as files:
        thread = threading.Thread(
            target=files.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )
        thread.start()
        yield f"http://127.0.0.1:{files.server_port}"
        files.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("language", "values"), [("en", EVERY_FOLLOW_UP), ("es", TRIAL["answers"])]
)
def test_it_gives_the_same_answers_as_our_response(
    new_context: Callable[..., BrowserContext],
    server: LiveServer,
    lhc_forms: str,
    language: str,
    values: dict[str, Any],
) -> None:
    context = new_context()
    faults = []
    watch(context, lhc_forms, faults)
    page = context.new_page()
    definition = context.request.get(f"{server.url}/fhir/Questionnaire/azathioprine").json()
    page.goto(lhc_forms)
    # LHC-Forms reads no translations, so it gets the definition in the other language.
    page.evaluate(
        "definition => LForms.Util.addFormToPage(definition, 'form')",
        in_language(definition, language),
    )
    expect(page.get_by_text(book(language).question("iud").ask)).to_be_visible()
    fill_in(page, language, values)
    response = page.evaluate("LForms.Util.getFormFHIRData('QuestionnaireResponse', 'R4')")
    ours = our_response(language, values, base=f"{server.url}/fhir")
    assert response["item"] == ours["item"]
    assert response["questionnaire"] == ours["questionnaire"]
    assert fhir_faults(response) == []
    assert faults == []


def in_language(value: Any, language: str) -> Any:
    """Return a definition with each text replaced by its translation, if it has one."""
    if isinstance(value, list):
        return [in_language(item, language) for item in value]
    if not isinstance(value, dict):
        return value
    translated = {
        name: in_language(inner, language)
        for name, inner in value.items()
        if not name.startswith("_")
    }
    for name, inner in value.items():
        for extension in inner["extension"] if name.startswith("_") else []:
            parts = {part["url"]: part for part in extension["extension"]}
            if extension["url"] == TRANSLATION and parts["lang"]["valueCode"] == language:
                translated[name.removeprefix("_")] = parts["content"]["valueString"]
    return translated


def fill_in(page: Page, language: str, values: dict[str, Any]) -> None:
    """Answer as a person would, each follow-up after its question has opened it."""
    for item in book(language).asked():
        field = page.locator(f'[id^="{item.id}/"]:is(input, textarea)')
        if item.id not in values:
            expect(field).to_have_count(1 if answered_parent(item, values) else 0)
            continue
        chosen = values[item.id]
        labels = {option.id: option.label for option in item.options}
        if not labels:
            field.fill(chosen)
            field.blur()
            continue
        for choice in chosen if isinstance(chosen, list) else [chosen]:
            field.click()
            numbered = re.compile(rf"^\d+:\s+{re.escape(labels[choice])}$")
            page.locator("#completionOptions li").filter(has_text=numbered).click()
        field.blur()


def answered_parent(item: Any, values: dict[str, Any]) -> bool:
    """Return whether a follow-up is asked."""
    return values.get(getattr(item, "parent", "")) in getattr(item, "when", ())


def our_response(language: str, values: dict[str, Any], *, base: str) -> dict[str, Any]:
    """Return the QuestionnaireResponse that we export."""
    answers = answers_of(book(language), **values)
    screening = Screening(
        reference="7F3K-9QWD",
        submitted_at=datetime(2026, 3, 2, 9, 30, tzinfo=UTC),
        language=language,
        patient=a_patient(),
        answers=answers,
        digest=book().edition.digest,
    )
    bundle = fhir.bundle(screening, evaluate(book(), answers), books(), base=base)
    resources: list[dict[str, Any]] = [entry["resource"] for entry in bundle["entry"]]
    (response,) = [
        resource for resource in resources if resource["resourceType"] == "QuestionnaireResponse"
    ]
    return response
