"""A screening as a FHIR R4 Bundle of the questions, the answers, and a DetectedIssue by finding.

`base` is the beginning of the addresses of Questionnaire and CodeSystem (`Settings.fhir_base`).
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
# DetectedIssue.severity is that of the possible consequence; an open question never has the lowest.
_SEVERITY = {
    Severity.CONTRAINDICATION: "high",
    Severity.CLARIFY: "moderate",
    Severity.CAUTION: "low",
}


def bundle(screening: Screening, assessment: Assessment, books: Books, *, base: str) -> Json:
    """Return the collection Bundle of a screening; the same screening has the same identifiers."""
    reference = screening.reference
    sent = screening.submitted_at.isoformat(timespec="seconds")
    proxy = screening.patient.proxy
    patient = _address(reference, "patient")
    response = _address(reference, "response")
    medication = _address(reference, "medication")
    questions = questionnaire(books, base=base)
    issues = _issues(reference, assessment, books, patient, response, medication, sent)
    agents: list[Json] = [{"reference": patient}]
    if proxy is not None:
        agents.append({"display": respondent_words(proxy, BASE_LANGUAGE)})
    if screening.patient.paper is not None:
        agents.append({"display": screening.patient.paper.typed_by})
    agents += [{"display": entry.by} for entry in screening.entries]
    source = {"identifier": {"value": f"sha256:{assessment.digest}"}}
    resources = {
        patient: _patient(screening),
        questions["url"]: questions,
        response: _response(screening, books, questions, base, patient, sent),
        **({medication: _medication(books[BASE_LANGUAGE].medicine)} if issues else {}),
        **issues,
        _address(reference, "provenance"): {
            "resourceType": "Provenance",
            "target": [{"reference": address} for address in (response, *issues)],
            "recorded": sent,
            "agent": [{"who": agent} for agent in agents],
            "entity": [{"role": "source", "what": source}],
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
    """Return the transaction Bundle that stores a screening and its PDF on a server.

    The server creates the Questionnaire, the first entry, only if it lacks this version. It creates
    each other resource only if it has none with the same identifier; identifiers depend on `name`.
    The patient is a contained resource, because only people at the server can match it to one of
    its patients.
    """
    questions = questionnaire(books, base=base)
    book = books[BASE_LANGUAGE]
    contained = [{**_patient(screening), "id": "patient"}]
    medication = {**_medication(book.medicine), "id": "medication"}
    sent = screening.submitted_at.isoformat(timespec="seconds")
    changed = screening.changed_at.isoformat(timespec="seconds")
    sha1 = hashlib.sha1(pdf, usedforsecurity=False).digest()  # as R4 requires
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
                    "hash": base64.b64encode(sha1).decode(),
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
    resources = {response: _response(screening, books, questions, base, patient, sent)}
    resources[response]["identifier"] = _identifier(response)
    for address, resource in {**issues, _address(name, "document"): document}.items():
        resources[address] = resource | {"identifier": [_identifier(address)]}
    url = questions["url"]
    version = questions["version"]
    entries = [_created(_address(url, version), questions, url=url, version=version)]
    for address, resource in resources.items():
        inside = [*contained, medication] if address in issues else contained
        whole = resource | {"contained": [*inside, *resource.get("contained", ())]}
        entries.append(_created(address, whole, identifier=f"{URI}|{address}"))
    return {"resourceType": "Bundle", "type": "transaction", "entry": entries}


def _created(address: str, resource: Json, **search: str) -> Json:
    """Return the entry that creates a resource unless the server finds one by this search."""
    kind = resource["resourceType"]
    request = {"method": "POST", "url": kind, "ifNoneExist": urlencode(search)}
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
    """Return a DetectedIssue for each finding, by its address.

    `patient`, `response` and `medication` are references.
    """
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
    codes = ((ATC, medicine.atc), (RXNORM, medicine.rxnorm))  # an old edition may lack RxNorm
    coding = [
        {"system": system, "code": code, "display": medicine.name} for system, code in codes if code
    ]
    return {"resourceType": "Medication", "code": {"coding": coding, "text": medicine.name}}


def _response(
    screening: Screening, books: Books, questions: Json, base: str, patient: str, sent: str
) -> Json:
    book = books.get(screening.language, books[BASE_LANGUAGE])
    items = _ResponseItems(books, book.language, canonical("CodeSystem", books, base))
    answers = screening.established
    response: Json = {
        "resourceType": "QuestionnaireResponse",
        "identifier": {"value": screening.reference},
        "questionnaire": f"{questions['url']}|{questions['version']}",
        "status": "amended" if answers != screening.answers else "completed",
        "subject": {"reference": patient},
        "authored": sent,
        "source": {"reference": patient},
        "language": book.language,
        "item": [items.answered(question, answers) for question in book.questions],
    }
    if screening.patient.respondent is not None:
        response["author"] = {"reference": patient}
    if (proxy := screening.patient.proxy) is not None:
        response["author"] = {
            "reference": "#respondent",
            "display": respondent_words(proxy, BASE_LANGUAGE),
        }
        # A guardian answers for the patient; others record the patient's own answers.
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


class _ResponseItems:
    """Answers as items of a QuestionnaireResponse, in the words that were shown.

    A text that is not in the language of the response has an extension with its language.
    """

    def __init__(self, books: Books, language: str, system: str) -> None:
        self.language = language
        self.system = system
        self.questions = {
            code: {question.id: question for question in book.asked()}
            for code, book in books.items()
        }

    def answered(self, question: Question, answers: Answers) -> Json:
        """Return the item of a question; a missing answer is left out."""
        main_answer = answers.get(question.id)
        if main_answer is None:
            return {"linkId": question.id, "text": question.ask}
        item = self.item(main_answer)
        inner = [
            self.item(answer)
            for follow_up in question.follow_ups
            if (answer := answers.get(follow_up.id)) is not None and answers.applies(follow_up)
        ]
        if inner:
            item["answer"][0]["item"] = inner
        return item

    def item(self, answer: Answer) -> Json:
        """Return the item of an answer."""
        return {
            "linkId": answer.id,
            **self.shown("text", answer.asked, answer),
            "answer": self.values(answer),
        }

    def values(self, answer: Answer) -> list[Json]:
        """Return the chosen options, or the patient's own words."""
        questions = self.questions.get(answer.language, self.questions[self.language])
        question = questions[answer.id]
        if question.kind is Kind.TEXT:
            return [self.shown("valueString", answer.shown, answer)]
        if isinstance(answer.value, str):
            chosen = {answer.value: answer.shown}
        else:
            labels = {option.id: option.label for option in question.options}
            chosen = {code: labels.get(code, code) for code in answer.value}
        values: list[Json] = []
        for code, text in chosen.items():
            display = self.shown("display", text, answer)
            values.append({"valueCoding": {"system": self.system, "code": code, **display}})
        return values

    def shown(self, name: str, text: str, answer: Answer) -> Json:
        """Return a text of an answer, with its language where that is not the response's."""
        if answer.language == self.language:
            return {name: text}
        return {
            name: text,
            f"_{name}": {"extension": [{"url": LANGUAGE, "valueCode": answer.language}]},
        }
