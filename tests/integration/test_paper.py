"""The paper form asks and says the same as the screen, in each language, and nothing else."""

from __future__ import annotations

import io
import re
from html import unescape
from typing import Any

import pypdfium2
import pytest
from flask import Flask
from lxml.html import fragment_fromstring
from pypdf import PdfReader
from sqlalchemy import select

from screening import background
from screening.domain.assessment import Screening
from screening.domain.rules import RuleBook
from screening.extensions import db
from screening.printing import paper as printed_paper
from screening.printing.renderer_process import Printed, PrintingFailed
from screening.settings import Settings
from screening.storage import summaries
from screening.storage.tables import CopyRow
from screening.web import pdf
from tests.builders import book
from tests.integration.colleague import Colleague
from tests.integration.test_printed_summary import words
from tests.integration.test_review import sent
from tests.integration.test_upkeep import change, flask
from tests.integration.visitor import NO_TO_ALL, Visitor
from tests.storing import book_in_force

LANGUAGES = ("en", "es")
LARGE = 18  # points

pytestmark = [pytest.mark.one_database, pytest.mark.prints]


def text_of(pdf: bytes) -> str:
    """The words without spaces, and without what stands in the margins."""
    margins = (
        r"(?:Name\s+Date of birth|Nombre\s+Fecha de nacimiento)?\s*"
        r"Our clinic · azathioprine 2026\.\d+\s+\d+ / \d+\s*$"
    )
    pages = (page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages)
    return words("".join(re.sub(margins, "", page) for page in pages))


def shown(html: str) -> str:
    """The words of a piece of a page without spaces."""
    return words(unescape(re.sub(r"<[^>]+>", " ", html)))


def screens(app: Flask, code: str) -> list[str]:
    """Return the texts of each question's page, from "Question 1 of 6" on, follow-ups last."""
    visitor = Visitor(app)
    texts = []
    visitor.post("/language", {"language": code})
    visitor.begin()
    for question, values in NO_TO_ALL.items():
        page = visitor.get(f"/questions/{question}").text
        asked = re.search(
            r'<p class="progress">.*?(?=<button type="submit" class="primary">)', page, re.DOTALL
        )
        assert asked is not None
        parsed = fragment_fromstring(asked[0], create_parent=True)
        for choices in parsed.find_class("choices"):
            choices.extend(
                choice for choice in list(choices) if "follow-up" in choice.get("class", "")
            )
        texts.append(words(parsed.text_content()))
        visitor.post(f"/questions/{question}", values)
    return texts


@pytest.mark.parametrize("kind", ["form", "form-large"])
@pytest.mark.parametrize("code", LANGUAGES)
def test_the_form_asks_what_the_screen_asks_word_for_word(app: Flask, code: str, kind: str) -> None:
    page = text_of(Visitor(app).get(f"/paper/{kind}/{code}.pdf").data)
    asked = screens(app, code)
    assert len(asked) == len(book(code).questions)
    # follow-ups of long questions may be on another sheet
    on_screen = re.sub(r"(inquestion|enlapregunta)\d", "", page)
    assert on_screen.endswith("".join(asked))


@pytest.mark.parametrize("kind", ["form", "form-large"])
def test_every_sheet_of_the_form_has_room_for_name_and_date_of_birth(app: Flask, kind: str) -> None:
    pages = PdfReader(io.BytesIO(Visitor(app).get(f"/paper/{kind}/en.pdf").data)).pages
    assert len(pages) > 2
    assert all(re.search(r"Name\s+Date of birth", page.extract_text()) for page in pages)


@pytest.mark.parametrize("kind", ["form", "form-large"])
def test_every_sheet_of_the_form_names_the_edition_of_its_questions(app: Flask, kind: str) -> None:
    edition = book_in_force(app).edition
    for page in PdfReader(io.BytesIO(Visitor(app).get(f"/paper/{kind}/en.pdf").data)).pages:
        assert f"{edition.id} {edition.version}" in page.extract_text()


@pytest.mark.parametrize("kind", ["form", "form-large"])
@pytest.mark.parametrize("code", LANGUAGES)
def test_a_follow_up_is_on_the_sheet_of_its_question_or_names_it(
    app: Flask, code: str, kind: str
) -> None:
    pages = PdfReader(io.BytesIO(Visitor(app).get(f"/paper/{kind}/{code}.pdf").data)).pages
    texts = [words(page.extract_text()) for page in pages]
    for number, question in enumerate(book(code).questions, start=1):
        (sheet,) = [text for text in texts if words(question.ask) in text]
        elsewhere = [item for item in question.follow_ups if words(item.ask) not in sheet]
        assert len(elsewhere) <= (kind == "form-large"), question.id
        for item in elsewhere:
            (sheet,) = [text for text in texts if words(item.ask) in text]
            before = sheet[: sheet.index(words(item.ask))]
            assert re.search(rf"(question|pregunta) ?{number}:", before), (item.id, before)


@pytest.mark.parametrize("code", LANGUAGES)
def test_the_form_asks_who_answers_in_the_words_of_the_screen(app: Flask, code: str) -> None:
    visitor = Visitor(app)
    page = text_of(visitor.get(f"/paper/form/{code}.pdf").data)
    visitor.get("/")
    visitor.post("/language", {"language": code})
    visitor.post("/")
    asked = re.findall(
        r'(?s)<(?:label|legend)[^>]*>(.*?)</|class="hint"[^>]*>(.*?)</p>', visitor.page.text
    )
    wanted = [shown(label or hint) for label, hint in asked if "27" not in hint]
    assert len(wanted) == 14
    assert all(text in page for text in wanted), [text for text in wanted if text not in page]
    places = [page.index(text) for text in wanted]
    assert places == sorted(places)


@pytest.mark.parametrize("kind", ["leaflet", "leaflet-large"])
@pytest.mark.parametrize("code", LANGUAGES)
def test_the_leaflet_says_what_the_screen_says(app: Flask, code: str, kind: str) -> None:
    visitor = Visitor(app)
    page = text_of(visitor.get(f"/paper/{kind}/{code}.pdf").data).replace("•", "")
    visitor.get("/")
    visitor.post("/language", {"language": code})
    html = visitor.get("/leaflet").text
    screen = re.search(r"<h1>.*?(?=<ul class=\"links\">)", html, re.DOTALL)
    assert screen is not None
    assert page == shown(screen[0])


@pytest.mark.parametrize("kind", [kind for kind in printed_paper.BLANKS if kind.endswith("large")])
def test_large_print_is_large_everywhere(app: Flask, kind: str) -> None:
    document = pypdfium2.PdfDocument(Visitor(app).get(f"/paper/{kind}/en.pdf").data)
    sizes = {
        round(pypdfium2.raw.FPDFText_GetFontSize(text, place), 1)
        for page in document
        for text in [page.get_textpage()]
        for place in range(text.count_chars())
        if text.get_text_range(place, 1).strip()
    }
    document.close()
    assert min(sizes) >= LARGE


@pytest.mark.parametrize("code", LANGUAGES)
def test_the_patients_copy_has_every_answer_and_no_outcome(app: Flask, code: str) -> None:
    visitor = Visitor(app)
    visitor.get("/")
    visitor.post("/language", {"language": code})
    pages: dict[str, dict[str, Any]] = {
        "pregnancy": {"pregnancy": "yes"},
        "infection": {"infection": "unsure"},
    }
    visitor.fill_in(pages, name="فاطمة Markerova", visit="VISIT-7")
    reference = visitor.send()
    screen = visitor.get("/copy").text
    rows = re.findall(r"<dt>(.*?)</dt>\s*<dd[^>]*>(.*?)</dd>", screen, re.DOTALL)
    assert len(rows) == 5 + len(book(code).questions) + 2  # infection has two follow-ups
    page = visitor.get("/copy.pdf")
    assert page.headers["Content-Disposition"] == f"inline; filename=answers-{reference}.pdf"
    text = text_of(page.data)
    for asked, answer in rows:
        assert shown(asked) in text
        assert shown(answer) in text or "Markerova" in answer, answer
    for rule in book_in_force(app, code).rules:
        assert words(rule.finding.title) not in text
    for word in ("Contraindica", "Clarify", "Caution", "Aclarar", "Precauc", "draft"):
        assert word.lower() not in text.lower()


def test_nobody_else_sees_a_copy(app: Flask) -> None:
    reference = sent(app, name="Zyxwvutina")
    assert Visitor(app).get("/copy.pdf").status_code == 410
    dr = Colleague(app)
    assert "Zyxwvutina" in text_of(dr.get(f"/clinic/screenings/{reference}/copy.pdf").data)


def test_an_unknown_paper_does_not_exist(app: Flask) -> None:
    visitor = Visitor(app)
    for path in ("/paper/summary/en.pdf", "/paper/form/fr.pdf", "/paper/copy/en.pdf"):
        assert visitor.get(path).status_code == 404


def test_staff_find_what_can_be_printed(app: Flask) -> None:
    staff = Colleague(app, "reception", "staff")
    links = re.findall(r'href="(/paper/[^"]+)"', staff.get("/clinic/paper").text)
    assert len(links) == len(printed_paper.BLANKS) * len(LANGUAGES)
    for link in links:
        assert staff.get(link).data.startswith(b"%PDF")


def test_paper_that_cannot_be_printed_is_said_kindly(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> bytes:
        raise PrintingFailed("SIGKILL")

    monkeypatch.setattr(printed_paper, "_printed", fail)
    visitor = Visitor(app)
    assert visitor.get("/paper/form/en.pdf").status_code == 503
    assert "Please try again later" in visitor.text


@pytest.fixture
def printed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The languages in which copies are printed from here on."""
    languages: list[str] = []

    def print_and_note(screening: Screening, book: RuleBook, settings: Settings) -> Printed:
        languages.append(book.language)
        return real(screening, book, settings)

    real = printed_paper.copy
    monkeypatch.setattr(printed_paper, "copy", print_and_note)
    return languages


@pytest.mark.both_databases
def test_a_copy_is_printed_once_in_each_language_and_the_same_for_patient_and_clinic(
    app: Flask, printed: list[str]
) -> None:
    visitor = Visitor(app)
    visitor.fill_in()
    reference = visitor.send()
    first = visitor.get("/copy.pdf").data
    assert visitor.get("/copy.pdf").data == first
    assert Colleague(app).get(f"/clinic/screenings/{reference}/copy.pdf").data == first
    visitor.get("/copy")
    visitor.post("/language", {"language": "es", "next": "/copy"})
    assert visitor.get("/copy.pdf").data != first
    assert printed == ["en", "es"]


@pytest.mark.both_databases
def test_a_kept_copy_is_sealed_gets_new_keys_is_verified_and_goes_with_its_screening(
    app: Flask, printed: list[str]
) -> None:
    visitor = Visitor(app)
    visitor.fill_in(name="Zyxwvutina")
    visitor.send()
    first = visitor.get("/copy.pdf").data
    flask(app, "rotate-key", "--forget")
    assert visitor.get("/copy.pdf").data == first
    assert len(printed) == 1
    background.empty_outbox(app)
    flask(app, "verify")
    with app.app_context():
        row = db.session.scalars(select(CopyRow)).one()
        assert first[100:200] not in row.sealed_pdf
        assert len(row.sealed_pdf) > summaries.LENGTHS[0], "its length tells nothing"
        row.sealed_pdf = row.sealed_pdf[:-1] + bytes([row.sealed_pdf[-1] ^ 1])
        db.session.commit()
    assert "copies.sealed_pdf cannot be opened" in flask(app, "verify", code=1).output
    change(app, "DELETE FROM screenings")
    with app.app_context():
        assert db.session.scalars(select(CopyRow.language)).all() == []


def test_nobody_waits_for_the_pdf_of_somebody_else(app: Flask) -> None:
    visitor = Visitor(app)
    visitor.fill_in()
    visitor.send()
    with pdf._making:
        for path in ("/copy.pdf", "/paper/form/en.pdf?download=1"):
            page = visitor.get(path)
            assert (page.status_code, page.headers["Refresh"]) == (503, "2")
            assert f'href="{path}"' in page.text
    assert visitor.get("/copy.pdf").data.startswith(b"%PDF")
