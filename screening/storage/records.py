"""Patients, answers and entries as JSON, which is then sealed."""

import json
from dataclasses import fields
from datetime import date, datetime
from typing import Any

from screening.domain.answers import Answer, Answers, Paper, Patient, Respondent, Role, Value
from screening.domain.entries import Clarification, Decision, Entry, Review


def encode(record: object, *, pad: int = 1) -> bytes:
    """Return a record as compact JSON in UTF-8, padded with spaces to a multiple of `pad` bytes.

    Sealing keeps the length: without padding, it would distinguish a short "no" from other answers.
    """
    plain = json.dumps(record, ensure_ascii=False, separators=(",", ":"), default=_plain).encode()
    return plain + b" " * (-len(plain) % pad)


def _plain(value: Any) -> object:
    """Return a date or datetime in ISO 8601, and a dataclass as a dictionary of its fields."""
    if isinstance(value, date):
        return value.isoformat()
    record = {field.name: getattr(value, field.name) for field in fields(value) if field.init}
    if isinstance(value, Patient):
        # Older releases had none of these; the check codes of their screenings stay the same.
        for name in ("respondent", "paper"):
            if record[name] is None:
                del record[name]
    return record


def decode(encoded: bytes) -> Any:
    """Return the value that was encoded, made of dictionaries, lists and strings."""
    return json.loads(encoded)


def patient(record: dict[str, Any]) -> Patient:
    """Return the patient of a decoded record."""
    stored = record.get("respondent")
    respondent = stored and Respondent(role=Role(stored["role"]), name=stored["name"])
    paper = record.get("paper")
    if paper is not None:
        filled_in_at = datetime.fromisoformat(paper["filled_in_at"])
        paper = Paper(filled_in_at=filled_in_at, typed_by=paper["typed_by"])
    read = {"birth_date": date.fromisoformat(record["birth_date"]), "respondent": respondent}
    return Patient(**record | read | {"paper": paper})


def answers(record: dict[str, Any]) -> Answers:
    """Return the answers of a decoded record."""
    stored = record["given"]
    return Answers(given=tuple(Answer(**row | {"value": _value(row["value"])}) for row in stored))


def _value(encoded: Any) -> Value:
    return tuple(encoded) if isinstance(encoded, list) else encoded


def entry(record: dict[str, Any]) -> Entry:
    """Return the clarification or review of a decoded record."""
    at = datetime.fromisoformat(record["at"])
    if "items" in record:
        established = {"items": tuple(record["items"]), "answers": answers(record["answers"])}
        return Clarification(**record | established | {"at": at})
    until = record["until"] and date.fromisoformat(record["until"])
    return Review(**record | {"at": at, "decision": Decision(record["decision"]), "until": until})
