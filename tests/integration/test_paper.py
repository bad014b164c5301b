"""What patients get on paper asks and says the same as the screen, in each language, and nothing else."""

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

from screening.extensions import installation
from screening.reports import paper
from screening.reports.press import PrintingFailed
from tests.integration.colleague import Colleague
from tests.integration.test_printed_summary import words
from tests.integration.test_review import sent
from tests.integration.visitor import NO_TO_ALL, Visitor

LANGUAGES = ("en", "es")
LARGE = 18  # points

pytestmark = pytest.mark.one_database


def text_of(pdf: bytes) -> str:
    """The words without spaces, and without what stands in the margins."""
    margins = (
        r"(?:Name\s+Date of birth|Nombre\s+Fecha de nacimiento)?\s*Our clinic · azathioprine 2026\.\d+\s+\d+ / \d+\s*$"
    )
    pages = (page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages)
    return words("".join(re.sub(margins, "", page) for page in pages))


def shown(html: str) -> str:
    """The words of a piece of a page without spaces."""
    return words(unescape(re.sub(r"<[^>]+>", " ", html)))


def screens(app: Flask, code: str) -> list[str]:
    """What the screen asks on each question's page, from "Question 1 of 6" on, follow-ups after all choices."""
    visitor, found = Visitor(app), []
    visitor.post("/language", {"language": code})
    visitor.begin()
    for question, values in NO_TO_ALL.items():
        page = visitor.get(f"/questions/{question}").text
        asked = re.search(r'<p class="progress">.*?(?=<button type="submit" class="primary">)', page, re.DOTALL)
        assert asked is not None
        parsed = fragment_fromstring(asked[0], create_parent=True)
        for choices in parsed.find_class("choices"):
            choices.extend(one for one in list(choices) if "follow-up" in one.get("class", ""))
        found.append(words(parsed.text_content()))
        visitor.post(f"/questions/{question}", values)
    return found


@pytest.mark.parametrize("kind", ["form", "form-large"])
@pytest.mark.parametrize("code", LANGUAGES)
def test_the_form_asks_what_the_screen_asks_word_for_word(app: Flask, code: str, kind: str) -> None:
    page = text_of(Visitor(app).get(f"/paper/{kind}/{code}.pdf").data)
    asked = screens(app, code)
    assert len(asked) == 6
    assert page.endswith("".join(asked))


@pytest.mark.parametrize("kind", ["form", "form-large"])
def test_every_sheet_of_the_form_has_room_for_name_and_date_of_birth(app: Flask, kind: str) -> None:
    pages = PdfReader(io.BytesIO(Visitor(app).get(f"/paper/{kind}/en.pdf").data)).pages
    assert len(pages) > 2
    assert all(re.search(r"Name\s+Date of birth", page.extract_text()) for page in pages)


@pytest.mark.parametrize("code", LANGUAGES)
def test_the_form_asks_who_answers_in_the_words_of_the_screen(app: Flask, code: str) -> None:
    visitor = Visitor(app)
    page = text_of(visitor.get(f"/paper/form/{code}.pdf").data)
    visitor.get("/")
    visitor.post("/language", {"language": code})
    visitor.post("/")
    asked = re.findall(r'<(?:label|legend)[^>]*>(.*?)</|class="hint"[^>]*>(.*?)</p>', visitor.page.text)
    wanted = [shown(label or hint) for label, hint in asked if "27" not in hint]
    assert len(wanted) == 14
    assert all(one in page for one in wanted), [one for one in wanted if one not in page]
    places = [page.index(one) for one in wanted]
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


@pytest.mark.parametrize("kind", [kind for kind in paper.BLANKS if kind.endswith("large")])
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
    pages: dict[str, dict[str, Any]] = {"pregnancy": {"pregnancy": "yes"}, "infection": {"infection": "unsure"}}
    visitor.fill_in(pages, name="فاطمة Markerova", visit="VISIT-7")
    reference = visitor.send()
    screen = visitor.get("/copy").text
    rows = re.findall(r"<dt>(.*?)</dt>\s*<dd[^>]*>(.*?)</dd>", screen, re.DOTALL)
    assert len(rows) == 13
    page = visitor.get("/copy.pdf")
    assert page.headers["Content-Disposition"] == f"inline; filename=answers-{reference}.pdf"
    text = text_of(page.data)
    for asked, answer in rows:
        assert shown(asked) in text
        assert shown(answer) in text or "Markerova" in answer, answer
    book = installation(app).books[code]
    for rule in book.rules:
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
    assert len(links) == len(paper.BLANKS) * len(LANGUAGES)
    for link in links:
        assert staff.get(link).data.startswith(b"%PDF")


def test_paper_that_cannot_be_printed_is_said_kindly(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> bytes:
        raise PrintingFailed("SIGKILL")

    monkeypatch.setattr(paper, "_printed", fail)
    visitor = Visitor(app)
    assert visitor.get("/paper/form/en.pdf").status_code == 503
    assert "Please try again later" in visitor.text
