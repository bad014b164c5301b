"""Names and answers are printed in their own script and direction, and copied as typed."""

from __future__ import annotations

import ctypes
import io
import re
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import pypdfium2
import pytest
from fontTools.ttLib import TTFont
from pypdf import PdfReader
from pypdf.generic import ArrayObject, ContentStream, DictionaryObject

from screening.domain.rules import Approval
from screening.printing import fonts
from screening.printing.page import Page
from screening.printing.pdf import print_summary
from screening.printing.renderer_process import current_renderer
from screening.reports.bidi import independent, isolated
from screening.reports.summary import standing
from tests.builders import book
from tests.integration.test_printed_summary import (
    NO_TO_ALL,
    clarified,
    recorded,
    screening_of,
    summary_of,
    words,
)

pytestmark = pytest.mark.prints

# A name, or a word where we know of none, in each script that is in use today.
NAMES = {
    "Latin": "Nguyễn Thị Ánh ẞ",
    "Cyrillic": "Жанар Әлиева",
    "Greek": "Ἀλέξανδρος Ωμέγα",
    "Armenian": "Արամ Խաչատրյան",
    "Georgian": "თამარ გიორგაძე",
    "Hebrew": "שָׁלוֹם כֹּהֵן",
    "Arabic": "محمد عبد السلام الأحمد",
    "Urdu": "نُصرت ٹیپو ڈار",
    "Syriac": "ܐܦܪܝܡ ܣܘܪܝܝܐ",
    "Thaana": "އަޙްމަދު ދީދީ",
    "N'Ko": "ߞߊ߲ߕߍ ߛߟߏ߬ߡߊ߲",
    "Adlam": "𞤀𞤣𞤤𞤢𞤥 𞤆𞤵𞤤𞤢𞤪",
    "Hanifi Rohingya": "𐴀𐴝𐴇𐴢",
    "Mandaic": "ࡌࡀࡍࡃࡀ",
    "Devanagari": "नमस्ते श्रीनिवासन् क्षत्रिय",
    "Bengali": "বাংলা রহমান",
    "Gurmukhi": "ਗੁਰਪ੍ਰੀਤ ਸਿੰਘ",
    "Gujarati": "પ્રિયા પટેલ",
    "Odia": "ପ୍ରଫୁଲ୍ଲ ମିଶ୍ର",
    "Tamil": "தமிழ் செல்வன்",
    "Telugu": "శ్రీనివాస్ రెడ్డి",
    "Kannada": "ಲಕ್ಷ್ಮಿ ಗೌಡ",
    "Malayalam": "ശ്രീജിത്ത് നായർ",
    "Sinhala": "ශ්‍රී ලංකා පෙරේරා",
    "Thai": "สมชาย ใจดี",
    "Lao": "ສົມຊາຍ ໃຈດີ",
    "Tibetan": "བསྟན་འཛིན་རྒྱ་མཚོ",
    "Burmese": "အောင်ဆန်းစုကြည်",
    "Khmer": "សុខ ចាន់ថា",
    "Ethiopic": "ሰላም ተስፋዬ",
    "Cherokee": "ᏣᎳᎩ ᎤᏩᏱ",
    "Canadian syllabics": "ᐃᓄᒃ ᓄᓇᕗᑦ",
    "Mongolian": "ᠮᠣᠩᠭᠣᠯ",
    "Tai Le": "ᥖᥭᥰ ᥘᥫᥴ",
    "New Tai Lue": "ᦺᦑ ᦟᦹᧉ",
    "Tai Tham": "ᨲ᩠ᩅᩫᨾᩮᩬᩥᨦ",
    "Tai Viet": "ꪼꪕ ꪒꪾ",
    "Balinese": "ᬩᬮᬶ ᬓᭂᬢᬸᬢ᭄",
    "Javanese": "ꦗꦮ ꦱꦸꦏꦂꦤꦺꦴ",
    "Sundanese": "ᮞᮥᮔ᮪ᮓ",
    "Batak": "ᯅᯖᯂ᯲",
    "Lepcha": "ᰛᰩᰵ",
    "Limbu": "ᤕᤠᤰᤌᤢᤱ",
    "Ol Chiki": "ᱥᱟᱱᱛᱟᱲᱤ",
    "Vai": "ꕙꔤ",
    "Tifinagh": "ⴰⵎⴰⵣⵉⵖ",
    "Yi": "ꆈꌠ",
    "Lisu": "ꓡꓲꓢꓴ",
    "Bamum": "ꚠꚡ",
    "Saurashtra": "ꢱꣃꢬꢵꢰ꣄ꢜ꣄ꢬ",
    "Kayah Li": "ꤊꤢꤛꤢ꤭",
    "Cham": "ꨌꩌ",
    "Meetei Mayek": "ꯃꯩꯇꯩ",
    "Chakma": "𑄌𑄋𑄴𑄟𑄳𑄦",
    "Newa": "𑐣𑐾𑐥𑐵𑐮",
    "Osage": "𐓏𐓘𐓻𐓘",
    "Miao": "𖼀𖽡𖾐",
    "Pahawh Hmong": "𖬑𖬦",
    "Nyiakeng Puachue Hmong": "𞄀𞄄𞄰",
    "Wancho": "𞋒𞋀",
    "Warang Citi": "𑢹𑣗",
    "Syloti Nagri": "ꠍꠤꠟꠐꠤ",
    "Buginese": "ᨒᨚᨈᨑ",
    "Hanunoo": "ᜱᜨᜳ",
    "Baybayin": "ᜊᜌ᜔ᜊᜌᜒᜈ᜔",
    "Yezidi": "𐺀𐺁",
    "Chinese": "王小明",
    "Bopomofo": "ㄅㄆㄇ",
    "Japanese": "山田 たろう タロウ",
    "Korean": "김민수",
}
# Readers that turn visible order round do so for these; for the rest of them the tag tree says what
# is written.
PLAIN = (
    "Hebrew",
    "Arabic",
    "Devanagari",
    "Bengali",
    "Tamil",
    "Burmese",
    "Khmer",
    "Ethiopic",
    "Sinhala",
    "Thai",
    "Tibetan",
)
RIGHT_TO_LEFT = (
    "Hebrew",
    "Arabic",
    "Urdu",
    "Syriac",
    "Thaana",
    "N'Ko",
    "Adlam",
    "Hanifi Rohingya",
    "Mandaic",
    "Yezidi",
)
MIXED = "حساسية بعد 50 mg"


def page(inner: str) -> Page:
    html = f'<html lang="en" dir="ltr"><title>x</title><main><h1>x</h1>{inner}</main></html>'
    return Page(html=html, style="pdf.css", to_be_signed=False, attached=None)


@cache
def all_names() -> bytes:
    """A line for each name, and each in bold."""
    lines = "".join(
        f'<p dir="auto">{name}</p><p dir="auto"><b>{name}</b></p>' for name in NAMES.values()
    )
    printed = current_renderer().print(page(lines))
    assert printed.missing == frozenset()
    return printed.content


def same(text: str) -> str:
    """Return a text in a form to compare: single spaces, and marks on one letter in fixed order."""
    return unicodedata.normalize("NFC", words(text))


# ----------------------------------------------------------------------------------------
# its own letters


def test_names_in_every_script_of_today_are_printed_glyph_by_glyph() -> None:
    assert len(NAMES) >= 45
    reader = PdfReader(io.BytesIO(all_names()))
    drawn = 0
    for pdf_page in reader.pages:
        for font, of, glyph in glyphs(pdf_page):
            assert 0 < glyph < of, f"{font} drew the sign for a missing glyph"
            drawn += 1
    assert drawn > 2 * len(same("".join(NAMES.values()))) / 2  # letters join, few are lost in that
    assert "[U+" not in "".join(pdf_page.extract_text() for pdf_page in reader.pages)


def glyphs(pdf_page: Any) -> Iterator[tuple[str, int, int]]:
    """Yield for each glyph on a page: its font's name and number of glyphs, and its index."""
    resources = pdf_page["/Resources"]["/Font"]
    font: Any = None
    content = ContentStream(pdf_page["/Contents"].get_object(), pdf_page.pdf)
    for operands, operator in content.operations:
        if operator == b"Tf":
            font = resources[operands[0]]
            descendant = font["/DescendantFonts"][0].get_object()
            within = descendant["/CIDToGIDMap"]
            of = size_of(descendant["/FontDescriptor"])
            table = None if within == "/Identity" else within.get_object().get_data()
        elif operator == b"TJ":
            for text in operands[0]:
                if isinstance(text, bytes | str):
                    code = text if isinstance(text, bytes) else text.original_bytes
                    for at in range(0, len(code), 2):
                        number = int.from_bytes(code[at : at + 2], "big")
                        glyph = (
                            int.from_bytes(table[2 * number : 2 * number + 2], "big")
                            if table
                            else number
                        )
                        yield font["/BaseFont"], of, glyph


def size_of(descriptor: Any) -> int:
    """How many glyphs are in an embedded font."""
    file = next(descriptor[key] for key in ("/FontFile2", "/FontFile3") if key in descriptor)
    return int(TTFont(io.BytesIO(file.get_object().get_data()), lazy=True)["maxp"].numGlyphs)


def test_no_font_is_variable_and_none_shares_its_family_and_weight_with_another() -> None:
    """Letters were missing when files shared a family; variable fonts were embedded broken."""
    seen = set()
    for folder, _file, _scripts in fonts._NOTO.values():
        for file in (path for pattern in fonts._ACCEPTED for path in folder.glob(pattern)):
            with TTFont(file, fontNumber=0, lazy=True) as font:
                assert "fvar" not in font, file
                name = tuple(font["name"].getDebugName(number) for number in (1, 2, 16, 17))
            assert name not in seen, file
            seen.add(name)
    assert len(seen) > 150


def test_doctor_names_the_package_of_missing_fonts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert fonts.missing_parts() == []
    monkeypatch.setitem(
        fonts._NOTO, "fonts-noto-core", (tmp_path, "NotoSans-Regular.ttf", "most other scripts")
    )
    assert fonts.missing_parts() == [
        "fonts for most other scripts: apt-get install fonts-noto-core"
    ]


# ----------------------------------------------------------------------------------------
# its own direction


def placed(pdf: bytes, number: int = 0) -> list[tuple[float, float, str]]:
    """Each letter of a page: its line, as the distance from the top, its left edge, and itself."""
    document = pypdfium2.PdfDocument(pdf)
    pdf_page = document[number]
    text = pdf_page.get_textpage()
    height = pdf_page.get_height()
    letters = []
    for index in range(text.count_chars()):
        left, bottom, _right, _top = text.get_charbox(index, loose=True)
        letters.append((round(height - bottom), left, text.get_text_range(index, 1)))
    document.close()
    return letters


def lines_of(pdf: bytes, *letters: str) -> list[str]:
    """Return lines with any of these letters, top down, each left to right without spaces."""
    lines: dict[float, list[tuple[float, str]]] = {}
    for line, left, letter in placed(pdf):
        lines.setdefault(line, []).append((left, letter))
    seen = (
        words("".join(letter for _left, letter in sorted(line)))
        for _, line in sorted(lines.items())
    )
    return [line for line in seen if any(letter in line for letter in letters)]


def reversed_words(text: str) -> str:
    return words(text)[::-1]


@pytest.mark.parametrize("name", [MIXED, "محمد 7 (Ali)"])
def test_numbers_and_units_stand_side_by_side_as_on_the_screen(name: str) -> None:
    """In the name, the finding, the table and the margin."""
    values = {**NO_TO_ALL, "hypersensitivity": "yes", "hypersensitivity_reaction": MIXED}
    lines = lines_of(print_summary(summary_of(values, name=name)[0]).content, "ح", "م")
    in_order = "mg50" + reversed_words("حساسية بعد")
    assert len([line for line in lines if in_order in line]) >= 2
    assert any(line.endswith("Reactiondescribed:" + in_order) for line in lines)
    assert "Whathappened?" + in_order in "".join(lines)
    if name != MIXED:
        seen = "(Ali)7" + reversed_words("محمد")
        assert len([line for line in lines if seen in line]) == 2


def test_a_sentence_of_ours_around_own_words_keeps_its_order() -> None:
    printed = current_renderer().print(
        page(f"<p>Given: <bdi>{MIXED}</bdi>; 3 days</p><p>Said {'<bdi>עברית</bdi>'} 5 times</p>")
    )
    first, second = lines_of(printed.content, "ح", "ע")
    assert first == "Given:mg50" + reversed_words("حساسية بعد") + ";3days"
    assert second == "Said" + "עברית"[::-1] + "5times"


def test_a_number_at_the_start_of_a_line_looks_as_it_does_in_the_middle_of_one() -> None:
    text = "".join("كل " * many + "50-60 mg، " for many in range(1, 30))
    row = f'<tr><td></td><td dir="auto">{text}</td></tr>'
    lines = lines_of(
        current_renderer().print(page(f"<table><tbody>{row}</tbody></table>")).content, "5"
    )
    assert any(line.endswith("60-50") for line in lines), "or this could not fail"
    assert {digits for line in lines for digits in re.findall("60-50|50-60", line)} == {"60-50"}


def test_what_takes_its_direction_from_letters_around_it_is_held_at_each_space() -> None:
    assert independent("plain (text) 5") == "plain (text) 5"
    assert independent("אחת, שתים") == "אחת,\u200f שתים"
    assert independent("بعد 50") == "بعد \u061c50"
    assert independent("שלום\n50 a") == "שלום\n50 a"


def test_marks_of_isolation_become_elements_and_are_not_printed() -> None:
    values = {**NO_TO_ALL, "hypersensitivity": "yes", "hypersensitivity_reaction": MIXED}
    summary = summary_of(values)[0]
    by = "د. سارة"
    items = ("hypersensitivity", "hypersensitivity_reaction")
    clarification = replace(
        clarified(hypersensitivity="yes", hypersensitivity_reaction=MIXED),
        items=items,
        by=by,
        why=MIXED,
    )
    summary = recorded(screening_of(values), clarification)
    assert summary.findings[0].established.startswith(
        f"Yes; Reaction described: {isolated(MIXED)} ({isolated(by)}, "
    )
    assert summary.entries[0].what.endswith(f"Reaction described: {isolated(MIXED)}")
    text = "".join(
        pdf_page.extract_text()
        for pdf_page in PdfReader(io.BytesIO(print_summary(summary).content)).pages
    )
    assert not set("\u200e\u200f\u061c\u2068\u2069") & set(text)


def test_a_font_that_draws_nothing_is_not_embedded_as_a_whole() -> None:
    """Marks of direction are not drawn, but WeasyPrint takes a font for them."""
    printed = current_renderer().print(page(f'<p dir="auto">{MIXED}</p>')).content
    (pdf_page,) = PdfReader(io.BytesIO(printed)).pages
    fonts_used: Any = pdf_page["/Resources"]["/Font"]  # type: ignore[index]
    files = [
        font["/DescendantFonts"][0].get_object()["/FontDescriptor"]["/FontFile2"]
        for font in fonts_used.values()
    ]
    assert len(files) == 3, "or this could not fail"
    assert max(len(file.get_object().get_data()) for file in files) < 40_000


def test_a_long_answer_keeps_the_heading_of_its_table_on_each_page() -> None:
    values = {**NO_TO_ALL, "vaccines": "yes", "vaccines_which": "a\n" * 240}
    pages = [
        pdf_page.extract_text()
        for pdf_page in PdfReader(io.BytesIO(print_summary(summary_of(values)[0]).content)).pages
    ]
    with_answers = [text for text in pages if re.search(r"\ba$", text, re.MULTILINE)]
    assert len(with_answers) >= 3
    assert len(re.findall(r"\ba$", "\n".join(pages), re.MULTILINE)) == 240
    assert all("Question as asked" in text for text in with_answers)


# ----------------------------------------------------------------------------------------
# to be copied


def said_by_pypdf(pdf: bytes) -> list[str]:
    """What the tag tree says of its lines, read by pypdf."""

    def below(element: Any) -> Iterator[str]:
        if isinstance(element, DictionaryObject):
            if "/ActualText" in element:
                yield str(element["/ActualText"])
            kids = element.get("/K", [])
            for kid in kids if isinstance(kids, ArrayObject) else [kids]:
                yield from below(kid.get_object())

    root: Any = PdfReader(io.BytesIO(pdf)).trailer["/Root"]
    return list(below(root["/StructTreeRoot"]))


@contextmanager
def opened(pdf: bytes) -> Iterator[pypdfium2.PdfDocument]:
    document = pypdfium2.PdfDocument(pdf)
    yield document
    document.close()


def said_by_pdfium(pdf: bytes) -> list[str]:
    """The same, read by PDFium."""
    raw = pypdfium2.raw

    def below(element: Any) -> Iterator[str]:
        size = raw.FPDF_StructElement_GetActualText(element, None, 0)
        if size > 2:
            buffer = ctypes.create_string_buffer(size)
            raw.FPDF_StructElement_GetActualText(element, buffer, size)
            yield buffer.raw[:-2].decode("utf-16-le")
        for number in range(raw.FPDF_StructElement_CountChildren(element)):
            if child := raw.FPDF_StructElement_GetChildAtIndex(element, number):
                yield from below(child)

    texts: list[str] = []
    with opened(pdf) as document:
        for pdf_page in document:
            tree = raw.FPDF_StructTree_GetForPage(pdf_page)
            for number in range(raw.FPDF_StructTree_CountChildren(tree)):
                texts += below(raw.FPDF_StructTree_GetChildAtIndex(tree, number))
            raw.FPDF_StructTree_Close(tree)
    return texts


@pytest.mark.parametrize("read", [said_by_pypdf, said_by_pdfium])
def test_the_tag_tree_says_each_name_as_it_was_typed(read: Any) -> None:
    """Or the plain text does, where each letter is one glyph after the other."""
    said = read(all_names())
    plain = same(plain_by_pypdf(all_names()))
    for script, name in NAMES.items():
        assert said.count(name) == 2 or plain.count(same(name)) == 2, script
    for script in (*RIGHT_TO_LEFT, "Devanagari", "Tamil", "Khmer", "Tibetan"):
        assert said.count(NAMES[script]) == 2, script


@pytest.mark.parametrize("read", [said_by_pypdf, said_by_pdfium])
def test_a_summary_says_name_and_answer_in_the_order_in_which_they_are_read(read: Any) -> None:
    values = {**NO_TO_ALL, "hypersensitivity": "yes", "hypersensitivity_reaction": MIXED}
    said = read(print_summary(summary_of(values, name=NAMES["Arabic"])[0]).content)
    assert NAMES["Arabic"] in said
    assert said.count(MIXED) == 2
    plain = read(print_summary(summary_of(NO_TO_ALL, name="José Ñandú")[0]).content)
    assert not any("José" in text for text in plain), "what needs no help is not said twice"


def plain_by_pypdf(pdf: bytes) -> str:
    return "".join(pdf_page.extract_text() for pdf_page in PdfReader(io.BytesIO(pdf)).pages)


def plain_by_pdfium(pdf: bytes) -> str:
    with opened(pdf) as document:
        return "".join(pdf_page.get_textpage().get_text_range() for pdf_page in document)


@pytest.mark.parametrize("read", [plain_by_pypdf, plain_by_pdfium])
def test_names_are_copied_as_they_were_typed_by_readers_that_know_no_tags(read: Any) -> None:
    """Lam-alef is one glyph and two letters, points and conjuncts change the order of glyphs."""
    text = same(read(all_names()))
    for script in PLAIN:
        assert text.count(same(NAMES[script])) == 2, script


@pytest.mark.parametrize("read", [plain_by_pypdf, plain_by_pdfium])
@pytest.mark.parametrize("script", ["Arabic", "Devanagari", "Tamil", "Bengali", "Ethiopic"])
def test_the_name_on_a_summary_can_be_copied(script: str, read: Any) -> None:
    pdf = print_summary(summary_of(NO_TO_ALL, name=NAMES[script])[0]).content
    assert same(NAMES[script]) in same(read(pdf))


def test_who_approved_and_as_what_are_each_isolated() -> None:
    by = 'ד"ר שלום כהן'
    role = "רופא 12-34 (MD)"
    approval = Approval(by=by, role=role, on=date(2026, 11, 29), review_by=None)
    edition = replace(book().edition, approvals=(approval,))
    said = standing(edition, "en", on=date(2026, 12, 1), own=isolated)
    assert said == f"Rules approved by {isolated(by)} ({isolated(role)}) on 29-Nov-2026."
