"""`/verify`: a page is from here and unchanged, or it is said that it is not."""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Any

import pytest
from flask import Flask
from pypdf import PdfReader
from sqlalchemy import Engine, event

from screening.domain.answers import NAME_LENGTH, TEXT_LENGTH
from screening.extensions import db
from screening.installation import current_installation
from screening.storage.search import normal_reference
from screening.web.uploads import FILE_BYTES
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
        content: bytes = current_installation().printer.pdf(reference)
    return content


@contextmanager
def recorded(engine: Engine) -> Iterator[list[str]]:
    """The statements that are sent to the database meanwhile."""
    statements: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_more: object) -> None:
        statements.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(engine, "before_cursor_execute", note)


def code_on(pdf: bytes) -> str:
    text = "".join(page.extract_text() for page in PdfReader(BytesIO(pdf)).pages)
    match = re.search(r"Check code (\S{14})", text)
    assert match is not None
    return match[1]


def upload(visitor: Visitor, content: bytes) -> str:
    visitor.get("/verify")
    token = re.search(r'name="csrf_token"[^>]* value="([^"]+)"', visitor.page.text)
    assert token is not None
    # Written out here: Flask's test client would put a large file on the disk and forget to close
    # it.
    parts = [b'--x\r\nContent-Disposition: form-data; name="csrf_token"\r\n', token[1].encode()]
    parts += [
        b'--x\r\nContent-Disposition: form-data; name="pdf"; filename="summary.pdf"\r\n',
        content,
        b"--x--\r\n",
    ]
    kind = "multipart/form-data; boundary=x"
    visitor.page = visitor.client.post("/verify", data=b"\r\n".join(parts), content_type=kind)
    assert NAME not in visitor.text
    return visitor.text


def test_an_unchanged_file_is_known(app: Flask, pdf: bytes) -> None:
    text = upload(Visitor(app), pdf)
    assert "This PDF is from Our clinic and is unchanged" in text
    assert "as the patient sent it" in text
    assert "newer edition" not in text


def test_one_changed_byte_anywhere_is_found(app: Flask, pdf: bytes) -> None:
    """The first and last bytes, and many in between; each with another bit changed."""
    chance = random.Random(20261123)
    visitor = Visitor(app)
    places = [0, 1, len(pdf) - 1, *chance.sample(range(len(pdf)), 200)]
    for place in places:
        changed = bytearray(pdf)
        changed[place] ^= 1 << chance.randrange(8)
        text = upload(visitor, bytes(changed))
        assert "unchanged" not in text, place
        assert "This file is not known here" in text
    staff = Colleague(app, "reception", "staff")
    for other in (pdf + b"\n", pdf[:-1], pdf[1:]):
        assert "This file is not known here" in upload(visitor, other)
        assert "This PDF has been changed" in upload(staff, other)


def test_strangers_do_not_learn_whether_a_reference_exists(app: Flask, pdf: bytes) -> None:
    """The same answer after the same questions to the database."""
    found = re.search(rb"\b[0-9A-Z]{4}-[0-9A-Z]{4}\b", pdf)
    assert found is not None
    known = found[0].decode()
    made_up = known[:-1] + ("A" if known[-1] != "A" else "B")
    ended = Colleague(app, "away", "staff")
    flask(app, "people", "disable", "away")

    def asked(who: Visitor, reference: str) -> tuple[str, int]:
        who.get("/verify")
        with app.app_context(), recorded(db.engine) as statements:
            who.get(f"/verify?code={reference}")
            by_code = who.text
            by_file = upload(who, b"%PDF-1.7 " + reference.encode())
        return (by_code + by_file).replace(reference, ""), len(statements)

    begun = Colleague(app, "begun", "staff")  # has given a password, but not set up the code
    flask(app, "people", "require-totp", "begun")
    for stranger in (Visitor(app), ended, begun, Colleague(app, "it", "admin")):
        assert asked(stranger, known) == asked(stranger, made_up)
    for role in ("staff", "prescriber"):
        colleague = Colleague(app, role, role)
        assert "This PDF has been changed" in asked(colleague, known)[0]
        assert "This PDF has been changed" not in asked(colleague, made_up)[0]


def test_what_is_not_from_here_is_not_known(app: Flask, pdf: bytes) -> None:
    visitor = Visitor(app)
    for content in (b"%PDF-1.7 anything", b"x", pdf.replace(b"-", b"_")):
        assert "This file is not known here" in upload(visitor, content)
    visitor.get("/verify")
    assert "Choose the PDF" in visitor.post("/verify", {}).text
    assert "This file is not known here" in upload(visitor, b"x" * (FILE_BYTES + 1))
    assert visitor.page.status_code == 413


def test_a_code_is_known_as_people_type_it(app: Flask, pdf: bytes) -> None:
    visitor = Visitor(app)
    code = code_on(pdf)
    for typed in (code, code.lower(), code.replace("-", " "), f" {code} "):
        visitor.get(f"/verify?code={typed}")
        assert "has made a summary with this check code" in visitor.text, typed
        assert NAME not in visitor.text
    other = code[:-1] + ("A" if code[-1] != "A" else "B")
    visitor.get(f"/verify?code={other}")
    assert "This check code is not known here" in visitor.text


def test_look_alikes_are_read_as_one() -> None:
    assert normal_reference("o1il 0abc-defg") == "0111-0ABC-DEFG"


def test_the_qr_code_leads_to_the_code(app: Flask, pdf: bytes) -> None:
    """What it says is in the tag tree, for whoever does not see it."""
    root: Any = PdfReader(BytesIO(pdf)).trailer["/Root"]
    address = re.search(
        rf"QR: (\S+code={code_on(pdf)})", str(alternatives(root["/StructTreeRoot"]))
    )
    assert address is not None
    visitor = Visitor(app)
    visitor.get(address[1].removeprefix("http://127.0.0.1:8000"))
    assert "has made a summary with this check code" in visitor.text


def alternatives(element: Any) -> list[str]:
    """The alternative texts below an element of the tag tree."""
    texts = [str(element["/Alt"])] if "/Alt" in element else []
    kids = element.get("/K", [])
    for kid in kids if isinstance(kids, list) else [kids]:
        if hasattr(child := kid.get_object(), "get"):
            texts += alternatives(child)
    return texts


def test_the_largest_summary_can_be_checked(app: Flask) -> None:
    """Every field full, of characters that are all different."""
    signs = (chr(code) for code in itertools.count(0x4E00))

    def full(length: int) -> str:
        return "".join(itertools.islice(signs, length))

    texts = {"infection_since": full(TEXT_LENGTH), "hypersensitivity_reaction": full(TEXT_LENGTH)}
    texts |= {"vaccines_which": full(TEXT_LENGTH), "vaccines_when": full(TEXT_LENGTH)}
    yes = dict.fromkeys(("infection", "hypersensitivity", "vaccines"), "yes")
    reference = sent(app, {"all": {**yes, **texts}}, name=full(NAME_LENGTH))
    with app.app_context():
        pdf = current_installation().printer.pdf(reference)
    assert 400_000 < len(pdf) < FILE_BYTES / 2
    assert "unchanged" in upload(Visitor(app), pdf)


def test_a_client_that_goes_while_it_sends_too_much_is_no_fault_of_ours(
    app: Flask, caplog: pytest.LogCaptureFixture
) -> None:
    class Gone(BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise ConnectionResetError

    page = Visitor(app).client.post(
        "/verify",
        input_stream=Gone(),
        environ_overrides={"CONTENT_LENGTH": str(10**8)},
        content_type="multipart/form-data; boundary=x",
    )
    assert page.status_code == 413
    assert "incident" not in caplog.text


def test_an_older_edition_is_known_as_such(app: Flask, pdf: bytes) -> None:
    dr = Colleague(app)
    reference = re.search(rb"\b[0-9A-Z]{4}-[0-9A-Z]{4}\b", pdf)
    assert reference is not None
    dr.clarify(reference[0].decode(), "infection", infection="no")
    text = upload(Visitor(app), pdf)
    assert "unchanged" in text
    assert "There is a newer edition" in text
    with app.app_context():
        newer = current_installation().printer.pdf(reference[0].decode())
    text = upload(Visitor(app), newer)
    assert "with 1 entry by the clinic" in text
    assert "There is a newer edition" not in text


def test_only_prescribers_are_led_to_the_screening(app: Flask, pdf: bytes) -> None:
    for who in (Visitor(app), Colleague(app, "reception", "staff"), Colleague(app, "it", "admin")):
        upload(who, pdf)
        assert "/clinic/screenings/" not in who.page.text
    dr = Colleague(app, "dr")
    upload(dr, pdf)
    assert "/clinic/screenings/" in dr.page.text
