"""FHIR resources: the words that were shown, codes with their systems, definitions that resolve."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from screening.domain.answers import Answers, Paper, Respondent, Role
from screening.domain.assessment import Screening
from screening.domain.entries import Clarification
from screening.domain.evaluate import evaluate
from screening.domain.rules import RuleBook
from screening.installation import current_installation
from screening.reports import fhir
from screening.reports.fhir_definitions import LANGUAGE, TRANSLATION, code_system, questionnaire
from screening.rulebooks.load import load_content
from screening.settings import InvalidSettings, Settings, load_settings
from tests.builders import a_patient, all_no, answers_of, book, books
from tests.fhir_validators import fhir_faults, fhir_js_faults, fhirkit_faults, schema_faults
from tests.integration.test_upkeep import flask

Json = dict[str, Any]

BASE = "https://screening.clinic.example/fhir"
SENT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
TRIAL = json.loads((Path(__file__).parents[1] / "trials/spanish.json").read_text(encoding="utf-8"))
EVERYTHING = all_no(
    infection="yes",
    infection_symptoms=["fever", "other"],
    infection_since="3 days",
    hypersensitivity="yes",
    hypersensitivity_signs=["rash_hives", "unsure"],
    hypersensitivity_reaction="Itching",
    iud="yes",
    iud_type="copper",
    vaccines="yes",
    vaccines_which="Flu",
    vaccines_when="May",
)
CASES = [
    TRIAL["answers"],
    EVERYTHING,
    all_no(pregnancy="yes", infection="unsure", iud="private"),
    {},
]

pytestmark = pytest.mark.one_database


def screening_of(answers: Answers, language: str, **more: Any) -> Screening:
    return Screening(
        reference="7F3K-9QWD",
        submitted_at=SENT,
        language=language,
        patient=a_patient(),
        answers=answers,
        digest=book().edition.digest,
        **more,
    )


def bundle_of(screening: Screening, edition: Any = None) -> Json:
    edition = edition or books()
    return fhir.bundle(
        screening, evaluate(edition["en"], screening.established), edition, base=BASE
    )


def of(bundle: Json, kind: str) -> Json:
    """The one resource of this type."""
    (resource,) = [
        entry["resource"] for entry in bundle["entry"] if entry["resource"]["resourceType"] == kind
    ]
    return dict(resource)


@pytest.mark.parametrize("role", [None, *Role])
def test_a_paper_form_is_written_and_says_who_typed_it(role: Role | None) -> None:
    paper = Paper(filled_in_at=SENT, typed_by="Dr Desk")
    patient = a_patient(respondent=role and Respondent(role=role), paper=paper)
    screening = replace(screening_of(answers_of(book(), **EVERYTHING), "en"), patient=patient)
    made = bundle_of(screening)
    stored = fhir.transaction(
        screening, evaluate(book(), screening.answers), books(), base=BASE, pdf=b"%PDF", name="x"
    )
    assert fhir_faults(made) == fhir_faults(stored) == []
    for whole in (made, stored):
        (mode,) = of(whole, "QuestionnaireResponse")["extension"]
        assert mode["valueCodeableConcept"]["text"] == "From paper of 2026-03-02, typed by Dr Desk"


@pytest.mark.parametrize("role", [None, *Role])
@pytest.mark.parametrize("name", ["", "Ana Interpreter"])
def test_who_gave_the_answers_is_their_author_and_a_guardian_their_source(
    role: Role | None, name: str
) -> None:
    respondent = role and Respondent(role=role, name="" if role is Role.PATIENT else name)
    screening = replace(
        screening_of(answers_of(book(), **EVERYTHING), "en"),
        patient=a_patient(respondent=respondent),
    )
    bundle = bundle_of(screening)
    stored = fhir.transaction(
        screening, evaluate(book(), screening.answers), books(), base=BASE, pdf=b"%PDF", name="x"
    )
    assert fhir_faults(bundle) == fhir_faults(stored) == []
    for whole in (bundle, stored):
        response = of(whole, "QuestionnaireResponse")
        people = {f"#{resource['id']}": resource for resource in response.get("contained", ())}
        subject = response["subject"]["reference"]
        author = response.get("author", {}).get("reference")
        if role in (None, Role.PATIENT):
            assert author == (subject if role else None)
            assert not any(
                resource["resourceType"] == "RelatedPerson" for resource in people.values()
            )
        else:
            assert people[author]["patient"]["reference"] == subject
            assert people[author].get("name", [{"text": ""}]) == [{"text": name}]
        assert response["source"]["reference"] == (author if role is Role.GUARDIAN else subject)


def walk(value: Any) -> Iterator[Json]:
    """Every object in a resource."""
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from walk(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from walk(inner)


def items(resource: Json) -> dict[str, Json]:
    """The questions, or answers, of a resource by their linkId."""
    return {item["linkId"]: item for item in walk(resource["item"]) if "linkId" in item}


def wordings(value: Json, name: str) -> dict[str, str]:
    """A text of a definition by language."""
    texts = {"en": value[name]}
    for extension in value.get(f"_{name}", {}).get("extension", []):
        assert extension["url"] == TRANSLATION
        parts = {part["url"]: part for part in extension["extension"]}
        texts[parts["lang"]["valueCode"]] = parts["content"]["valueString"]
    return texts


def disagreements(response: Json, asked: Json) -> list[str]:
    """Return each question, text or option of a response that its questionnaire does not have."""
    language = response["language"]
    questions = items(asked)
    differences = []
    for link, given in items(response).items():
        if link not in questions:
            differences.append(link)
            continue
        if wordings(questions[link], "text")[language] != given["text"]:
            differences.append(f"{link}: {given['text']}")
        options = {
            (option["valueCoding"]["system"], option["valueCoding"]["code"]): wordings(
                option["valueCoding"], "display"
            )[language]
            for option in questions[link].get("answerOption", [])
        }
        for answer in given.get("answer", []):
            kind = "text" if "valueString" in answer else "choice"
            coding = answer.get("valueCoding", {})
            if questions[link]["type"] != kind or (
                coding and options.get((coding["system"], coding["code"])) != coding["display"]
            ):
                differences.append(f"{link}: {answer}")
    return differences


@pytest.mark.parametrize("values", CASES)
@pytest.mark.parametrize("language", list(books()))
def test_response_and_questionnaire_agree_on_every_text_and_option(
    language: str, values: Json
) -> None:
    bundle = bundle_of(screening_of(answers_of(book(language), **values), language))
    response = of(bundle, "QuestionnaireResponse")
    asked = of(bundle, "Questionnaire")
    assert response["language"] == language
    assert response["questionnaire"] == f"{asked['url']}|{asked['version']}"
    assert disagreements(response, asked) == []
    assert set(values) <= set(items(response))
    assert LANGUAGE not in json.dumps(response), "nothing is of another language"
    assert fhir_faults(bundle) == []


def test_a_disagreement_would_be_noticed() -> None:
    bundle = bundle_of(screening_of(answers_of(book("es"), **TRIAL["answers"]), "es"))
    response = of(bundle, "QuestionnaireResponse")
    asked = of(bundle, "Questionnaire")
    for given in (
        items(response)["iud_type"],
        items(response)["infection_symptoms"]["answer"][0]["valueCoding"],
    ):
        given["text" if "text" in given else "display"] = "English"
    assert len(disagreements(response, asked)) == 2


def test_spanish_answers_are_spanish_throughout() -> None:
    response = of(
        bundle_of(screening_of(answers_of(book("es"), **TRIAL["answers"]), "es")),
        "QuestionnaireResponse",
    )
    texts = {link: item["text"] for link, item in items(response).items()}
    assert texts["pregnancy_planned"] == "¿Usted o su pareja planean un embarazo?"
    assert texts["infection_symptoms"] == "¿Cuáles de estas señales tiene?"
    displays = {
        coding["code"]: coding["display"] for coding in walk(response) if "display" in coding
    }
    assert displays == {"no": "No", "yes": "Sí", "fever": "Fiebre", "copper": "De cobre"}


def test_what_was_shown_in_another_language_stands_so_and_says_which() -> None:
    """The patient changed the language midway; a professional answered one question in another."""
    given = answers_of(book("es"), **TRIAL["answers"])
    iud = answers_of(book("en"), iud="yes", iud_type="hormonal")
    established = Clarification(
        by="Dr A",
        at=SENT + timedelta(hours=1),
        items=("infection", "infection_symptoms", "infection_since"),
        answers=answers_of(
            book("en"),
            infection="unsure",
            infection_symptoms=["chills", "aches"],
            infection_since="Monday",
        ),
        why="asked",
    )
    question = book().question("iud")
    assert question is not None
    screening = screening_of(given.with_page(question, iud), "es", entries=(established,))
    bundle = bundle_of(screening)
    response = of(bundle, "QuestionnaireResponse")
    assert (response["language"], response["status"]) == ("es", "amended")
    by_link = items(response)
    english = {"extension": [{"url": LANGUAGE, "valueCode": "en"}]}
    assert by_link["iud_type"]["text"] == "Which kind is it?"
    assert by_link["iud_type"]["_text"] == english
    assert by_link["iud_type"]["answer"][0]["valueCoding"]["display"] == "Hormonal"
    assert by_link["iud_type"]["answer"][0]["valueCoding"]["_display"] == english
    symptoms = [answer["valueCoding"] for answer in by_link["infection_symptoms"]["answer"]]
    assert [(coding["display"], coding["_display"]) for coding in symptoms] == [
        ("Chills", english),
        ("Aches", english),
    ]
    assert by_link["infection_since"]["answer"] == [
        {"valueString": "Monday", "_valueString": english}
    ]
    assert by_link["pregnancy"]["text"] == "¿Está embarazada?"
    assert "_text" not in by_link["pregnancy"]
    assert fhir_faults(bundle) == []


@pytest.mark.parametrize("values", CASES)
def test_every_coding_has_a_system_and_ours_knows_the_code(values: Json) -> None:
    screening = screening_of(answers_of(book(), **values), "en")
    assessment = evaluate(book(), screening.answers)
    ours = code_system(books(), base=BASE)
    known = {concept["code"] for concept in ours["concept"]}
    for bundle in (
        bundle_of(screening),
        fhir.transaction(screening, assessment, books(), base=BASE, pdf=b"%", name="n"),
    ):
        codings = [part for part in walk(bundle) if isinstance(part.get("code"), str)]
        assert codings
        assert {coding["system"] for coding in codings} <= {
            ours["url"],
            fhir.ATC,
            fhir.RXNORM,
            "http://loinc.org",
        }
        assert {coding["code"] for coding in codings if coding["system"] == ours["url"]} <= known


def test_only_pregnancy_and_breastfeeding_have_a_code_of_loinc() -> None:
    asked = items(questionnaire(books(), base=BASE))
    assert {link: question["code"] for link, question in asked.items() if "code" in question} == {
        "pregnancy": [{"system": "http://loinc.org", "code": "82810-3"}],
        "breastfeeding": [{"system": "http://loinc.org", "code": "63895-7"}],
    }


def test_the_medicine_of_an_issue_is_a_medication_with_its_codes() -> None:
    screening = screening_of(answers_of(book(), **EVERYTHING), "en")
    assessment = evaluate(book(), screening.answers)
    medicine = [(fhir.ATC, "L04AX01", "azathioprine"), (fhir.RXNORM, "1256", "azathioprine")]
    bundle = bundle_of(screening)
    medication = of(bundle, "Medication")
    (address,) = [entry["fullUrl"] for entry in bundle["entry"] if entry["resource"] == medication]
    sent = fhir.transaction(screening, assessment, books(), base=BASE, pdf=b"%", name="n")
    for each_bundle, reference in ((bundle, address), (sent, "#medication")):
        issues = [
            entry["resource"]
            for entry in each_bundle["entry"]
            if entry["resource"]["resourceType"] == "DetectedIssue"
        ]
        assert len(issues) == len(assessment.findings)
        implicated = {detail["reference"] for issue in issues for detail in issue["implicated"]}
        assert implicated == {reference}
        for inside in [
            resource for issue in issues for resource in issue.get("contained", [medication])
        ]:
            if inside["resourceType"] == "Medication":
                coding = inside["code"]["coding"]
                codes = [(code["system"], code["code"], code["display"]) for code in coding]
                assert codes == medicine


@pytest.mark.parametrize("languages", [["en"], ["en", "es"]])
def test_an_old_edition_still_gives_valid_resources(languages: list[str]) -> None:
    """One from before there were codes, with or without a translation."""
    content = {
        language: text
        for language, text in json.loads(book().edition.content).items()
        if language in languages
    }
    del content["en"]["medicine"]["rxnorm"]
    for question in content["en"]["question"]:
        question.pop("loinc", None)
    edition = load_content(json.dumps(content))
    language = languages[-1]
    screening = screening_of(answers_of(edition[language], **EVERYTHING), language)
    bundle = bundle_of(screening, edition)
    assert fhir_faults(bundle) == []
    assert [coding["code"] for coding in of(bundle, "Medication")["code"]["coding"]] == ["L04AX01"]
    response = of(bundle, "QuestionnaireResponse")
    asked = of(bundle, "Questionnaire")
    assert disagreements(response, asked) == []
    today = questionnaire(books(), base=BASE)
    assert asked["url"] == today["url"]
    assert asked["version"] != today["version"], "although the edition has the same"


@pytest.mark.parametrize("make", [questionnaire, code_system])
def test_the_same_edition_has_the_same_definitions(make: Callable[..., Json]) -> None:
    again: dict[str, RuleBook] = dict(load_content(book().edition.content))
    assert make(books(), base=BASE) == make(again, base=BASE)
    assert fhir_faults(make(books(), base=BASE)) == []


def test_the_code_system_tells_each_option_in_each_language() -> None:
    ours = code_system(books(), base=BASE)
    assert ours["url"] == f"{BASE}/CodeSystem/azathioprine"
    labels = {
        (concept["code"], language, label)
        for concept in ours["concept"]
        for language, label in [
            ("en", concept["display"]),
            *((other["language"], other["value"]) for other in concept.get("designation", [])),
        ]
    }
    assert labels == {
        (option.id, language, option.label)
        for language, words in books().items()
        for item in words.asked()
        for option in item.options
    }


def test_each_judge_notices_a_fault() -> None:
    def broken(change: Callable[[Json], object]) -> Json:
        bundle = bundle_of(screening_of(answers_of(book(), **EVERYTHING), "en"))
        (issue, *_) = [
            entry["resource"]
            for entry in bundle["entry"]
            if entry["resource"]["resourceType"] == "DetectedIssue"
        ]
        change(issue)
        return bundle

    terrible = broken(lambda issue: issue.update(severity="terrible"))
    assert any("severity" in fault for fault in schema_faults(terrible))
    assert any("severity" in fault for fault in fhir_js_faults(terrible))
    without = broken(lambda issue: issue.pop("status"))
    assert any("status" in fault for fault in fhirkit_faults(without))
    assert any("status" in fault for fault in fhir_js_faults(without))


@pytest.mark.parametrize("make", [questionnaire, code_system])
def test_a_definition_is_handed_out_at_its_canonical_address(
    sqlite_app: Flask, make: Callable[..., Json]
) -> None:
    installation = current_installation(sqlite_app)
    with sqlite_app.app_context():
        expected = make(installation.books, base=installation.settings.fhir_base)
    path = expected["url"].removeprefix(installation.settings.public_url)
    client = sqlite_app.test_client()
    answer = client.get(path)
    assert json.loads(answer.data) == expected
    assert answer.headers["Content-Type"] == "application/fhir+json; charset=utf-8"
    assert answer.headers["Cache-Control"] == "max-age=300"
    assert "Set-Cookie" not in answer.headers
    again = client.get(path, headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    assert (
        json.loads(flask(sqlite_app, "rulebook", "fhir", expected["resourceType"]).stdout)
        == expected
    )
    assert client.get(f"{path}2").status_code == 404
    assert client.get("/fhir/Patient/azathioprine").status_code == 404


def test_the_base_of_the_addresses_is_a_setting(tmp_path: Path) -> None:
    assert (
        Settings(instance=tmp_path, public_url="https://a.example").fhir_base
        == "https://a.example/fhir"
    )
    environ = {
        "SCREENING_INSTANCE": str(tmp_path),
        "SCREENING_FHIR_URL": "https://fhir.clinic.example/screening/",
    }
    assert load_settings(environ).fhir_base == "https://fhir.clinic.example/screening"
    for wrong in (
        "urn:uuid:1",
        "fhir.clinic.example",
        "https://a.example/x|1",
        "https://a.example/x?y=1",
    ):
        with pytest.raises(InvalidSettings, match=r"FHIR_URL: .* must be like https"):
            load_settings(environ | {"SCREENING_FHIR_URL": wrong})
