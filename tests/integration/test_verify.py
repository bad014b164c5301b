"""`/verify`: a page is from here and unchanged, or it is said that it is not."""

from __future__ import annotations

import random
import re
from io import BytesIO

import pytest
from flask import Flask
from pypdf import PdfReader

from screening.extensions import installation
from screening.web.verify import FILE_BYTES
from tests.integration.colleague import Colleague
from tests.integration.test_review import sent
from tests.integration.test_upkeep import flask
from tests.integration.visitor import Visitor

pytestmark = pytest.mark.one_database

NAME = "Zyxwvutina Markerova"


@pytest.fixture
def pdf(app: Flask) -> bytes:
    """A signed summary."""
    flask(app, "signing-key", "create")
    reference = sent(app, name=NAME)
    with app.app_context():
        content: bytes = installation().printer.pdf(reference)
    return content


def code_on(pdf: bytes) -> str:
    text = "".join(page.extract_text() for page in PdfReader(BytesIO(pdf)).pages)
    found = re.search(r"Check code (\S{14})", text)
    assert found is not None
    return found[1]


def upload(visitor: Visitor, content: bytes) -> str:
    visitor.get("/verify")
    visitor.post("/verify", {"pdf": (BytesIO(content), "summary.pdf")})
    assert NAME not in visitor.text
    return visitor.text


def test_an_unchanged_file_is_known(app: Flask, pdf: bytes) -> None:
    text = upload(Visitor(app), pdf)
    assert "This PDF is from Our clinic and unchanged" in text
    assert "as the patient sent it" in text
    assert "newer edition" not in text


def test_one_changed_byte_anywhere_is_found(app: Flask, pdf: bytes) -> None:
    """The first and last bytes, and many in between; each with another bit changed."""
    chance, visitor = random.Random(20261123), Visitor(app)
    places = [0, 1, len(pdf) - 1, *chance.sample(range(len(pdf)), 200)]
    for place in places:
        changed = bytearray(pdf)
        changed[place] ^= 1 << chance.randrange(8)
        text = upload(visitor, bytes(changed))
        assert "unchanged" not in text, place
        assert "This PDF was changed" in text or "This file is not known here" in text
    for other in (pdf + b"\n", pdf[:-1], pdf[1:]):
        assert "This PDF was changed" in upload(visitor, other)


def test_what_is_not_from_here_is_not_known(app: Flask, pdf: bytes) -> None:
    visitor = Visitor(app)
    for content in (b"%PDF-1.7 anything", b"x", pdf.replace(b"-", b"_")):
        assert "This file is not known here" in upload(visitor, content)
    visitor.get("/verify")
    assert "Choose the PDF" in visitor.post("/verify", {}).text
    assert visitor.post("/verify", {"pdf": (BytesIO(b"x" * (FILE_BYTES + 1)), "large.pdf")}).status_code == 413


def test_a_code_is_known_as_people_type_it(app: Flask, pdf: bytes) -> None:
    visitor, code = Visitor(app), code_on(pdf)
    for typed in (code, code.lower(), code.replace("-", " "), code.replace("0", "O").replace("1", "l")):
        visitor.get(f"/verify?code={typed}")
        assert "has made a summary with this check code" in visitor.text, typed
        assert NAME not in visitor.text
    other = code[:-1] + ("A" if code[-1] != "A" else "B")
    visitor.get(f"/verify?code={other}")
    assert "This check code is not known here" in visitor.text


def test_the_printed_address_leads_to_the_code(app: Flask, pdf: bytes) -> None:
    text = "".join(page.extract_text() for page in PdfReader(BytesIO(pdf)).pages).replace("\n", " ")
    assert "http://127.0.0.1:8000/verify" in text


def test_an_older_edition_is_known_as_such(app: Flask, pdf: bytes) -> None:
    dr = Colleague(app)
    reference = re.search(rb"\b[0-9A-Z]{4}-[0-9A-Z]{4}\b", pdf)
    assert reference is not None
    dr.clarify(reference[0].decode(), "infection", infection="no")
    text = upload(Visitor(app), pdf)
    assert "unchanged" in text
    assert "There is a newer edition" in text
    with app.app_context():
        newer = installation().printer.pdf(reference[0].decode())
    text = upload(Visitor(app), newer)
    assert "with 1 record of the clinic" in text
    assert "There is a newer edition" not in text


def test_only_prescribers_are_led_to_the_screening(app: Flask, pdf: bytes) -> None:
    for who in (Visitor(app), Colleague(app, "reception", "staff"), Colleague(app, "it", "admin")):
        upload(who, pdf)
        assert "/clinic/screenings/" not in who.page.text
    dr = Colleague(app, "dr")
    upload(dr, pdf)
    assert "/clinic/screenings/" in dr.page.text
