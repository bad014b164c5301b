"""Screenings as rows of a spreadsheet (CSV)."""

from screening.domain.assessment import Assessment, Screening
from screening.domain.rules import RuleBook

# A cell that begins so would be taken for a formula, and may run one; the apostrophe itself is escaped too.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "'")
FIXED = ("reference", "sent", "language", "patient", "born", "visit", "outcome", "findings", "status", "decision")


def columns(book: RuleBook) -> list[str]:
    """The head of the table."""
    return [*FIXED, *(item.id for item in book.asked())]


def row(screening: Screening, assessment: Assessment, book: RuleBook) -> dict[str, str]:
    """One screening by column, with what was established since in place of the patient's answers."""
    patient, review, answers = screening.patient, screening.review, screening.established
    values = {item.id: answers.value(item.id) or "" for item in book.asked()}
    return {
        "reference": screening.reference,
        "sent": screening.submitted_at.isoformat(timespec="seconds"),
        "language": screening.language,
        "patient": cell(patient.name),
        "born": patient.birth_date.isoformat(),
        "visit": cell(patient.visit),
        "outcome": assessment.outcome.word,
        "findings": "; ".join(finding.rule for finding in assessment.findings),
        "status": screening.status.value,
        "decision": review.decision.value if review else "",
        **{asked: cell("; ".join(value) if isinstance(value, tuple) else value) for asked, value in values.items()},
    }


def cell(text: str) -> str:
    """The text, with an apostrophe before it where a spreadsheet would read a formula (to be taken away again)."""
    return f"'{text}" if text.startswith(_FORMULA) else text
