"""The clinic's own texts: a Markdown file per language, in its place, checked, without HTML."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask import Flask

from screening.installation import current_installation
from screening.services import texts
from tests.builders import book
from tests.integration.visitor import Visitor

pytestmark = pytest.mark.one_database

PLAIN = "We are glad that you are here. Ask us if you need help."


@pytest.fixture
def folder(sqlite_app: Flask) -> Path:
    with sqlite_app.app_context():
        folder = current_installation(sqlite_app).settings.instance / "texts"
    folder.mkdir()
    return folder


def test_each_text_stands_in_its_place_and_language(sqlite_app: Flask, folder: Path) -> None:
    (folder / "welcome.en.md").write_text("Welcome to **our** clinic.")
    (folder / "welcome.es.md").write_text("Bienvenido a la clínica.", encoding="utf-8")
    (folder / "next.en.md").write_text("- We call you by Friday.")
    (folder / "privacy.en.md").write_text(
        "# Who reads it\n\n[Ask us](mailto:privacy@clinic.example)."
    )
    visitor = Visitor(sqlite_app)
    assert "<p>Welcome to <strong>our</strong> clinic.</p>" in visitor.page.text
    assert 'href="/privacy"' in visitor.page.text
    privacy = visitor.get("/privacy").text
    assert "<h2>Who reads it</h2>" in privacy
    assert '<a href="mailto:privacy@clinic.example">Ask us</a>' in privacy
    visitor.fill_in()
    visitor.send()
    assert "<li>We call you by Friday.</li>" in visitor.page.text
    visitor.get("/")
    visitor.post("/language", {"language": "es"})
    assert "Bienvenido a la clínica." in visitor.text
    assert 'href="/privacy"' not in visitor.page.text
    assert visitor.get("/privacy").status_code == 404


def test_nothing_stands_there_without_files(sqlite_app: Flask) -> None:
    visitor = Visitor(sqlite_app)
    assert "own-words" not in visitor.page.text
    assert visitor.get("/privacy").status_code == 404


def test_raw_html_scripts_and_pictures_stay_words(sqlite_app: Flask, folder: Path) -> None:
    (folder / "welcome.en.md").write_text(
        "<script>alert(1)</script>\n\n<b onclick=x>b</b> [x](javascript:alert) ![y](https://elsewhere.example/z.png)"
    )
    page = Visitor(sqlite_app).page.text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    for harmful in ("<script>alert", "<b onclick", 'href="javascript', "<img"):
        assert harmful not in page


def test_a_file_that_is_not_utf_8_keeps_nobody_out(sqlite_app: Flask, folder: Path) -> None:
    (folder / "welcome.en.md").write_bytes("Cl\u00ednica".encode("latin-1"))
    assert "Cl\ufffdnica" in Visitor(sqlite_app).text


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("welcome.en.md", PLAIN, ""),
        ("welcome.en.md", PLAIN * 4, "welcome.en.md has 52 words; patients read at most 40"),
        (
            "privacy.en.md",
            "Appropriate organisational measures guarantee confidentiality.",
            "is harder to read",
        ),
        (
            "privacy.en.md",
            "Appropriate measures guarantee confidentiality. We do it. You can ask.",
            "",
        ),
        (
            "welcom.en.md",
            PLAIN,
            "welcom.en.md is shown nowhere; use a name such as next.en.md, privacy.en.md, welcome",
        ),
        ("next.en.md", b"\xff", "next.en.md cannot be read"),
    ],
)
def test_each_fault_of_a_file_is_told(
    tmp_path: Path, name: str, content: str | bytes, words: str
) -> None:
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / name).write_bytes(
        content if isinstance(content, bytes) else content.encode()
    )
    faults = "; ".join(texts.faults(tmp_path, ["en"]))
    assert words in faults
    assert bool(faults) is bool(words)


def test_a_text_that_one_language_lacks_is_told(sqlite_app: Flask, folder: Path) -> None:
    (folder / "welcome.en.md").write_text(PLAIN)
    (fault,) = texts.faults(folder.parent, ["en", "es"])
    assert fault.startswith(f"{folder}/welcome.es.md is missing")
    report = sqlite_app.test_cli_runner().invoke(args=["doctor"]).output
    assert f"FAULT  own texts: {fault}" in report


@pytest.mark.parametrize("language", ["en", "es"])
def test_what_our_own_leaflet_says_is_plain_by_the_same_measure(
    tmp_path: Path, language: str
) -> None:
    (tmp_path / "texts").mkdir()
    parts = "\n\n".join(
        f"{part.title}\n\n{part.text}\n" + "\n".join(f"- {point}" for point in part.points)
        for part in book(language).leaflet
    )
    (tmp_path / "texts" / f"privacy.{language}.md").write_text(parts, encoding="utf-8")
    assert not [fault for fault in texts.faults(tmp_path, [language]) if "harder" in fault]
