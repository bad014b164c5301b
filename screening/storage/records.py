"""Patients and answers as JSON, the form in which they are sealed."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

from screening.domain.answers import Answer, Answers, Patient


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


def encode(record: object) -> bytes:
    """JSON as compact UTF-8."""
    return json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode()


def decode(encoded: bytes) -> Any:
    """The inverse of `encode`."""
    return json.loads(encoded)
