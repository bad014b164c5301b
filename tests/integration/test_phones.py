"""Telephone numbers are links, on pages and in PDFs; the emergency number is the clinic's."""

from __future__ import annotations

import io
import re
from collections.abc import Callable

import pytest
from flask import Flask
from pypdf import PdfReader

from tests.integration.test_paper import text_of
from tests.integration.test_printed_summary import words
from tests.integration.visitor import Visitor

pytestmark = pytest.mark.one_database

EMERGENCY = '<a class="phone" dir="ltr" href="tel:112">112</a>'
CLINIC = '<a class="phone" dir="ltr" href="tel:+34555010">+34 (555) 0-10</a>'
MARKED = "Emergency number, from Our clinic: 112"


@pytest.fixture
def reachable(make_app: Callable[..., Flask]) -> Visitor:
    return Visitor(make_app(clinic_phone="+34 (555) 0-10", emergency_phone="112"))


def boxes(visitor: Visitor) -> list[str]:
    return re.findall(r'class="notice">(.*?)</(?:div|section)>', visitor.page.text, re.DOTALL)


def test_they_call_from_the_start_the_end_and_the_leaflet(reachable: Visitor) -> None:
    (start,) = boxes(reachable)
    assert EMERGENCY in start
    assert CLINIC in start
    assert MARKED in " ".join(reachable.text.split())
    reachable.fill_in()
    reachable.send()
    (end,) = boxes(reachable)
    assert EMERGENCY in end
    assert CLINIC in end
    reachable.get("/leaflet")
    urgent = boxes(reachable)
    assert len(urgent) == reachable.page.text.count(EMERGENCY) == 2
    assert all(EMERGENCY in box for box in urgent)


@pytest.mark.parametrize("path", ["/paper/leaflet/en.pdf", "/paper/form/en.pdf", "/copy.pdf"])
def test_they_stand_on_paper_and_call_from_it(reachable: Visitor, path: str) -> None:
    reachable.fill_in()
    reachable.send()
    pdf = reachable.get(path).data
    assert words(MARKED) in text_of(pdf)
    notes = (
        note.get_object()
        for page in PdfReader(io.BytesIO(pdf)).pages
        for note in page.get("/Annots", ())
    )
    assert {note["/A"]["/URI"] for note in notes} == {"tel:112", "tel:+34555010"}


def test_without_numbers_nothing_stands_there(app: Flask) -> None:
    visitor = Visitor(app)
    assert "tel:" not in visitor.page.text
    assert "Emergency number" not in visitor.text


def test_before_and_after_sending_patients_read_that_nobody_reads_it_right_away(
    visitor: Visitor,
) -> None:
    nobody = "nobody reads it right away"
    (start,) = boxes(visitor)
    assert nobody in start
    assert "Tell staff now, or call your local emergency number." in start
    assert words(nobody) in text_of(visitor.get("/paper/form/en.pdf").data)
    visitor.get("/")
    visitor.fill_in()
    visitor.send()
    (end,) = boxes(visitor)
    assert "Nobody reads this right away" in end
    assert "tell staff or call the clinic" in end
    assert words("Nobody reads this right away") in text_of(visitor.get("/copy.pdf").data)


def test_after_sending_patients_read_to_change_no_medicine_because_of_the_form(
    visitor: Visitor,
) -> None:
    visitor.fill_in()
    visitor.send()
    assert "Do not stop or start any medicine because of this form." in visitor.text
