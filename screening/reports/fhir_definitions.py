"""An edition of the rule book in FHIR R4: a Questionnaire, and a CodeSystem of its options.

Both have all languages of the edition. `base` is the beginning of their canonical addresses
(`Settings.fhir_base`).
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

from screening.domain.rules import BASE_LANGUAGE, FollowUp, Kind, Question, RuleBook
from screening.reports.summary import translations

Json = dict[str, Any]
Books = Mapping[str, RuleBook]  # an edition in each of its languages
Item = TypeVar("Item")

MEDIA_TYPE = "application/fhir+json"
LOINC = "http://loinc.org"
TRANSLATION = "http://hl7.org/fhir/StructureDefinition/translation"
LANGUAGE = "http://hl7.org/fhir/StructureDefinition/language"


def questionnaire(books: Books, *, base: str) -> Json:
    """Return the Questionnaire of an edition, with its translations."""
    system = canonical("CodeSystem", books, base)
    questions = _by_language({language: book.questions for language, book in books.items()})
    items = [_item(question, system) for question in questions]
    return _versioned(_definition("Questionnaire", books, base) | {"item": items}, books)


def code_system(books: Books, *, base: str) -> Json:
    """Return the CodeSystem of an edition's options, with every label that an option has."""
    labels: dict[str, dict[tuple[str, str], None]] = {}
    for language, book in books.items():
        for option in (option for item in book.asked() for option in item.options):
            labels.setdefault(option.id, {})[language, option.label] = None
    concepts: list[Json] = []
    for code, pairs in labels.items():
        (_, display), *others = pairs
        concept: Json = {"code": code, "display": display}
        if others:
            concept["designation"] = [
                {"language": language, "value": label} for language, label in others
            ]
        concepts.append(concept)
    content = {"caseSensitive": True, "content": "complete", "concept": concepts}
    return _versioned(_definition("CodeSystem", books, base) | content, books)


DEFINITIONS = {"Questionnaire": questionnaire, "CodeSystem": code_system}


def definition_id(books: Books) -> str:
    """Return the id of both definitions of a rule book; FHIR allows no underscore in it."""
    return books[BASE_LANGUAGE].edition.id.replace("_", "-")


def canonical(kind: str, books: Books, base: str) -> str:
    """Return the address of a definition without its version."""
    return f"{base}/{kind}/{definition_id(books)}"


def _definition(kind: str, books: Books, base: str) -> Json:
    """Return the elements that the definitions of an edition have in common."""
    book = books[BASE_LANGUAGE]
    titles = {}
    for language, translated in books.items():
        medicine = {"medicine": translated.medicine.name, "brand": translated.medicine.brand}
        _ = translations(language).gettext
        titles[language] = _("Pre-visit screening: %(medicine)s (%(brand)s)") % medicine
    return {
        "resourceType": kind,
        "id": definition_id(books),
        "language": book.language,
        "url": canonical(kind, books, base),
        "name": f"Screening_{book.edition.id.replace('-', '_')}",
        **_translated("title", titles),
        "status": "active" if book.edition.approvals else "draft",
    }


def _versioned(definition: Json, books: Books) -> Json:
    """Add a version with a digest, so that two editions with the same version differ."""
    digest = hashlib.sha256(json.dumps(definition, sort_keys=True).encode()).hexdigest()
    return definition | {"version": f"{books[BASE_LANGUAGE].edition.version}-{digest[:8]}"}


def _by_language(lists: Mapping[str, Sequence[Item]]) -> Iterator[dict[str, Item]]:
    """Yield for each index the items of all languages, by language."""
    for items in zip(*lists.values(), strict=True):
        yield dict(zip(lists, items, strict=True))


def _translated(name: str, texts: Mapping[str, str]) -> Json:
    """Return a text in the base language, with the other languages as its translations."""
    others = [
        {
            "url": TRANSLATION,
            "extension": [
                {"url": "lang", "valueCode": language},
                {"url": "content", "valueString": text},
            ],
        }
        for language, text in texts.items()
        if language != BASE_LANGUAGE
    ]
    return {name: texts[BASE_LANGUAGE]} | ({f"_{name}": {"extension": others}} if others else {})


def _item(versions: Mapping[str, Question | FollowUp], system: str) -> Json:
    base = versions[BASE_LANGUAGE]
    texts = {language: version.ask for language, version in versions.items()}
    item: Json = {"linkId": base.id, **_translated("text", texts)}
    item |= {"type": "text" if base.kind is Kind.TEXT else "choice", "required": base.required}
    if base.options:
        item["answerOption"] = []
        options = {language: version.options for language, version in versions.items()}
        for option in _by_language(options):
            labels = {language: translated.label for language, translated in option.items()}
            coding = {"system": system, "code": option[BASE_LANGUAGE].id}
            item["answerOption"].append(
                {"valueCoding": {**coding, **_translated("display", labels)}}
            )
    if base.kind is Kind.SEVERAL:
        item["repeats"] = True
    if isinstance(base, FollowUp):
        item["enableWhen"] = [
            {
                "question": base.parent,
                "operator": "=",
                "answerCoding": {"system": system, "code": code},
            }
            for code in sorted(base.when)
        ]
        item["enableBehavior"] = "any"
        return item
    if base.loinc:
        item["code"] = [{"system": LOINC, "code": base.loinc}]
    if base.follow_ups:
        follow_ups = {
            language: version.follow_ups
            for language, version in versions.items()
            if isinstance(version, Question)
        }
        item["item"] = [_item(follow_up, system) for follow_up in _by_language(follow_ups)]
    return item
