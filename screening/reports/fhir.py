"""A screening as a FHIR R4 Bundle: Patient, Questionnaire, QuestionnaireResponse, a DetectedIssue for each finding."""

import json
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from screening.domain.answers import Answer, Answers
from screening.domain.assessment import Assessment, Screening
from screening.domain.rules import FollowUp, Kind, Question, RuleBook, Severity
from screening.reports.renderer import Attached

Json = dict[str, Any]

ATC = "http://www.whocc.no/atc"  # the code system's address in FHIR
# DetectedIssue.severity says how bad the consequence may be; an open question is never the least.
_SEVERITY = {Severity.CONTRAINDICATION: "high", Severity.CLARIFY: "moderate", Severity.CAUTION: "low"}


def bundle(screening: Screening, assessment: Assessment, book: RuleBook) -> Json:
    """The collection Bundle of one stored screening; the same screening gives the same identifiers."""
    names = screening.reference
    patient, response = _address(names, "patient"), _address(names, "response")
    sent = screening.submitted_at.isoformat(timespec="seconds")
    issues = [(_address(names, one.rule), one) for one in assessment.findings]
    entries: list[tuple[str, Json]] = [
        (patient, _patient(screening)),
        (questionnaire_address(book), questionnaire(book)),
        (response, _response(screening, book, patient, sent)),
        *(
            (
                address,
                {
                    "resourceType": "DetectedIssue",
                    "status": "preliminary" if book.edition.status == "draft" else "final",
                    "code": {"text": one.title},
                    "severity": _SEVERITY[one.severity],
                    "patient": {"reference": patient},
                    "identifiedDateTime": sent,
                    "implicated": [
                        {
                            "identifier": {"system": ATC, "value": book.medicine.atc},
                            "display": book.medicine.name,
                        }
                    ],
                    "evidence": [{"detail": [{"reference": response}]}],
                    "detail": f"{one.reason} [{'; '.join(fact.citation for fact in one.cites)}]",
                    "mitigation": [{"action": {"text": one.confirm}}],
                },
            )
            for address, one in issues
        ),
        (
            _address(names, "provenance"),
            {
                "resourceType": "Provenance",
                "target": [{"reference": address} for address in (response, *(address for address, _ in issues))],
                "recorded": sent,
                "agent": [
                    {"who": {"reference": patient}},
                    *({"who": {"display": entry.by}} for entry in screening.entries),
                ],
                "entity": [{"role": "source", "what": {"identifier": {"value": f"sha256:{assessment.digest}"}}}],
            },
        ),
    ]
    return {
        "resourceType": "Bundle",
        "identifier": {"value": screening.reference},
        "type": "collection",
        "timestamp": sent,
        "entry": [{"fullUrl": address, "resource": resource} for address, resource in entries],
    }


def attached(screening: Screening, assessment: Assessment, book: RuleBook) -> Attached:
    """The Bundle as the file that a printed summary carries."""
    return Attached(
        name="questionnaire-response.json",
        description="The answers and findings as a FHIR R4 Bundle",
        content=json.dumps(bundle(screening, assessment, book), ensure_ascii=False, separators=(",", ":")),
        created=screening.changed_at.isoformat(timespec="seconds"),
    )


def _address(*parts: str) -> str:
    return f"urn:uuid:{uuid5(NAMESPACE_URL, '/'.join(parts))}"


def questionnaire_address(book: RuleBook) -> str:
    """The canonical address of an edition's questionnaire."""
    return _address(book.edition.digest, "questionnaire")


def _patient(screening: Screening) -> Json:
    return {
        "resourceType": "Patient",
        "name": [{"text": screening.patient.name}],
        "birthDate": screening.patient.birth_date.isoformat(),
    }


def questionnaire(book: RuleBook) -> Json:
    """The questions of a rule book."""
    return {
        "resourceType": "Questionnaire",
        "url": questionnaire_address(book),
        "version": book.edition.version,
        "title": f"Pre-visit screening: {book.medicine.name} ({book.medicine.brand})",
        "status": "draft" if book.edition.status == "draft" else "active",
        "language": book.language,
        "item": [
            _asked(question) | {"item": [_asked(one) for one in question.follow_ups]}
            if question.follow_ups
            else _asked(question)
            for question in book.questions
        ],
    }


def _asked(item: Question | FollowUp) -> Json:
    asked: Json = {"linkId": item.id, "text": item.ask, "required": item.required}
    asked["type"] = "text" if item.kind is Kind.TEXT else "choice"
    if item.options:
        asked["answerOption"] = [{"valueCoding": {"code": one.id, "display": one.label}} for one in item.options]
    if item.kind is Kind.SEVERAL:
        asked["repeats"] = True
    if isinstance(item, FollowUp):
        asked["enableWhen"] = [
            {"question": item.parent, "operator": "=", "answerCoding": {"code": one}} for one in sorted(item.when)
        ]
        asked["enableBehavior"] = "any"
    return asked


def _response(screening: Screening, book: RuleBook, patient: str, sent: str) -> Json:
    answers = screening.established
    response: Json = {
        "resourceType": "QuestionnaireResponse",
        "identifier": {"value": screening.reference},
        "questionnaire": f"{questionnaire_address(book)}|{book.edition.version}",
        "status": "amended" if answers != screening.answers else "completed",
        "subject": {"reference": patient},
        "authored": sent,
        "source": {"reference": patient},
        "language": screening.language,
        "item": [_answered(question, answers) for question in book.questions],
    }
    if screening.patient.visit:
        response["encounter"] = {"identifier": {"value": screening.patient.visit}}
    return response


def _answered(question: Question, answers: Answers) -> Json:
    """A question as it was answered; an answer that is missing is left out, never filled in."""
    item: Json = {"linkId": question.id, "text": question.ask}
    inner = [
        {"linkId": one.id, "text": one.ask, "answer": _values(one, given)}
        for one in question.follow_ups
        if (given := answers.get(one.id)) is not None and answers.applies(one)
    ]
    given = answers.get(question.id)
    if given is not None:
        item["answer"] = _values(question, given)
        item["text"] = given.asked
        if inner:
            item["answer"][0]["item"] = inner
    return item


def _values(item: Question | FollowUp, answer: Answer) -> list[Json]:
    if item.kind is Kind.TEXT:
        return [{"valueString": answer.shown}]
    labels = {option.id: option.label for option in item.options}
    chosen = answer.value if isinstance(answer.value, tuple) else (answer.value,)
    return [{"valueCoding": {"code": one, "display": labels.get(one, one)}} for one in chosen]
