"""Patients, answers and entries as JSON, the form in which they are sealed."""

import json
from datetime import date, datetime
from typing import Any

from screening.domain.answers import Answer, Answers, Patient
from screening.domain.entries import Clarification, Decision, Entry, Review


def patient_to_json(patient: Patient) -> dict[str, str]:
    """As plain values; the date of birth in ISO 8601."""
    return {"name": patient.name, "birth_date": patient.birth_date.isoformat(), "visit": patient.visit}


def patient_from_json(record: dict[str, Any]) -> Patient:
    """The inverse of `patient_to_json`."""
    return Patient(name=record["name"], birth_date=date.fromisoformat(record["birth_date"]), visit=record["visit"])


def answers_to_json(answers: Answers) -> list[dict[str, Any]]:
    """As a list of plain values, one per answer."""
    return [
        {"id": one.id, "value": one.value, "asked": one.asked, "shown": one.shown, "language": one.language}
        for one in answers.given
    ]


def answers_from_json(record: list[dict[str, Any]]) -> Answers:
    """The inverse of `answers_to_json`."""
    return Answers(
        given=tuple(
            Answer(**{**one, "value": tuple(one["value"]) if isinstance(one["value"], list) else one["value"]})
            for one in record
        )
    )


def entry_to_json(entry: Entry) -> dict[str, Any]:
    """A clarification or review as plain values, without its time, which stands beside it."""
    if isinstance(entry, Clarification):
        return {
            "by": entry.by,
            "items": list(entry.items),
            "answers": answers_to_json(entry.answers),
            "why": entry.why,
        }
    return {
        "by": entry.by,
        "decision": entry.decision.value,
        "until": entry.until.isoformat() if entry.until else None,
        "note": entry.note,
        "reason": entry.reason,
    }


def entry_from_json(record: dict[str, Any], at: datetime) -> Entry:
    """The inverse of `entry_to_json`."""
    if "items" in record:
        answers = answers_from_json(record["answers"])
        return Clarification(by=record["by"], at=at, items=tuple(record["items"]), answers=answers, why=record["why"])
    return Review(
        by=record["by"],
        at=at,
        decision=Decision(record["decision"]),
        until=date.fromisoformat(record["until"]) if record["until"] else None,
        note=record["note"],
        reason=record["reason"],
    )


def encode(record: object, *, pad: int = 1) -> bytes:
    """JSON as compact UTF-8, filled up with spaces to a multiple of `pad` bytes.

    What is sealed keeps its length; without padding, the length would tell a short "no" from everything else.
    """
    plain = json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode()
    return plain + b" " * (-len(plain) % pad)


def decode(encoded: bytes) -> Any:
    """The inverse of `encode`."""
    return json.loads(encoded)
