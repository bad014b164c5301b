"""Summaries whose pictures are in docs/pictures/golden.

`python -m tests.conformance.golden` draws them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pypdfium2
from PIL import Image

from screening.domain.answers import read_answers
from screening.domain.entries import Clarification, Decision, Review
from screening.printing.pdf import print_summary
from screening.reports.summary import Summary, summarise
from screening.settings import Settings
from tests.integration.test_printed_summary import (
    NO_TO_ALL,
    UNSURE,
    YES_TO_ALL,
    books,
    screening_of,
)

PICTURES = Path(__file__).parents[2] / "docs" / "pictures" / "golden"
COLOURS = 96  # more than black, white and a few accents with their soft edges need
SCALE = 100 / 72  # 100 dots to an inch
DETAILS = {
    "infection_symptoms": ["fever", "chills"],
    "infection_since": "3 days ago",
    "hypersensitivity_signs": ["rash_hives", "fever_chills_muscle_pain"],
    "hypersensitivity_reaction": "Rash",
    "iud_type": "copper",
    "vaccines_which": "Flu, by nose spray",
    "vaccines_when": "Next month",
}

MIXED = {
    **NO_TO_ALL,
    "pregnancy_planned": "yes",
    "infection": "unsure",
    "infection_symptoms": ["chills", "aches"],
    "hypersensitivity": "yes",
    "hypersensitivity_signs": ["rash_hives"],
    "hypersensitivity_reaction": "A rash on both arms, two weeks after I began, in 2019.",
    "vaccines": "yes",
    "vaccines_which": "Flu",
}


def cases() -> Iterator[tuple[str, Summary]]:
    """Yield a name and a summary of an invented patient."""
    yield "none", summary(NO_TO_ALL)
    yield "caution", summary({**NO_TO_ALL, "iud": "yes", "iud_type": "hormonal"})
    yield "clarify", summary(UNSURE)
    yield "private", summary({**NO_TO_ALL, "breastfeeding": "private", "vaccines": "yes"})
    infected = {
        **NO_TO_ALL,
        "infection": "yes",
        "infection_symptoms": ["fever", "chills"],
        "infection_since": "3 days ago",
    }
    yield "contraindication", summary(infected)
    yield "recorded", summary(infected, recorded=True)
    yield "mixed", summary(MIXED)
    yield "everything", summary({**YES_TO_ALL, **DETAILS})
    yield (
        "spanish",
        summary(
            {**YES_TO_ALL, **DETAILS}, name="فاطمة الزهراء", asked_in="en", clinic_language="es"
        ),
    )


def summary(
    values: dict[str, Any], *, recorded: bool = False, clinic_language: str = "en", **about: str
) -> Summary:
    """Return the summary of these answers; `recorded` adds a clarification and a decision."""
    screening = screening_of(values, **about)
    if recorded:
        at = datetime(2026, 11, 23, 10, 40, tzinfo=UTC)
        answers = read_answers(books()["en"], {"infection": "no"})
        items = tuple(item.id for item in books()["en"].questions[2].page)
        clarified = Clarification(
            by="Dr Sample", at=at, items=items, answers=answers, why="No fever for a week"
        )
        decided = Review(
            by="Dr Sample",
            at=at,
            decision=Decision.DEFER,
            until=date(2026, 12, 1),
            note="Blood count first",
            reason="",
        )
        screening = replace(screening, entries=(clarified, decided))
    clinic = Settings(
        instance=Path("nowhere"),
        public_url="https://screening.clinic.example",
        clinic_name="Sample Clinic",
        clinic_timezone="Europe/Madrid",
        clinic_language=clinic_language,
    )
    return summarise(screening, books(), clinic, "7F3K-9QWD-2MHX")


def pictures(summary: Summary) -> list[Image.Image]:
    """Return a picture of each page."""
    document = pypdfium2.PdfDocument(print_summary(summary).content)
    pages = [page.render(scale=SCALE).to_pil() for page in document]
    document.close()
    return pages


def name_of(case: str, number: int) -> Path:
    """Return the path of the picture of a page."""
    return PICTURES / f"{case}-{number}.png"


def main() -> None:
    """Draw all pictures, and remove those of former cases."""
    PICTURES.mkdir(exist_ok=True)
    drawn = set()
    for case, shown in cases():
        for number, picture in enumerate(pictures(shown), start=1):
            file = name_of(case, number)
            picture.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(
                file, optimize=True
            )
            drawn.add(file)
            print(f"Drew {file}", file=sys.stderr)
    for file in set(PICTURES.glob("*.png")) - drawn:
        file.unlink()


if __name__ == "__main__":
    main()
