"""The PDFs of several screenings as one file."""

from __future__ import annotations

import re
from io import BytesIO

import pytest
from flask import Flask
from pypdf import PdfReader
from sqlalchemy import select, update

from screening.extensions import db
from screening.installation import current_installation
from screening.services import print_several
from screening.storage import outbox
from screening.storage.tables import AuditRow, JobRow, ScreeningRow
from tests.integration.colleague import Colleague
from tests.integration.test_review import PREGNANT, sent

pytestmark = [pytest.mark.one_database, pytest.mark.prints]
both_databases = pytest.mark.both_databases


@pytest.fixture
def two(app: Flask) -> list[str]:
    """The references of two screenings."""
    return [sent(app, {}, name="Łukasz Ñandú"), sent(app, PREGNANT, name="Ana Two")]


def printed(app: Flask) -> list[str]:
    """What the audit log says was printed."""
    with app.app_context():
        query = select(AuditRow.subject).where(AuditRow.action == "printed")
        return list(db.session.scalars(query.order_by(AuditRow.number)))


def chosen(dr: Colleague, *references: str, **more: str) -> None:
    dr.get("/clinic/")
    dr.post("/clinic/print", {"reference": list(references), **more})


@both_databases
def test_those_chosen_are_one_file_with_a_bookmark_and_a_note_each(
    app: Flask, two: list[str]
) -> None:
    dr = Colleague(app)
    chosen(dr, *two)
    assert dr.page.mimetype == "application/pdf"
    pdf = PdfReader(BytesIO(dr.page.data))
    assert [item.title for item in pdf.outline] == [
        f"Łukasz Ñandú, {two[0]}",
        f"Ana Two, {two[1]}",
    ]
    for number, reference in enumerate(two):
        assert pdf.get_destination_page_number(pdf.outline[number]) == number
        assert reference in pdf.pages[number].extract_text()
    assert printed(app) == two
    with app.app_context():
        assert set(db.session.scalars(select(ScreeningRow.status))) == {"opened"}


def test_all_of_the_page_are_printed_in_its_order(app: Flask, two: list[str]) -> None:
    dr = Colleague(app)
    dr.get("/clinic/")
    walk = re.findall(r'name="all" value="([^"]+)"', dr.page.text)[0]
    dr.post("/clinic/print", {"all": walk})
    assert printed(app) == two[::-1]
    other = Colleague(app, "other")
    other.get("/clinic/")
    other.post("/clinic/print", {"all": walk})
    assert "Choose the screenings to print first" in other.text


def test_those_that_cannot_be_printed_are_named_and_the_others_offered(
    app: Flask, two: list[str]
) -> None:
    with app.app_context():
        row = db.session.scalars(select(ScreeningRow).where(ScreeningRow.reference == two[1])).one()
        stuck = update(JobRow).where(
            JobRow.screening_id == row.id,
            JobRow.kind == outbox.sealed_kind(current_installation().keys, outbox.SUMMARY),
        )
        db.session.execute(stuck.values(failed=True, fault="PrintingFailed"))
        db.session.commit()
    dr = Colleague(app)
    chosen(dr, *two, "0000-0000")
    assert dr.page.status_code == 503
    assert f"2 screenings cannot be printed now: {two[1]} , 0000-0000 ." in " ".join(
        dr.text.split()
    )
    assert printed(app) == []
    others = re.findall(r'name="reference" value="([^"]+)"', dr.page.text.rpartition("<form")[2])
    assert others == [two[0]]
    dr.post("/clinic/print", {"reference": others})
    assert printed(app) == [two[0]]


def test_nobody_waits_long_for_very_many(
    app: Flask, two: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(print_several, "PATIENCE", -1)
    dr = Colleague(app)
    chosen(dr, *two)
    assert dr.page.status_code == 503


def test_nothing_chosen_is_said(app: Flask, two: list[str]) -> None:
    dr = Colleague(app)
    chosen(dr)
    assert "Choose the screenings to print first" in dr.text


def test_staff_print_nothing(app: Flask, two: list[str]) -> None:
    staff = Colleague(app, "sam", "staff")
    staff.get("/clinic/")
    assert 'id="print"' not in staff.page.text
    staff.post("/clinic/print", {"reference": two})
    assert staff.page.status_code == 403
    assert printed(app) == []
