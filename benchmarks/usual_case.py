"""The usual case to print: a contraindication, an answer to clarify and a caution."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path

from screening.domain.answers import Patient, read_answers
from screening.domain.assessment import Screening
from screening.domain.evaluate import evaluate
from screening.domain.rules import RuleBook, Severity
from screening.printing.page import Attached
from screening.printing.pdf import fhir_attachment
from screening.printing.renderer import ELEMENTS, STYLES
from screening.reports.summary import Summary, summarise
from screening.rulebooks.load import load
from screening.settings import Settings

LANGUAGE = "en"
PAPER = "A4"


@cache
def books() -> Mapping[str, RuleBook]:
    """Return the rule book in each of its languages."""
    return load()


def book() -> RuleBook:
    """Return the rule book in the language of the summary."""
    return books()[LANGUAGE]


def usual_answers(number: int) -> dict[str, object]:
    """Return the answers as ids and plain values."""
    return {
        "pregnancy": "no",
        "pregnancy_planned": "no",
        "breastfeeding": "no",
        "infection": "yes",
        "infection_symptoms": ["fever", "chills"],
        "infection_since": f"For {number} days, since I was at the lake",
        "hypersensitivity": "unsure",
        "iud": "yes",
        "iud_type": "unsure",
        "vaccines": "no",
    }


def usual_patient(number: int) -> Patient:
    """Return the patient with this number."""
    return Patient(
        name=f"Maria Lindqvist {number}", birth_date=date(1988, 3, 12), visit=f"V-{number:06d}"
    )


def usual_screening(number: int) -> Screening:
    """Return the screening of a patient; each number has different text in the answers."""
    return Screening(
        reference=f"7F3K-{number:04d}",
        submitted_at=datetime(2026, 3, 2, 9, 30, tzinfo=UTC),
        language=LANGUAGE,
        patient=usual_patient(number),
        answers=read_answers(book(), usual_answers(number)),
        digest=book().edition.digest,
    )


def usual_source(number: int) -> Attached:
    """Return the answers and findings that are attached to the PDF."""
    screening = usual_screening(number)
    assessment = evaluate(book(), screening.answers)
    severities = [finding.severity for finding in assessment.findings]
    if severities != [Severity.CONTRAINDICATION, Severity.CLARIFY, Severity.CAUTION]:
        raise RuntimeError(
            f"the usual case is no longer one of each severity: {severities}; correct its answers"
        )
    return fhir_attachment(
        screening, assessment, books(), base="https://screening.clinic.example/fhir"
    )


def usual_summary(number: int) -> Summary:
    """Return the summary that the clinic prints."""
    clinic = Settings(
        instance=Path("nowhere"),
        clinic_name="Riverside Dermatology",
        clinic_timezone="Europe/Madrid",
        clinic_language=LANGUAGE,
    )
    return summarise(usual_screening(number), books(), clinic, "4T7Q-M2XD-9KHE")


def usual_style() -> str:
    """Return the style sheets of the printed page, for programs that have default margins."""
    sheets = ((STYLES / name).read_text(encoding="utf-8") for name in (ELEMENTS, "pdf.css"))
    return "".join(
        ("body, h1, h2, h3, p, ul, table, caption, th, td { margin: 0; padding: 0; }", *sheets)
    )
