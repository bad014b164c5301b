"""The shipped rule book: whole, and resting on the source's facts."""

from __future__ import annotations

import json
import tomllib

import pytest
from jsonschema import Draft202012Validator

from screening.domain.rules import Fact, Kind
from screening.rulebooks.load import AZATHIOPRINE, load, load_content
from tests.builders import book
from tests.unit.test_translations import REFUSED_IN_SPANISH

FACTS = [f"F{number}" for number in range(1, 21)]
ASKED = [
    "pregnancy",
    "pregnancy_planned",
    "breastfeeding",
    "infection",
    "infection_symptoms",
    "infection_since",
    "hypersensitivity",
    "hypersensitivity_signs",
    "hypersensitivity_reaction",
    "iud",
    "iud_type",
    "vaccines",
    "vaccines_which",
    "vaccines_when",
]
LANGUAGES = pytest.mark.parametrize("language", ["en", "es"])


def test_the_book_loads_in_english_first_and_spanish() -> None:
    assert list(load()) == ["en", "es"]
    assert [rules.language for rules in load().values()] == ["en", "es"]


@LANGUAGES
def test_the_book_is_about_azathioprine(language: str) -> None:
    medicine = book(language).medicine
    assert medicine.name == {"en": "azathioprine", "es": "azatioprina"}[language]
    assert (medicine.brand, medicine.atc) == ("Imuran", "L04AX01")


def test_the_source_is_the_document_and_its_sections() -> None:
    (source,) = book().sources
    assert (source.id, source.title) == ("mpt-imuran", "Imuran (Azathioprine) for Psoriasis")
    assert source.sections == ("Overview", "How do I take it?", "Side effects")


@LANGUAGES
def test_the_questions_and_follow_ups_are_asked_in_this_order(language: str) -> None:
    assert [item.id for item in book(language).asked()] == ASKED


@LANGUAGES
def test_every_main_question_offers_yes_no_unsure_and_private(language: str) -> None:
    for question in book(language).questions:
        assert [option.id for option in question.options] == ["yes", "no", "unsure", "private"]
        assert question.kind is Kind.ONE


@LANGUAGES
def test_every_fact_of_the_source_is_in_the_book(language: str) -> None:
    assert [fact.id for fact in book(language).facts] == FACTS
    sections = {fact.id: fact.section for fact in book(language).facts}
    assert [sections[fact] for fact in ("F1", "F7", "F8", "F13", "F14", "F20")] == [
        section for section in book().sources[0].sections for _ in range(2)
    ]


@LANGUAGES
@pytest.mark.parametrize("fact", FACTS)
def test_every_fact_is_reachable_from_a_rule_the_checklist_or_the_leaflet(
    language: str, fact: str
) -> None:
    rules = book(language)
    cited: list[Fact] = [
        *(cite for rule in rules.rules for cite in rule.finding.cites),
        *(cite for item in rules.checklist for cite in item.cites),
        *(cite for part in rules.leaflet for cite in part.cites),
    ]
    assert fact in {cite.id for cite in cited}


@LANGUAGES
def test_every_part_of_the_book_cites_facts_of_the_book(language: str) -> None:
    rules = book(language)
    parts = [
        *(rule.finding for rule in rules.rules),
        *rules.open_findings.values(),
        *rules.checklist,
        *rules.leaflet,
    ]
    assert all(part.cites and set(part.cites) <= set(rules.facts) for part in parts)


def test_a_fact_is_cited_by_source_section_and_id() -> None:
    assert book().facts[3].citation == "mpt-imuran, Overview, F4"


def test_the_leaflet_marks_what_is_urgent() -> None:
    assert [[fact.id for fact in part.cites] for part in book().leaflet if part.urgent] == [
        ["F16"],
        ["F20"],
    ]


@LANGUAGES
def test_the_prescriber_is_told_what_is_not_screened(language: str) -> None:
    for text, words in zip(
        book(language).not_screened,
        [
            "TPMT",
            "methotrexate|metotrexato",
            "alk|alqu",
            "malig|cáncer",
            "kidney|renal",
            "hepatitis",
            "age|edad",
        ],
        strict=True,
    ):
        assert any(word.lower() in text.lower() for word in words.split("|")), text


@LANGUAGES
def test_no_text_for_the_prescriber_decides_for_them(language: str) -> None:
    findings = [
        *(rule.finding for rule in book(language).rules),
        *book(language).open_findings.values(),
    ]
    texts = [
        text for finding in findings for text in (finding.title, finding.reason, finding.confirm)
    ]
    texts += [item.text for item in book(language).checklist]
    refused = (
        "safe",
        "do not prescribe",
        "stop",
        "remove",
        "segur",
        "no recet",
        "retir",
        "suspend",
    )
    patient_is_unsure = {"The patient is not sure.", "La persona no está segura."}
    assert not [
        text
        for text in texts
        if text not in patient_is_unsure and any(word in text.lower() for word in refused)
    ]


def test_spanish_has_one_kind_of_quotation_marks_and_no_words_of_one_country() -> None:
    rules = book("es")
    said = [text for item in rules.asked() for text in (item.ask, item.hint, item.unanswered)]
    said += [text for part in rules.leaflet for text in (part.title, part.text, *part.points)]
    assert len(said) > 80
    assert [text for text in said if REFUSED_IN_SPANISH.search(text)] == []


def test_the_book_is_kept_as_it_is_read() -> None:
    assert load() == load() == load_content(book().edition.content)


@pytest.mark.parametrize(
    ("file", "schema"),
    [
        ("azathioprine.toml", "azathioprine.schema.json"),
        ("azathioprine.es.toml", "azathioprine.translation.schema.json"),
    ],
)
def test_each_file_names_its_schema_and_fits_it(file: str, schema: str) -> None:
    text = AZATHIOPRINE.with_name(file).read_text(encoding="utf-8")
    content = json.loads(AZATHIOPRINE.with_name(schema).read_text(encoding="utf-8"))
    assert text.startswith(f"#:schema ./{schema}\n")
    assert list(Draft202012Validator(content).iter_errors(tomllib.loads(text))) == []
