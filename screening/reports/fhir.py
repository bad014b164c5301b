"""A screening as a FHIR R4 Bundle: Patient, Questionnaire, QuestionnaireResponse, a DetectedIssue for each finding.

`base` is where the addresses of Questionnaire and CodeSystem begin (`Settings.fhir_base`).
"""

import base64
import hashlib
from datetime import date
from urllib.parse import urlencode
from uuid import NAMESPACE_URL, uuid5

from screening.domain.answers import Answer, Answers, Role
from screening.domain.assessment import Assessment, Screening
from screening.domain.rules import BASE_LANGUAGE, Kind, Medicine, Question, Severity
from screening.reports.fhir_definitions import LANGUAGE, Books, Json, canonical, questionnaire
from screening.reports.summary import label, respondent_words, standing

URI = "urn:ietf:rfc:3986"  # the system of identifiers that are URIs
ATC = "http://www.whocc.no/atc"  # the code systems' addresses in FHIR
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
COMPLETION_MODE = "http://hl7.org/fhir/StructureDefinition/questionnaireresponse-completionMode"
PARTICIPATION_MODE = "http://terminology.hl7.org/CodeSystem/v3-ParticipationMode"
# DetectedIssue.severity says how bad the consequence may be; an open question is never the least.
_SEVERITY = {
    Severity.CONTRAINDICATION: "high",
    Severity.CLARIFY: "moderate",
    Severity.CAUTION: "low",
}


def bundle(screening: Screening, assessment: Assessment, books: Books, *, base: str) -> Json:
    """The collection Bundle of one stored screening; the same screening gives the same identifiers."""
    reference = screening.reference
    sent = screening.submitted_at.isoformat(timespec="seconds")
    proxy = screening.patient.proxy
    paper = screening.patient.paper
    patient, response, medication = (
        _address(reference, one) for one in ("patient", "response", "medication")
    )
    asked = questionnaire(books, base=base)
    issues = _issues(reference, assessment, books, patient, response, medication, sent)
    resources = {
        patient: _patient(screening),
        asked["url"]: asked,
        response: _response(screening, books, asked, base, patient, sent),
        **({medication: _medication(books[BASE_LANGUAGE].medicine)} if issues else {}),
        **issues,
        _address(reference, "provenance"): {
            "resourceType": "Provenance",
            "target": [{"reference": address} for address in (response, *issues)],
            "recorded": sent,
            "agent": [
                {"who": {"reference": patient}},
                *([{"who": {"display": respondent_words(proxy, BASE_LANGUAGE)}}] if proxy else []),
                *([{"who": {"display": paper.typed_by}}] if paper else []),
                *({"who": {"display": one.by}} for one in screening.entries),
            ],
            "entity": [
                {"role": "source", "what": {"identifier": {"value": f"sha256:{assessment.digest}"}}}
            ],
        },
    }
    return {
        "resourceType": "Bundle",
        "identifier": {"value": reference},
        "type": "collection",
        "timestamp": sent,
        "entry": [
            {"fullUrl": address, "resource": resource} for address, resource in resources.items()
        ],
    }


def transaction(
    screening: Screening, assessment: Assessment, books: Books, *, base: str, pdf: bytes, name: str
) -> Json:
    """The transaction Bundle that brings a screening to a server: questions, answers, findings and the PDF.

    Each is created unless the server has one with its identifier, which follows from the `name`;
    the Questionnaire, which is the first entry, unless the server has it in this version. The
    patient is contained: whom of its own patients that is, only the server's people can tell.
    """
    asked = questionnaire(books, base=base)
    book = books[BASE_LANGUAGE]
    contained = [{**_patient(screening), "id": "patient"}]
    medication = {**_medication(book.medicine), "id": "medication"}
    sent, changed = (
        at.isoformat(timespec="seconds") for at in (screening.submitted_at, screening.changed_at)
    )
    edition = len(screening.entries) + 1
    patient = "#patient"
    response = _address(name, "response")
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
                    # as R4 says
                    "hash": base64.b64encode(
                        hashlib.sha1(pdf, usedforsecurity=False).digest()
                    ).decode(),
                    "title": f"summary-{screening.reference}-{edition}.pdf",
                    "creation": changed,
                }
            }
        ],
        "context": {"related": [{"reference": response}]},
    }
    if screening.patient.visit:
        document["context"]["encounter"] = [{"identifier": {"value": screening.patient.visit}}]
    issues = _issues(name, assessment, books, patient, response, "#medication", sent)
    made = {**issues, _address(name, "document"): document}
    resources = {
        response: _response(screening, books, asked, base, patient, sent)
        | {"identifier": _identifier(response)},
        **{
            address: resource | {"identifier": [_identifier(address)]}
            for address, resource in made.items()
        },
    }
    entries = [
        _created(
            _address(asked["url"], asked["version"]),
            asked,
            url=asked["url"],
            version=asked["version"],
        )
    ]
    for address, resource in resources.items():
        inside = [*contained, medication] if address in issues else contained
        whole = resource | {"contained": [*inside, *resource.get("contained", ())]}
        entries.append(_created(address, whole, identifier=f"{URI}|{address}"))
    return {"resourceType": "Bundle", "type": "transaction", "entry": entries}


def _created(address: str, resource: Json, **unless: str) -> Json:
    """The entry that creates a resource unless the server has one that this search finds."""
    kind = resource["resourceType"]
    request = {"method": "POST", "url": kind, "ifNoneExist": urlencode(unless)}
    return {"fullUrl": address, "resource": resource, "request": request}


def _identifier(address: str) -> Json:
    return {"system": URI, "value": address}


def _issues(
    name: str,
    assessment: Assessment,
    books: Books,
    patient: str,
    response: str,
    medication: str,
    sent: str,
) -> dict[str, Json]:
    """A DetectedIssue for each finding, by its address; patient, response and medication are references."""
    book = books[BASE_LANGUAGE]
    rules = standing(book.edition, book.language, on=date.fromisoformat(sent[:10]))
    return {
        _address(name, finding.rule): {
            "resourceType": "DetectedIssue",
            "language": book.language,
            "status": "final" if book.edition.approvals else "preliminary",
            "code": {"text": finding.title},
            "severity": _SEVERITY[finding.severity],
            "patient": {"reference": patient},
            "identifiedDateTime": sent,
            "implicated": [{"reference": medication, "display": book.medicine.name}],
            "evidence": [{"detail": [{"reference": response}]}],
            "detail": f"{finding.reason} [{finding.citations}] {rules}",
            "mitigation": [{"action": {"text": finding.confirm}}],
        }
        for finding in assessment.findings
    }


def _address(*parts: str) -> str:
    return f"urn:uuid:{uuid5(NAMESPACE_URL, '/'.join(parts))}"


def _patient(screening: Screening) -> Json:
    return {
        "resourceType": "Patient",
        "name": [{"text": screening.patient.name}],
        "birthDate": screening.patient.birth_date.isoformat(),
    }


def _medication(medicine: Medicine) -> Json:
    codes = ((ATC, medicine.atc), (RXNORM, medicine.rxnorm))  # an old edition may lack the second
    coding = [
        {"system": system, "code": code, "display": medicine.name} for system, code in codes if code
    ]
    return {"resourceType": "Medication", "code": {"coding": coding, "text": medicine.name}}


def _response(
    screening: Screening, books: Books, asked: Json, base: str, patient: str, sent: str
) -> Json:
    book = books.get(screening.language, books[BASE_LANGUAGE])
    in_words = _InWords(books, book.language, canonical("CodeSystem", books, base))
    answers = screening.established
    response: Json = {
        "resourceType": "QuestionnaireResponse",
        "identifier": {"value": screening.reference},
        "questionnaire": f"{asked['url']}|{asked['version']}",
        "status": "amended" if answers != screening.answers else "completed",
        "subject": {"reference": patient},
        "authored": sent,
        "source": {"reference": patient},
        "language": book.language,
        "item": [in_words.answered(question, answers) for question in book.questions],
    }
    if screening.patient.respondent is not None:
        response["author"] = {"reference": patient}
    if (proxy := screening.patient.proxy) is not None:
        response["author"] = {
            "reference": "#respondent",
            "display": respondent_words(proxy, BASE_LANGUAGE),
        }
        # answers for the patient; others write down what the patient answers
        if proxy.role is Role.GUARDIAN:
            response["source"] = response["author"]
        related: Json = {
            "resourceType": "RelatedPerson",
            "id": "respondent",
            "patient": {"reference": patient},
        }
        related |= {"relationship": [{"text": label(proxy.role, BASE_LANGUAGE)}]}
        response["contained"] = [related | ({"name": [{"text": proxy.name}]} if proxy.name else {})]
    if (paper := screening.patient.paper) is not None:
        on = paper.filled_in_at.date().isoformat()
        written: Json = {"coding": [{"system": PARTICIPATION_MODE, "code": "WRITTEN"}]}
        written["text"] = f"From paper of {on}, typed by {paper.typed_by}"
        response["extension"] = [{"url": COMPLETION_MODE, "valueCodeableConcept": written}]
    if screening.patient.visit:
        response["encounter"] = {"identifier": {"value": screening.patient.visit}}
    return response


class _InWords:
    """Answers in the words that were shown.

    A text in another language than that of the response says in which.
    """

    def __init__(self, books: Books, language: str, system: str) -> None:
        self.language = language
        self.system = system
        self.items = {of: {item.id: item for item in book.asked()} for of, book in books.items()}

    def answered(self, question: Question, answers: Answers) -> Json:
        """A question as it was answered; an answer that is missing is left out, never filled in."""
        given = answers.get(question.id)
        if given is None:
            return {"linkId": question.id, "text": question.ask}
        item = self.item(given)
        inner = [
            self.item(answer)
            for one in question.follow_ups
            if (answer := answers.get(one.id)) is not None and answers.applies(one)
        ]
        if inner:
            item["answer"][0]["item"] = inner
        return item

    def item(self, answer: Answer) -> Json:
        """What was asked and answered."""
        return {
            "linkId": answer.id,
            **self.shown("text", answer.asked, answer),
            "answer": self.values(answer),
        }

    def values(self, answer: Answer) -> list[Json]:
        """The options chosen, or the patient's own words."""
        asked = self.items.get(answer.language, self.items[self.language])[answer.id]
        if asked.kind is Kind.TEXT:
            return [self.shown("valueString", answer.shown, answer)]
        if isinstance(answer.value, str):
            chosen = {answer.value: answer.shown}
        else:
            labels = {option.id: option.label for option in asked.options}
            chosen = {one: labels.get(one, one) for one in answer.value}
        return [
            {
                "valueCoding": {
                    "system": self.system,
                    "code": code,
                    **self.shown("display", label, answer),
                }
            }
            for code, label in chosen.items()
        ]

    def shown(self, name: str, text: str, answer: Answer) -> Json:
        """A text of an answer."""
        if answer.language == self.language:
            return {name: text}
        return {
            name: text,
            f"_{name}": {"extension": [{"url": LANGUAGE, "valueCode": answer.language}]},
        }
