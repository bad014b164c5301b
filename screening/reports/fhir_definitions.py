"""An edition of the rule book as FHIR R4 defines it: a Questionnaire, and a CodeSystem of the options in it.

They hold each language of the edition. `base` is where their canonical addresses begin
(`Settings.fhir_base`).
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

from screening.domain.rules import BASE_LANGUAGE, FollowUp, Kind, Question, RuleBook
from screening.reports.summary import translations

Json = dict[str, Any]
Books = Mapping[str, RuleBook]  # one edition in each of its languages
Each = TypeVar("Each")

MEDIA_TYPE = "application/fhir+json"
LOINC = "http://loinc.org"
TRANSLATION = "http://hl7.org/fhir/StructureDefinition/translation"
LANGUAGE = "http://hl7.org/fhir/StructureDefinition/language"


def questionnaire(books: Books, *, base: str) -> Json:
    """The questions of an edition, with their translations."""
    system = canonical("CodeSystem", books, base)
    questions = _side_by_side({language: book.questions for language, book in books.items()})
    items = [_asked(question, system) for question in questions]
    return _versioned(_definition("Questionnaire", books, base) | {"item": items}, books)


def code_system(books: Books, *, base: str) -> Json:
    """The options of an edition as codes.

    What they are called depends on the question; each name is given.
    """
    named: dict[str, dict[tuple[str, str], None]] = {}
    for language, book in books.items():
        for option in (option for item in book.asked() for option in item.options):
            named.setdefault(option.id, {})[language, option.label] = None
    concepts: list[Json] = []
    for code, names in named.items():
        (_, display), *others = names
        concept: Json = {"code": code, "display": display}
        if others:
            concept["designation"] = [
                {"language": language, "value": label} for language, label in others
            ]
        concepts.append(concept)
    about = {"caseSensitive": True, "content": "complete", "concept": concepts}
    return _versioned(_definition("CodeSystem", books, base) | about, books)


DEFINITIONS = {"Questionnaire": questionnaire, "CodeSystem": code_system}


def definition_id(books: Books) -> str:
    """The id of both definitions of a rule book."""
    return books[BASE_LANGUAGE].edition.id.replace("_", "-")  # which FHIR does not allow there


def canonical(kind: str, books: Books, base: str) -> str:
    """The address of a definition, whatever its version."""
    return f"{base}/{kind}/{definition_id(books)}"


def _definition(kind: str, books: Books, base: str) -> Json:
    """What the definitions of an edition have in common."""
    book = books[BASE_LANGUAGE]
    titles = {
        language: translations(language).gettext("Pre-visit screening: %(medicine)s (%(brand)s)")
        % {"medicine": one.medicine.name, "brand": one.medicine.brand}
        for language, one in books.items()
    }
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
    """The definition with a version of its own, also where an edition was changed and kept its version."""
    digest = hashlib.sha256(json.dumps(definition, sort_keys=True).encode()).hexdigest()
    return definition | {"version": f"{books[BASE_LANGUAGE].edition.version}-{digest[:8]}"}


def _side_by_side(lists: Mapping[str, Sequence[Each]]) -> Iterator[dict[str, Each]]:
    """What stands at the same place of each language's list, by language."""
    for same in zip(*lists.values(), strict=True):
        yield dict(zip(lists, same, strict=True))


def _translated(name: str, texts: Mapping[str, str]) -> Json:
    """A text in the base language, with the others as its translations."""
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


def _asked(worded: Mapping[str, Question | FollowUp], system: str) -> Json:
    item = worded[BASE_LANGUAGE]
    asked: Json = {
        "linkId": item.id,
        **_translated("text", {language: one.ask for language, one in worded.items()}),
    }
    asked |= {"type": "text" if item.kind is Kind.TEXT else "choice", "required": item.required}
    if item.options:
        options = _side_by_side({language: one.options for language, one in worded.items()})
        labels = ({language: option.label for language, option in one.items()} for one in options)
        asked["answerOption"] = [
            {"valueCoding": {"system": system, "code": option.id, **_translated("display", label)}}
            for option, label in zip(item.options, labels, strict=True)
        ]
    if item.kind is Kind.SEVERAL:
        asked["repeats"] = True
    if isinstance(item, FollowUp):
        asked["enableWhen"] = [
            {
                "question": item.parent,
                "operator": "=",
                "answerCoding": {"system": system, "code": one},
            }
            for one in sorted(item.when)
        ]
        asked["enableBehavior"] = "any"
        return asked
    if item.loinc:
        asked["code"] = [{"system": LOINC, "code": item.loinc}]
    if item.follow_ups:
        inside = _side_by_side(
            {
                language: one.follow_ups
                for language, one in worded.items()
                if isinstance(one, Question)
            }
        )
        asked["item"] = [_asked(one, system) for one in inside]
    return asked
