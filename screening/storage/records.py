"""Patients, answers and entries as JSON, the form in which they are sealed."""

import json
from dataclasses import fields
from datetime import date, datetime
from typing import Any

from screening.domain.answers import Answer, Answers, Paper, Patient, Respondent, Role, Value
from screening.domain.entries import Clarification, Decision, Entry, Review


def encode(record: object, *, pad: int = 1) -> bytes:
    """JSON as compact UTF-8, filled up with spaces to a multiple of `pad` bytes.

    What is sealed keeps its length; without padding, the length would tell a short "no" from
    everything else.
    """
    plain = json.dumps(record, ensure_ascii=False, separators=(",", ":"), default=_plain).encode()
    return plain + b" " * (-len(plain) % pad)


def _plain(value: Any) -> object:
    """A day or moment in ISO 8601; one of our values as an object of its fields."""
    if isinstance(value, date):
        return value.isoformat()
    record = {field.name: getattr(value, field.name) for field in fields(value) if field.init}
    if isinstance(value, Patient):
        # older releases had none of these: their check codes, made of this, stay the same
        for name in ("respondent", "paper"):
            if record[name] is None:
                del record[name]
    return record


def decode(encoded: bytes) -> Any:
    """The plain values that `encode` was given."""
    return json.loads(encoded)


def patient(record: dict[str, Any]) -> Patient:
    """The patient that was encoded."""
    said = record.get("respondent")
    respondent = said and Respondent(role=Role(said["role"]), name=said["name"])
    paper = record.get("paper")
    return Patient(
        **record
        | {
            "birth_date": date.fromisoformat(record["birth_date"]),
            "respondent": respondent,
            "paper": paper
            and Paper(
                filled_in_at=datetime.fromisoformat(paper["filled_in_at"]),
                typed_by=paper["typed_by"],
            ),
        }
    )


def answers(record: dict[str, Any]) -> Answers:
    """The answers that were encoded."""
    return Answers(
        given=tuple(Answer(**one | {"value": _value(one["value"])}) for one in record["given"])
    )


def _value(encoded: Any) -> Value:
    return tuple(encoded) if isinstance(encoded, list) else encoded


def entry(record: dict[str, Any]) -> Entry:
    """The clarification or review that was encoded."""
    at = datetime.fromisoformat(record["at"])
    if "items" in record:
        established = {"items": tuple(record["items"]), "answers": answers(record["answers"])}
        return Clarification(**record | established | {"at": at})
    until = record["until"] and date.fromisoformat(record["until"])
    return Review(**record | {"at": at, "decision": Decision(record["decision"]), "until": until})
