"""The PDF says what was answered and found, fetches nothing, and holds up with any text."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pypdfium2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pypdf import PdfReader
from pypdfium2.raw import FPDF_PAGEOBJ_IMAGE

from screening.domain.answers import Patient, read_answers, shown
from screening.domain.assessment import Assessment, Screening
from screening.domain.entries import Clarification, Decision, Entry, Review
from screening.domain.evaluate import evaluate
from screening.domain.rules import FollowUp, Kind, RuleBook
from screening.printing.page import Page
from screening.printing.pdf import fhir_attachment, print_summary, summary_html
from screening.printing.renderer import ELEMENTS, STYLES
from screening.printing.renderer_process import (
    ROOT,
    PrintingFailed,
    RendererProcess,
    current_renderer,
)
from screening.reports.summary import Summary, beginning, summarise
from screening.rulebooks.load import load
from screening.settings import Settings
from tests.builders import all_no, book, book_with

pytestmark = pytest.mark.prints

AT = datetime(2026, 11, 23, 10, 40, tzinfo=UTC)
NO_TO_ALL = all_no()
YES_TO_ALL = {question.id: "yes" for question in book().questions}
UNSURE = dict.fromkeys(YES_TO_ALL, "unsure")


@cache
def books() -> dict[str, RuleBook]:
    return dict(load())


def summary_of(
    values: dict[str, Any],
    *,
    name: str = "Sample Patient",
    asked_in: str = "en",
    clinic_language: str = "en",
) -> tuple[Summary, Assessment]:
    screening = screening_of(values, name=name, asked_in=asked_in)
    clinic = Settings(
        instance=Path("nowhere"),
        clinic_name="Sample Clinic",
        clinic_timezone="Europe/Madrid",
        clinic_language=clinic_language,
    )
    summary = summarise(screening, books(), clinic, "7F3K-9QWD-2MHX")
    assessment = evaluate(books()[clinic_language], screening.answers)
    return summary, assessment


def screening_of(
    values: dict[str, Any], *, name: str = "Sample Patient", asked_in: str = "en"
) -> Screening:
    return Screening(
        reference="7F3K-9QWD",
        submitted_at=datetime(2026, 11, 23, 10, 2, tzinfo=UTC),
        language=asked_in,
        patient=Patient(name=name, birth_date=date(1994, 3, 14), visit="V-2026-11-0042"),
        answers=read_answers(books()[asked_in], values),
        digest=books()[asked_in].edition.digest,
    )


def test_the_page_says_when_the_answers_that_change_soonest_are_too_old() -> None:
    screening = screening_of({**NO_TO_ALL, "infection": "unsure"})
    again = recorded(screening).ask_again
    assert again == (
        "Ask again after 25-Nov-2026 11:02 CET: Active infection; "
        "30-Nov-2026 11:02 CET: Pregnancy, Breastfeeding."
    )
    later = screening.submitted_at + timedelta(days=3)
    clarified = Clarification(
        by="Dr Sample",
        at=later,
        items=("infection",),
        answers=read_answers(books()["en"], {"infection": "no"}),
        why="Asked",
    )
    assert "28-Nov-2026 11:02 CET: Active infection" in recorded(screening, clarified).ask_again
    assert recorded(screening_of({})).ask_again == ""
    assert words(again) in text_of(print_summary(recorded(screening)).content)


def recorded(screening: Screening, *entries: Entry) -> Summary:
    """The summary after professionals added these entries."""
    clinic = Settings(
        instance=Path("nowhere"), clinic_name="Sample Clinic", clinic_timezone="Europe/Madrid"
    )
    return summarise(replace(screening, entries=entries), books(), clinic, "7F3K-9QWD-2MHX")


def clarified(**values: Any) -> Clarification:
    """What was established about an infection."""
    items = tuple(item.id for item in books()["en"].questions[2].page)
    return Clarification(
        by="Dr Sample", at=AT, items=items, answers=read_answers(books()["en"], values), why="Asked"
    )


def words(text: str) -> str:
    """The text without spaces and line breaks, which a PDF does not keep exactly."""
    return "".join(text.split())


def text_of(pdf: bytes) -> str:
    return words("".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages))


def pages_of(pdf: bytes) -> int:
    return len(PdfReader(io.BytesIO(pdf)).pages)


OWN_WORDS = st.text(
    alphabet=st.characters(codec="latin-1", categories=("L", "N", "P", "Sc", "Sm")), max_size=60
)


@st.composite
def cases(draw: st.DrawFn) -> dict[str, Any]:
    """Answers to every question and to each follow-up that they open; some of them left out."""
    values: dict[str, Any] = {}
    for question in books()["en"].questions:
        choice = draw(st.sampled_from([*(option.id for option in question.options), None]))
        if choice is None:
            continue
        values[question.id] = choice
        for follow_up in question.follow_ups:
            if choice in follow_up.when:
                values[follow_up.id] = draw(inner_answer(follow_up))
    return values


def inner_answer(follow_up: FollowUp) -> st.SearchStrategy[Any]:
    ids = [option.id for option in follow_up.options]
    match follow_up.kind:
        case Kind.ONE:
            return st.sampled_from(ids)
        case Kind.SEVERAL:
            return st.lists(st.sampled_from(ids), unique=True)
        case Kind.TEXT:
            return OWN_WORDS


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    values=cases(),
    asked_in=st.sampled_from(["en", "es"]),
    clinic_language=st.sampled_from(["en", "es"]),
)
def test_the_page_has_every_answer_and_every_finding_with_its_citation(
    values: dict[str, Any], asked_in: str, clinic_language: str
) -> None:
    summary, assessment = summary_of(values, asked_in=asked_in, clinic_language=clinic_language)
    page = text_of(print_summary(summary).content)
    items = {item.id: item for item in books()[clinic_language].asked()}
    for answer in assessment.answers.given:
        assert words(items[answer.id].ask) in page
        assert words(shown(items[answer.id], answer.value)) in page
        assert words(answer.asked) in page, "as it was asked"
        assert words(answer.shown) in page, "as it was answered"
    for finding in assessment.findings:
        assert words(finding.title) in page
        assert words(finding.reason).rstrip(".") in page
        assert words(finding.confirm) in page
        for fact in finding.cites:
            assert words(fact.citation) in page
        if finding.evidence is not None:
            assert words(finding.evidence.note) in page
    for text in books()[clinic_language].not_screened:
        assert words(text) in page
    assert words(assessment.digest[:16]) in page


@pytest.mark.parametrize("values", [NO_TO_ALL, {**NO_TO_ALL, "infection": "yes"}, UNSURE])
@pytest.mark.parametrize("paper", ["A4", "Letter"])
def test_a_usual_case_is_one_page(values: dict[str, Any], paper: str) -> None:
    assert pages_of(print_summary(summary_of(values)[0], paper=paper).content) == 1


def test_identity_and_page_number_stand_on_every_page() -> None:
    longest = {
        "hypersensitivity_reaction": "long " * 99,
        "infection_since": "long " * 99,
        "vaccines_when": "x" * 500,
    }
    pdf = print_summary(summary_of({**YES_TO_ALL, **longest})[0]).content
    pages = [page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages]
    assert len(pages) == 2
    for number, page in enumerate(pages, start=1):
        assert words("Sample Patient · 14-Mar-1994 (32y) · V-2026-11-0042 · 7F3K-9QWD") in words(
            page
        )
        assert f"{number}/{len(pages)}" in words(page)


def test_nothing_is_clipped_at_the_greatest_lengths() -> None:
    texts = {
        key: key[0] * 500
        for key in ("hypersensitivity_reaction", "infection_since", "vaccines_which")
    }
    screening = screening_of({**YES_TO_ALL, **texts}, name="N" * 120)
    clarification = replace(
        clarified(infection="yes", infection_since="s" * 500), by="B" * 80, why="w" * 2000
    )
    decided = Review(
        by="B" * 80, at=AT, decision=Decision.PROCEED, note="n" * 2000, reason="r" * 2000
    )
    pdf = print_summary(recorded(screening, clarification, decided)).content
    page = text_of(pdf)
    for text in (*texts.values(), "N" * 120, "w" * 2000, "n" * 2000, "r" * 2000):
        assert page.count(text[0]) >= len(text)
    document = pypdfium2.PdfDocument(pdf)
    for pdf_page in document:
        text = pdf_page.get_textpage()
        right = pdf_page.get_width() - 36
        boxes = [text.get_charbox(number) for number in range(text.count_chars())]
        assert [
            box for box in boxes if not 36 <= box[0] <= box[2] <= right and box[0] != box[2]
        ] == []
    document.close()


@pytest.mark.parametrize(
    ("values", "headline"),
    [
        (NO_TO_ALL, "No findings from these answers"),
        ({**NO_TO_ALL, "iud": "yes"}, "Caution reported"),
        ({**NO_TO_ALL, "iud": "private"}, "Clarify before deciding"),
        ({**NO_TO_ALL, "infection": "yes", "iud": "unsure"}, "Contraindication reported"),
    ],
)
def test_patient_outcome_and_first_finding_stand_in_the_top_third(
    values: dict[str, Any], headline: str
) -> None:
    summary, assessment = summary_of(values)
    pdf = pypdfium2.PdfDocument(print_summary(summary).content)
    page = pdf[0].get_textpage()
    height = pdf[0].get_height()
    assert summary.headline == headline
    for wanted in (
        "Sample Patient",
        headline,
        *(finding.title for finding in assessment.findings[:1]),
    ):
        occurrence = page.search(wanted).get_next()
        assert occurrence is not None, wanted
        _left, bottom, _right, _top = page.get_charbox(occurrence[0])
        assert bottom > height * 2 / 3, wanted
    pdf.close()


def test_the_outcome_names_every_topic_and_what_is_to_be_asked_alone() -> None:
    values = {
        **NO_TO_ALL,
        "infection": "yes",
        "breastfeeding": "private",
        "iud": "unsure",
        "vaccines": "yes",
    }
    summary, _ = summary_of(values)
    assert summary.sentence == (
        "Confirm before any decision: Active infection. "
        "Discuss with the patient alone: Breastfeeding. "
        "Still to clarify: IUD use. Consider: Planned vaccines."
    )
    (private,) = [entry for entry in summary.findings if entry.title == "Breastfeeding"]
    assert private.confirm.startswith("Alone with the patient: ")


def reported(summary: Summary, number: int = 1) -> list[str]:
    """What stands with a finding: the answer, then its follow-ups with their topics."""
    return [
        f"{answer.topic}: {answer.text}".removeprefix(": ")
        for answer in summary.findings[number - 1].reported
    ]


TINGLED = (
    "My tongue tingled and my lips swelled up about an hour after the second tablet, "
    "so I went to the walk-in clinic."
)


def test_a_finding_shows_the_choice_the_follow_ups_and_the_patients_own_words() -> None:
    details = {"infection_symptoms": ["fever", "aches"], "infection_since": "Monday\n\nor Tuesday"}
    summary, _ = summary_of({**NO_TO_ALL, "infection": "yes", **details})
    assert reported(summary) == [
        "Yes",
        "Signs of infection: Fever, Aches",
        "Onset of signs: Monday / or Tuesday",
    ]


def test_a_described_reaction_stands_with_the_finding() -> None:
    summary, _ = summary_of(
        {**NO_TO_ALL, "hypersensitivity": "yes", "hypersensitivity_reaction": TINGLED}
    )
    assert reported(summary) == ["Yes", f"Reaction described: {TINGLED}"]
    assert text_of(print_summary(summary).content).count(words(TINGLED)) == 2, (
        "with the finding and in its row"
    )


def test_signs_of_a_reaction_stand_with_the_finding_and_ask_to_distinguish_intolerance() -> None:
    signs = {"hypersensitivity_signs": ["nausea_vomiting", "rash_hives", "unsure"]}
    for answer, said in (("yes", "Yes"), ("unsure", "The patient is not sure")):
        summary, _ = summary_of({**NO_TO_ALL, "hypersensitivity": answer, **signs})
        ticked = "Rash or hives, I felt sick to my stomach or threw up, I am not sure"
        assert reported(summary) == [said, f"Signs of the reaction: {ticked}"]
        assert "distinguish hypersensitivity from intolerance" in summary.findings[0].confirm
        assert text_of(print_summary(summary).content).count(words(ticked)) == 2, (
            "with the finding and in its row"
        )


@pytest.mark.parametrize("status", ["draft", "approved"])
def test_a_note_about_other_references_says_whether_it_is_approved(status: str) -> None:
    books_ = {"en": book_with(lambda content: content["rule"][0]["evidence"].update(status=status))}
    clinic = Settings(instance=Path("nowhere"))
    summary = summarise(
        screening_of({**NO_TO_ALL, "pregnancy": "yes", "pregnancy_planned": None}), books_, clinic
    )
    assert summary.findings[0].evidence.startswith(
        f"Sources disagree ({status} note). US labelling"
    )


@pytest.mark.parametrize(
    ("language", "mark"), [("en", "ours, not the source’s"), ("es", "propio, no de la fuente")]
)
def test_what_to_clarify_and_what_is_not_screened_are_marked_as_ours(
    language: str, mark: str
) -> None:
    page = text_of(print_summary(summary_of(UNSURE, clinic_language=language)[0]).content)
    headings = {
        "en": ("Clarify in the room", "Not screened, among others"),
        "es": ("Aclarar en la consulta", "No evaluado, entre otros aspectos"),
    }
    for heading in headings[language]:
        assert words(f"{heading} {mark}") in page


def test_a_long_answer_is_cut_at_a_word_and_names_its_row() -> None:
    story = "First my arms were red. " * 20
    summary, _ = summary_of(
        {**NO_TO_ALL, "hypersensitivity": "unsure", "hypersensitivity_reaction": story}
    )
    said = summary.findings[0].reported[1]
    (row,) = [row for row in summary.answers if row.number == said.row]
    assert (row.asked, row.answer) == ("What happened?", story.strip())
    beginning = said.text.removesuffix(" …")
    assert beginning != said.text
    assert row.answer.startswith(f"{beginning} ")
    page = text_of(print_summary(summary).content)
    assert words(f"{said.text} (continued in row Q4b)") in page
    assert words(f"Q4b {row.asked} {row.answer}") in page


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("as it is", "as it is"),
        ("0123456 89 abcdef", "0123456 …"),
        ("0123456789abcdef", "0123456789…"),
        ("012345678e\u0301bcdef", "012345678…"),  # the letter keeps its accent, or goes with it
        ("0123456 8e\u0301bcdef", "0123456 …"),
        ("012345678👩\u200d⚕️bcdef", "012345678…"),
    ],
)
def test_what_is_cut_off_ends_at_a_word_or_between_two_letters(text: str, expected: str) -> None:
    assert beginning(text, 10) == expected


def test_a_finding_that_is_open_says_so_and_shows_what_was_said_besides() -> None:
    summary, _ = summary_of(
        {**NO_TO_ALL, "infection": "unsure", "infection_symptoms": ["chills"], "iud": "private"}
    )
    assert reported(summary) == ["The patient is not sure", "Signs of infection: Chills"]
    assert len(reported(summary, 2)) == 1
    assert "private" in reported(summary, 2)[0]


def test_a_detail_that_is_not_sure_is_not_mistaken_for_the_answer() -> None:
    summary, _ = summary_of({**NO_TO_ALL, "iud": "yes", "iud_type": "unsure"})
    assert reported(summary) == ["Yes", "Type of IUD: I am not sure"]


def test_what_a_professional_established_is_not_shown_as_said_by_the_patient() -> None:
    screening = screening_of({**NO_TO_ALL, "infection": "unsure", "infection_symptoms": ["chills"]})
    summary = recorded(screening, clarified(infection="yes", infection_symptoms=["fever"]))
    assert reported(summary) == ["I am not sure", "Signs of infection: Chills"]
    established = "Yes; Signs of infection: Fever (Dr Sample, 23-Nov-2026 11:40 CET)"
    assert summary.findings[0].established == established
    assert words(f"Established {established}") in text_of(print_summary(summary).content)
    since = [row.established for row in summary.answers if row.id == "infection_since"]
    assert since == ["No answer (Dr Sample, 23-Nov-2026 11:40 CET)"], (
        "it was asked again, and not answered"
    )


def test_the_outcome_box_tells_the_decision_and_reviewed_by_is_filled_in() -> None:
    decided = Review(
        by="Dr Sample",
        at=AT,
        decision=Decision.DEFER,
        until=date(2026, 12, 1),
        note="Blood count first",
    )
    page = text_of(print_summary(recorded(screening_of(UNSURE), decided)).content)
    decision = "Decision: defer until 01-Dec-2026 · Dr Sample, 23-Nov-2026 11:40 CET Draft"
    assert words(f"{book().questions[-1].topic}. {decision}") in page
    assert words("Reviewed by Dr Sample Date 23-Nov-2026 11:40 CET") in page
    assert "ReviewedbyDate" in text_of(print_summary(summary_of(UNSURE)[0]).content)


def test_after_something_was_clarified_a_decision_is_no_longer_said_to_stand() -> None:
    decided = Review(by="Dr Sample", at=AT, decision=Decision.PROCEED)
    page = text_of(
        print_summary(recorded(screening_of(UNSURE), decided, clarified(infection="yes"))).content
    )
    assert (
        words(
            "New decision needed: an answer has been clarified since “proceed” · "
            "Dr Sample, 23-Nov-2026"
        )
        in page
    )
    assert "ReviewedbyDate" in page


def test_words_of_another_language_stand_under_the_answer() -> None:
    html = summary_html(summary_of(UNSURE, asked_in="es")[0], paper="A4")
    rows = re.findall(r"<td>(.*?)</td>\s*<td class=\"said \"(.*?)</td>", html, re.S)
    assert len(rows) == len(UNSURE)
    for asked, answer in rows:
        assert "¿" not in asked
        assert re.search(r"I am not sure<.*¿.*No lo sé", answer, re.S)


def test_the_check_code_stands_beside_the_qr_code() -> None:
    pdf = pypdfium2.PdfDocument(print_summary(summary_of(NO_TO_ALL, asked_in="es")[0]).content)
    page = pdf[0].get_textpage()
    occurrence = page.search("7F3K-9QWD-2MHX").get_next()
    assert occurrence is not None
    _left, bottom, _right, top = page.get_charbox(occurrence[0])
    picture = next(drawn for drawn in pdf[0].get_objects() if drawn.type == FPDF_PAGEOBJ_IMAGE)
    _, lowest, _, highest = picture.get_bounds()
    assert lowest < bottom < top < highest
    pdf.close()


def test_drafts_are_said_to_be_drafts() -> None:
    assert "Draft rules" in summary_of(NO_TO_ALL)[0].standing
    assert not any("translations" in line for line in summary_of(NO_TO_ALL)[0].provenance)
    assert any(
        "Draft translations: Spanish" in line
        for line in summary_of(NO_TO_ALL, asked_in="es")[0].provenance
    )


def test_patient_text_is_text_and_never_markup() -> None:
    attack = '<img src="http://127.0.0.1:9/x"><style>*{display:none}</style>{{ 7*7 }}</td>&amp;'
    summary, _ = summary_of(
        {**NO_TO_ALL, "vaccines": "yes", "vaccines_which": attack}, name="<b>Bold</b>"
    )
    assert words(attack) in text_of(print_summary(summary).content)
    assert "<b>Bold" not in summary_html(summary, paper="A4")


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:9/x.png", "file:///etc/passwd", "data:image/svg+xml,x"]
)
def test_a_page_that_asks_for_anything_is_not_printed(url: str) -> None:
    page = Page(
        html=f'<html lang="en"><title>x</title><img src="{url}"/></html>',
        style="pdf.css",
        to_be_signed=False,
        attached=None,
    )
    with pytest.raises(PrintingFailed, match="FatalURLFetchingError"):
        current_renderer().print(page)


def test_every_element_of_a_printed_page_is_in_the_sheet_that_says_what_elements_are() -> None:
    """What is not in it would run on in the line, without a word."""
    sheet = re.sub(r"/\*.*?\*/", "", (STYLES / ELEMENTS).read_text(encoding="utf-8"), flags=re.S)
    known = {
        selector.strip()
        for selectors in re.findall(r"([^{}]+)\{", sheet)
        for selector in selectors.split(",")
    }
    inline = {"bdi", "span", "img"}
    within = {"meta", "title", "path", "circle"}  # of `head` and `svg`
    templates = ROOT / "templates"
    printed = (
        *templates.glob("pdf/*.html"),
        templates / "macros/summary.html",
        templates / "macros/leaflet.html",
    )
    for file in printed:
        used = set(re.findall(r"<([a-z][a-z0-9]*)", file.read_text(encoding="utf-8")))
        assert used - known - inline - within == set(), file


def test_the_same_screening_gives_the_same_bytes_in_another_process() -> None:
    """Each printing process has its own hash seed; HTML and attachment are compared under two."""
    code = (
        f"import runpy; here = runpy.run_path({__file__!r}); "
        "print(here['page_of_everything'](), end='')"
    )
    seeded = {**os.environ, "PYTHONHASHSEED": "2"}
    assert (
        subprocess.check_output([sys.executable, "-c", code], text=True, env=seeded)
        == page_of_everything()
    )
    page: Page = json.loads(page_of_everything())
    another = RendererProcess()
    assert another.print(page).content == current_renderer().print(page).content
    another.close()


def page_of_everything() -> str:
    summary, assessment = summary_of(YES_TO_ALL)
    attached = fhir_attachment(
        screening_of(YES_TO_ALL), assessment, books(), base="https://screening.clinic.example/fhir"
    )
    html = summary_html(summary, paper="A4")
    return json.dumps(Page(html=html, style="pdf.css", to_be_signed=True, attached=attached))


@pytest.mark.parametrize(
    "name",
    [
        "José Ñandú",
        "فاطمة الزهراء",
        "שלום כהן",
        "王小明",
        "山田 太郎",
        "김민수",
        "Дмитрий",
        "Ωμέγα",
        "देवनागरी",
        "สมชาย",
    ],
)
def test_names_in_any_script_have_glyphs(name: str) -> None:
    printed = print_summary(summary_of(NO_TO_ALL, name=name)[0])
    assert printed.missing == frozenset(), "install the fonts that `flask init` names"


def test_a_character_without_a_glyph_is_shown_by_its_code_point_and_never_silent(
    caplog: pytest.LogCaptureFixture,
) -> None:
    printed = print_summary(summary_of(NO_TO_ALL, name="Symbol 👩")[0])
    assert printed.missing == {"👩"}
    text = text_of(printed.content)
    assert "Symbol[U+1F469]" in text
    assert "Somecharacterscannotbeprinted" in text
    assert "characters without a glyph" in caplog.text
    assert "Symbol" not in caplog.text
    assert "Somecharacters" not in text_of(print_summary(summary_of(NO_TO_ALL)[0]).content)


def test_the_outcome_shows_in_greyscale_by_shape_and_words() -> None:
    """Each outcome's box differs from the others when all colour is gone."""
    boxes = set()
    for values in (
        NO_TO_ALL,
        {**NO_TO_ALL, "iud": "yes"},
        UNSURE,
        {**NO_TO_ALL, "infection": "yes"},
    ):
        pdf = pypdfium2.PdfDocument(print_summary(summary_of(values)[0]).content)
        picture = pdf[0].render(scale=1).to_pil().convert("1")
        boxes.add(picture.crop((30, 70, 100, 125)).tobytes())
        pdf.close()
    assert len(boxes) == 4


def test_the_page_is_tagged_and_says_its_language() -> None:
    catalogue: Any = PdfReader(
        io.BytesIO(print_summary(summary_of(NO_TO_ALL, clinic_language="es")[0]).content)
    ).trailer["/Root"]
    assert catalogue["/Lang"] == "es"
    assert catalogue["/MarkInfo"]["/Marked"]
