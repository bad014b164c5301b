"""Summaries look as in docs/pictures/golden, region by region; the outcome is in the top third."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache

import pypdfium2
import pytest
from PIL import Image, ImageChops

from screening.printing.pdf import print_summary
from screening.reports.summary import Summary
from tests.conformance.golden import cases, name_of, pictures

CASES = dict(cases())
REGION = (9, 12)  # dots: about one digit
# Of 255, on average over a region. The reduced colours of a stored picture cause at most 7, a wrong
# digit more than 25.
SLIGHT = 14


def changed(picture: Image.Image, golden: Image.Image) -> list[tuple[int, int]]:
    """Return the regions that differ, by their first pixel."""
    assert picture.size == golden.size
    differences = ImageChops.difference(picture.convert("L"), golden.convert("L"))
    across = picture.width // REGION[0]
    down = picture.height // REGION[1]
    means = differences.resize((across, down), Image.Resampling.BOX).get_flattened_data()
    return [
        (place % across * REGION[0], place // across * REGION[1])
        for place, mean in enumerate(means)
        if mean > SLIGHT
    ]


@cache
def printed(name: str) -> list[Image.Image]:
    return pictures(CASES[name])


def kept(name: str, number: int) -> Image.Image:
    file = name_of(name, number)
    if not file.exists():
        pytest.fail(f"{file} is missing; draw it with: make screenshots")
    return Image.open(file)


@pytest.mark.parametrize("name", CASES)
def test_each_page_looks_as_it_did(name: str) -> None:
    for number, picture in enumerate(printed(name), start=1):
        places = changed(picture, kept(name, number))
        assert places == [], (
            f"page {number} differs at {places[:5]}; look at it, then: make screenshots"
        )
    assert not name_of(name, len(printed(name)) + 1).exists()


@pytest.mark.parametrize(
    "change",
    [
        {"born": "14-Mar-1995 (31y)"},
        {"submitted": "23-Nov-2026 11:03 CET"},
        {"reference": "7F3K-9QWO"},
        {"check_code": "7F3K-9QWD-2MHY"},
        {"headline": "Contraindicatiom reported"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_one_wrong_character_is_found(change: dict[str, str]) -> None:
    """Test that the comparison above can fail."""
    assert changed(pictures(replace(CASES["mixed"], **change))[0], kept("mixed", 1))


def boxes(summary: Summary, *texts: str) -> Iterator[tuple[float, float]]:
    """Yield top and bottom of each text on page 1, as fractions of the page's height from above."""
    document = pypdfium2.PdfDocument(print_summary(summary).content)
    page = document[0]
    words = page.get_textpage()
    height = page.get_height()
    for text in texts:
        match = words.search(text).get_next()
        assert match is not None, text
        tops = [words.get_charbox(match[0] + offset) for offset in range(match[1])]
        yield (
            1 - max(top for _, _, _, top in tops) / height,
            1 - min(bottom for _, bottom, _, _ in tops) / height,
        )
    document.close()


@pytest.mark.parametrize("name", CASES)
def test_patient_outcome_and_first_reason_are_in_the_top_third(name: str) -> None:
    summary = CASES[name]
    texts = [summary.born, summary.reference, summary.headline, summary.sentence[:30]]
    if summary.name.isascii():  # right-to-left text is found in another order
        texts.append(summary.name)
    if summary.findings:
        first = summary.findings[0]
        texts += [first.title, first.reported[0].text, first.reason[:20] or first.source]
    assert all(bottom < 1 / 3 for _, bottom in boxes(summary, *texts))
