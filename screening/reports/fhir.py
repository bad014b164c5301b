"""A screening as a FHIR R4 Bundle: Patient, Questionnaire, QuestionnaireResponse, a DetectedIssue for each finding."""

import base64
import hashlib
import json
from typing import Any
from urllib.parse import urlencode
from uuid import NAMESPACE_URL, uuid5

from screening.domain.answers import Answer, Answers
from screening.domain.assessment import Assessment, Screening
from screening.domain.rules import FollowUp, Kind, Question, RuleBook, Severity
from screening.reports.renderer import Attached
from screening.reports.summary import citations

Json = dict[str, Any]

URI = "urn:ietf:rfc:3986"  # the system of identifiers that are URIs
ATC = "http://www.whocc.no/atc"  # the code system's address in FHIR
# DetectedIssue.severity says how bad the consequence may be; an open question is never the least.
_SEVERITY = {Severity.CONTRAINDICATION: "high", Severity.CLARIFY: "moderate", Severity.CAUTION: "low"}


def bundle(screening: Screening, assessment: Assessment, book: RuleBook) -> Json:
    """The collection Bundle of one stored screening; the same screening gives the same identifiers."""
    reference, sent = screening.reference, screening.submitted_at.isoformat(timespec="seconds")
    patient, response = _address(reference, "patient"), _address(reference, "response")
    issues = _issues(reference, assessment, book, patient=patient, response=response, sent=sent)
    resources = {
        patient: _patient(screening),
        questionnaire_address(book): questionnaire(book),
        response: _response(screening, book, patient, sent),
        **issues,
        _address(reference, "provenance"): {
            "resourceType": "Provenance",
            "target": [{"reference": address} for address in (response, *issues)],
            "recorded": sent,
            "agent": [{"who": {"reference": patient}}, *({"who": {"display": one.by}} for one in screening.entries)],
            "entity": [{"role": "source", "what": {"identifier": {"value": f"sha256:{assessment.digest}"}}}],
        },
    }
    return {
        "resourceType": "Bundle",
        "identifier": {"value": reference},
        "type": "collection",
        "timestamp": sent,
        "entry": [{"fullUrl": address, "resource": resource} for address, resource in resources.items()],
    }


def transaction(screening: Screening, assessment: Assessment, book: RuleBook, *, pdf: bytes, name: str) -> Json:
    """The transaction Bundle that brings a screening to a server: answers, findings and the PDF.

    Each is created unless the server has one with its identifier, which follows from the `name`. The patient is
    contained: whom of its own patients that is, only the server's people can tell.
    """
    contained = {"contained": [{**_patient(screening), "id": "patient"}]}
    sent, changed = (at.isoformat(timespec="seconds") for at in (screening.submitted_at, screening.changed_at))
    edition, patient, response = len(screening.entries) + 1, "#patient", _address(name, "response")
    document: Json = {
        "resourceType": "DocumentReference",
        "status": "current",
        "type": {"text": f"Pre-visit screening: {book.medicine.name}"},
        "subject": {"reference": patient},
        "date": changed,
        "description": f"Pre-visit screening {screening.reference}, edition {edition}",
        "content": [
            {
                "attachment": {
                    "contentType": "application/pdf",
                    "data": base64.b64encode(pdf).decode(),
                    "size": len(pdf),
                    "hash": base64.b64encode(hashlib.sha1(pdf, usedforsecurity=False).digest()).decode(),  # as R4 says
                    "title": f"summary-{screening.reference}-{edition}.pdf",
                    "creation": changed,
                }
            }
        ],
        "context": {"related": [{"reference": response}]},
    }
    if screening.patient.visit:
        document["context"]["encounter"] = [{"identifier": {"value": screening.patient.visit}}]
    issues = _issues(name, assessment, book, patient=patient, response=response, sent=sent)
    made = {**issues, _address(name, "document"): document}
    resources = {
        response: _response(screening, book, patient, sent) | {"identifier": _identifier(response)},
        **{address: resource | {"identifier": [_identifier(address)]} for address, resource in made.items()},
    }
    return {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [
            {
                "fullUrl": address,
                "resource": contained | resource,
                "request": {
                    "method": "POST",
                    "url": resource["resourceType"],
                    "ifNoneExist": urlencode({"identifier": f"{URI}|{address}"}),
                },
            }
            for address, resource in resources.items()
        ],
    }


def _identifier(address: str) -> Json:
    return {"system": URI, "value": address}


def attached(screening: Screening, assessment: Assessment, book: RuleBook) -> Attached:
    """The Bundle as the file that a printed summary carries."""
    return Attached(
        name="questionnaire-response.json",
        description="The answers and findings as a FHIR R4 Bundle",
        content=json.dumps(bundle(screening, assessment, book), ensure_ascii=False, separators=(",", ":")),
        created=screening.changed_at.isoformat(timespec="seconds"),
    )


def _issues(
    name: str, assessment: Assessment, book: RuleBook, *, patient: str, response: str, sent: str
) -> dict[str, Json]:
    """A DetectedIssue for each finding, by its address."""
    medicine = book.medicine
    return {
        _address(name, finding.rule): {
            "resourceType": "DetectedIssue",
            "status": "preliminary" if book.edition.status == "draft" else "final",
            "code": {"text": finding.title},
            "severity": _SEVERITY[finding.severity],
            "patient": {"reference": patient},
            "identifiedDateTime": sent,
            "implicated": [{"identifier": {"system": ATC, "value": medicine.atc}, "display": medicine.name}],
            "evidence": [{"detail": [{"reference": response}]}],
            "detail": f"{finding.reason} [{citations(finding.cites)}]",
            "mitigation": [{"action": {"text": finding.confirm}}],
        }
        for finding in assessment.findings
    }


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
        "item": [_asked(question) for question in book.questions],
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
    elif item.follow_ups:
        asked["item"] = [_asked(one) for one in item.follow_ups]
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
