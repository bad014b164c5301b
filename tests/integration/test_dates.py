"""Dates in the format of the clinic's region, and the message for each part that is invalid."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from flask import Flask

from screening.reports.paper import date_part_order
from screening.services.dates import day_number
from screening.settings import InvalidSettings, Settings, load_settings
from tests.integration.test_paper import text_of
from tests.integration.test_patient_way import stored
from tests.integration.visitor import Visitor

pytestmark = pytest.mark.one_database

DAY = "birth_day"
MONTH = "birth_month"
YEAR = "birth_year"


@pytest.mark.parametrize(
    ("region", "language", "order"),
    [
        ("", "en", [MONTH, DAY, YEAR]),
        ("", "es", [DAY, MONTH, YEAR]),
        ("US", "en", [MONTH, DAY, YEAR]),
        ("US", "es", [DAY, MONTH, YEAR]),
        ("GB", "en", [DAY, MONTH, YEAR]),
        ("GB", "es", [DAY, MONTH, YEAR]),
        ("MX", "en", [DAY, MONTH, YEAR]),  # CLDR has no English of Mexico
        ("TW", "zh-Hant", [YEAR, MONTH, DAY]),
    ],
)
def test_the_region_gives_the_order_of_a_date_in_each_language(
    tmp_path: Path, region: str, language: str, order: list[str]
) -> None:
    settings = Settings(instance=tmp_path, clinic_region=region)
    assert date_part_order(settings.locale(language)) == order
    assert settings.locale(language).language == language[:2]


@pytest.mark.parametrize(("written", "read"), [("gb", "GB"), ("", ""), (" ES ", "ES")])
def test_the_region_is_two_letters(tmp_path: Path, written: str, read: str) -> None:
    environ = {"SCREENING_INSTANCE": str(tmp_path), "SCREENING_CLINIC_REGION": written}
    assert load_settings(environ).clinic_region == read


@pytest.mark.parametrize("written", ["UK", "England", "001", "en_GB"])
def test_what_is_no_region_is_refused(tmp_path: Path, written: str) -> None:
    environ = {"SCREENING_INSTANCE": str(tmp_path), "SCREENING_CLINIC_REGION": written}
    with pytest.raises(InvalidSettings, match="write its two letters, such as US, GB or ES"):
        load_settings(environ)


@pytest.mark.parametrize(
    ("typed", "day"),
    [
        ("12", 12),
        ("12th", 12),
        ("12 th", 12),
        ("1ST", 1),
        ("1er", 1),
        ("1º", 1),
        ("1.º", 1),
        ("1°", 1),
        ("12.", 12),
        ("٣", 3),
        ("1 2", None),
        ("12x", None),
        ("th", None),
        ("", None),
    ],
)
def test_a_day_may_be_an_ordinal(typed: str, day: int | None) -> None:
    assert day_number(typed) == day


def names_of_inputs(visitor: Visitor) -> list[str]:
    return re.findall(r'<input type="text" id="(birth_\w+)"', visitor.page.text)


def linked(visitor: Visitor) -> list[str]:
    return re.findall(r'<li><a href="#(\w+)">', visitor.page.text)


def test_a_british_patient_types_and_reads_dates_as_at_home(make_app: Callable[..., Flask]) -> None:
    app = make_app(clinic_region="GB")
    visitor = Visitor(app)
    visitor.begin(**dict.fromkeys((DAY, MONTH, YEAR), ""))
    assert names_of_inputs(visitor) == [DAY, MONTH, YEAR]
    assert "For example, 27 3 1985. Use the Western calendar." in visitor.text
    assert linked(visitor) == [DAY]
    visitor.fill_in(**dict(zip(names_of_inputs(visitor), ("4th", "3", "1952"), strict=True)))
    assert "4 March 1952" in visitor.text
    reference = visitor.send()
    assert "4 March 1952" in visitor.get("/copy").text
    assert stored(app, reference).patient.birth_date == date(1952, 3, 4)


def test_errors_lead_to_each_part_at_fault_in_the_order_shown(
    make_app: Callable[..., Flask],
) -> None:
    visitor = Visitor(make_app(clinic_region="US"))
    visitor.begin(name="", birth_day="45", birth_month="", birth_year="85", visit="9" * 41)
    assert names_of_inputs(visitor) == [MONTH, DAY, YEAR]
    assert linked(visitor) == ["name", MONTH, DAY, YEAR, "visit"]
    for part in (MONTH, DAY, YEAR):
        assert re.search(
            rf'id="{part}"[^>]* aria-invalid="true" aria-describedby="{part}-error"',
            visitor.page.text,
        )
        assert f'id="{part}-error"' in visitor.page.text
    visitor.begin(birth_day="", birth_month="", birth_year="")
    assert linked(visitor) == [MONTH]


@pytest.mark.parametrize(("region", "order"), [("GB", "DayMonthYear"), ("US", "MonthDayYear")])
def test_the_form_on_paper_has_the_same_order(
    make_app: Callable[..., Flask], region: str, order: str
) -> None:
    assert order in text_of(Visitor(make_app(clinic_region=region)).get("/paper/form/en.pdf").data)
