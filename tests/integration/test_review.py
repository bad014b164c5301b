"""A screening in the clinic: opened, clarified, decided.

Nothing that was recorded is ever lost or overwritten.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import BytesIO

import pytest
from flask import Flask
from pypdf import PdfReader
from sqlalchemy import select, update

from screening.domain.answers import Answers
from screening.domain.assessment import Screening
from screening.domain.entries import Clarification, Review
from screening.extensions import db
from screening.installation import current_installation
from screening.storage import screenings, summaries
from screening.storage.private_files import KeyFault
from screening.storage.tables import EntryRow, ScreeningRow
from tests.builders import all_no
from tests.integration.colleague import Colleague
from tests.integration.visitor import Visitor
from tests.storing import book_in_force, store

PREGNANT = {"pregnancy": {"pregnancy": "yes"}}
UNSURE = {"infection": {"infection": "unsure", "infection_symptoms": ["fever"]}}
NEXT_YEAR = (datetime.now(UTC) + timedelta(days=365)).date().isoformat()

pytestmark = pytest.mark.one_database


def sent(app: Flask, pages: dict[str, dict[str, object]] | None = None, **about: str) -> str:
    """Send a screening with the answers "no", or those in `pages`; return its reference."""
    values = {item: value for page in (pages or {}).values() for item, value in page.items()}
    patient = {"name": "Sample Patient", "visit": "V-1", **about}
    with app.app_context():
        installation = current_installation()
        book = installation.books["en"]
        jobs = installation.jobs_of_sent
        return store(
            db.session, installation.keys, book, all_no(**values), jobs=jobs, **patient
        ).reference


def stored(app: Flask, reference: str) -> Screening:
    with app.app_context():
        screening = screenings.find(
            db.session, current_installation().keys, ScreeningRow.reference == reference
        )
    assert screening is not None
    return screening


@pytest.fixture
def dr(app: Flask) -> Colleague:
    return Colleague(app, "dr")


def test_a_screening_is_new_until_somebody_opens_it(app: Flask, dr: Colleague) -> None:
    reference = sent(app, UNSURE)
    assert stored(app, reference).status == "new"
    dr.get(f"/clinic/screenings/{reference}")
    assert "Clarify before deciding" in dr.text
    assert "Establish whether there is an active infection" in dr.text
    assert stored(app, reference).status == "opened"


def test_fields_for_own_words_are_empty_at_first(app: Flask, dr: Colleague) -> None:
    reference = sent(app, UNSURE)
    for path in ("", "/clarify/infection"):
        page = dr.get(f"/clinic/screenings/{reference}{path}").text
        texts = re.findall(r"<textarea[^>]*>(.*?)</textarea>", page, re.DOTALL)
        assert texts
        assert not any(text.strip() for text in texts)


def test_a_sentence_of_ours_that_begins_with_own_words_keeps_our_direction(
    app: Flask, dr: Colleague
) -> None:
    """Browsers apply the first letter inside an isolate to `dir="auto"`: the date was split."""
    reference = sent(app, UNSURE)
    dr.clarify(reference, "infection", infection="yes", infection_since="منذ 3 أيام", why="Asked")
    for path in ("", "/clarify/infection"):
        dr.get(f"/clinic/screenings/{reference}{path}")
        before = re.findall(
            r"<b>Established</b>\s*(\S*)\u2068منذ 3 أيام\u2069 \(Dr dr", dr.page.text
        )
        assert before
        assert set(before) == {""}
        assert not re.search(r'dir="auto">[^<]*<b>Established', dr.page.text)


@pytest.mark.both_databases
def test_a_clarification_stands_beside_the_patients_answer(app: Flask, dr: Colleague) -> None:
    reference = sent(app, UNSURE)
    dr.clarify(reference, "infection", infection="no", why="Examined: no sign of infection")
    assert "No findings from these answers" in dr.text
    assert "I am not sure" in dr.text
    assert re.search(r"Established\s+No \(Dr dr, ", dr.text)
    assert "Clarified – Active infection: No" in dr.text
    screening = stored(app, reference)
    assert screening.answers.value("infection") == "unsure"
    assert screening.answers.value("infection_symptoms") == ("fever",)
    assert screening.established.value("infection") == "no"
    assert screening.established.value("infection_symptoms") is None
    dr.get(f"/clinic/screenings/{reference}/summary.pdf")
    words = " ".join(page.extract_text() for page in PdfReader(BytesIO(dr.page.data)).pages)
    for expected in (
        "I am not sure",
        "Established No (Dr dr,",
        "Examined: no sign of infection",
        "Fever",
    ):
        assert expected in words


def test_every_version_is_kept_and_the_last_one_counts(app: Flask, dr: Colleague) -> None:
    reference = sent(app, PREGNANT)
    dr.clarify(reference, "pregnancy", pregnancy="no", pregnancy_planned="yes", why="First test")
    assert "Caution reported" in dr.text
    dr.clarify(reference, "pregnancy", pregnancy="unsure", why="Second test")
    assert "Still open after clarification." in dr.text
    entries = stored(app, reference).entries
    assert [entry.why for entry in entries if isinstance(entry, Clarification)] == [
        "First test",
        "Second test",
    ]
    assert "First test" in dr.text


def test_what_the_patient_answered_alone_can_be_clarified_with_its_follow_up(
    app: Flask, dr: Colleague
) -> None:
    reference = sent(app)
    dr.clarify(
        reference,
        "infection",
        infection="yes",
        infection_symptoms=["chills"],
        infection_since="today",
    )
    assert "Contraindication reported" in dr.text
    assert "Signs of infection: Chills" in dr.text
    assert stored(app, reference).answers.value("infection") == "no"


def test_name_and_date_of_birth_stand_where_a_patient_is_chosen_and_where_something_is_recorded(
    app: Flask, dr: Colleague
) -> None:
    reference = sent(app, UNSURE)
    listed = " ".join(re.sub("<[^>]+>", " ", dr.get("/clinic/").text).split())
    assert re.search(r"Sample Patient 12-Mar-1988 \(\d+y\)", listed)
    page = f"/clinic/screenings/{reference}"
    for address in (page, f"{page}/clarify/infection"):
        above = dr.get(address).text.partition("<main")[2].partition("<fieldset")[0]
        for words in ("Sample Patient", "12-Mar-1988", reference):
            assert words in above, (address, words)


def test_a_clarification_needs_an_answer_and_how_it_was_established(
    app: Flask, dr: Colleague
) -> None:
    reference = sent(app, UNSURE)
    dr.clarify(reference, "infection", why="  ", infection="private")
    for expected in ("Choose what was established", "Say how this was established"):
        assert expected in dr.text
    dr.clarify(reference, "infection", why="x" * 2001)
    assert "at most 2000 letters" in dr.text
    assert "x" * 2001 in dr.text
    dr.clarify(reference, "pregnancy", why="Asked", pregnancy="no")
    assert "Are you or your partner planning a pregnancy?" in dr.text
    assert stored(app, reference).entries == ()
    assert dr.get(f"/clinic/screenings/{reference}/clarify/nothing").status_code == 404


@pytest.mark.parametrize("decision", ["proceed", "proceed_with_changes"])
def test_proceeding_past_a_contraindication_needs_a_reason(
    app: Flask, dr: Colleague, decision: str
) -> None:
    reference = sent(app, PREGNANT)
    dr.decide(reference, decision, note="As discussed", reason="   ")
    assert "A contraindication is reported: give your reason for proceeding" in dr.text
    assert "As discussed" in dr.text
    assert stored(app, reference).status == "opened"
    dr.decide(reference, decision, note="As discussed", reason="Benefit outweighs")
    review = stored(app, reference).review
    assert isinstance(review, Review)
    assert (review.decision, review.note, review.reason) == (
        decision,
        "As discussed",
        "Benefit outweighs",
    )
    assert stored(app, reference).status == "reviewed"


@pytest.mark.parametrize("until", ["", "2020-01-01", "soon", "2026-02-30"])
def test_a_deferral_needs_a_day_that_is_still_to_come(
    app: Flask, dr: Colleague, until: str
) -> None:
    reference = sent(app, PREGNANT)
    dr.decide(reference, "defer", until=until, note="Kept")
    assert "Enter a date after today" in dr.text or "Enter the date as year-month-day" in dr.text
    assert "Kept" in dr.text
    assert stored(app, reference).review is None


def test_a_decision_must_be_one_that_is_offered(app: Flask, dr: Colleague) -> None:
    reference = sent(app)
    for decision in ("", "maybe"):
        dr.decide(reference, decision, note="Kept")
        assert "Choose a decision" in dr.text
        assert "Kept" in dr.text
    assert stored(app, reference).review is None


def test_a_clarification_after_the_decision_opens_the_screening_again(
    app: Flask, dr: Colleague
) -> None:
    reference = sent(app, UNSURE)
    dr.decide(reference, "defer", until=NEXT_YEAR)
    assert stored(app, reference).status == "reviewed"
    dr.clarify(reference, "infection", infection="no")
    screening = stored(app, reference)
    assert (screening.status, screening.review) == ("opened", None)
    assert "Decision: defer until" in dr.text
    assert "New decision needed: an answer has been clarified since “defer until" in dr.text
    assert "Reviewed by" not in dr.text


def test_the_decision_stands_in_the_outcome_box_of_the_page_and_of_the_pdf_made_after_it(
    app: Flask, dr: Colleague
) -> None:
    reference = sent(app, UNSURE)

    def pdf() -> str:
        dr.get(f"/clinic/screenings/{reference}/summary.pdf")
        return " ".join(
            " ".join(page.extract_text() for page in PdfReader(BytesIO(dr.page.data)).pages).split()
        )

    assert "Reviewed by Date" in pdf()
    dr.decide(reference, "do_not_start")
    box = dr.text.partition("Open the PDF")[0]
    assert re.search(r"Decision: do not start\s+·\s+Dr dr\s*,", box)
    assert re.search(r"Reviewed by\s+Dr dr\s*,", box)
    after = pdf()
    assert re.search(r"Decision: do not start · Dr dr, .* Draft rules", after)
    assert "Reviewed by Dr dr Date" in after
    with app.app_context():
        row = screenings.row_of(db.session, reference)
        assert summaries.numbers(db.session, current_installation().keys, row.id) == {0, 1}, (
            "the one made before is kept"
        )


def test_the_age_of_answers_is_shown_only_where_ages_differ_or_an_answer_is_too_old(
    app: Flask, dr: Colleague
) -> None:
    def columns(reference: str) -> list[str]:
        dr.get(f"/clinic/screenings/{reference}")
        return re.findall(r'<th scope="col">(.*?)</th>', dr.page.text)

    same = ["Question as asked", "Answer", "Finding", "Clarify"]
    reference = sent(app, UNSURE)
    assert columns(reference) == same
    dr.clarify(reference, "infection", infection="no")
    assert columns(reference) == [*same[:2], "Age", *same[2:]]
    with app.app_context():
        installation = current_installation()
        long_ago = datetime.now(UTC) - timedelta(hours=49)
        old = store(
            db.session, installation.keys, installation.books["en"], all_no(), at=long_ago
        ).reference
    assert columns(old) == [*same[:2], "Age", *same[2:]]
    assert "Confirm again" in dr.text


def test_a_reaction_that_is_cut_off_leads_to_its_row(app: Flask, dr: Colleague) -> None:
    reaction = {"hypersensitivity": "yes", "hypersensitivity_reaction": "My arms were red. " * 25}
    dr.get(f"/clinic/screenings/{sent(app, {'hypersensitivity': reaction})}")
    assert '<a href="#answer-hypersensitivity_reaction">continued in row Q4b</a>' in dr.page.text
    assert '<tr id="answer-hypersensitivity_reaction"' in dr.page.text


def test_what_to_clarify_and_what_is_not_screened_are_marked_as_ours(
    app: Flask, dr: Colleague
) -> None:
    address = f"/clinic/screenings/{sent(app, UNSURE)}"
    dr.get(address)
    assert dr.page.text.count("ours, not the source’s") == 2
    dr.get(f"{address}/clarify/infection")
    assert 'examine as needed. <span class="small">(ours, not the source’s)</span>' in dr.page.text


@pytest.mark.both_databases
def test_the_second_of_two_prescribers_is_told_and_loses_nothing(app: Flask, dr: Colleague) -> None:
    other = Colleague(app, "other")
    reference = sent(app, UNSURE)
    dr.get(f"/clinic/screenings/{reference}")
    seen = dr.seen
    other.decide(reference, "do_not_start", note="Said first")
    dr.post(
        f"/clinic/screenings/{reference}/review",
        {"decision": "proceed", "note": "Said second", "seen": seen},
    )
    assert dr.page.status_code == 409
    assert "Somebody else has recorded something in the meantime" in dr.text
    assert "Dr other" in dr.text
    assert "Said first" in dr.text
    assert "Said second" in dr.text
    assert len(stored(app, reference).entries) == 1
    dr.post(
        f"/clinic/screenings/{reference}/review",
        {"decision": "proceed", "note": "Said second", "seen": dr.seen},
    )
    assert [entry.by for entry in stored(app, reference).entries] == ["Dr other", "Dr dr"]


def test_clarifying_at_the_same_time_is_told_too(app: Flask, dr: Colleague) -> None:
    other = Colleague(app, "other")
    reference = sent(app, UNSURE)
    dr.get(f"/clinic/screenings/{reference}/clarify/infection")
    seen = dr.seen
    other.clarify(reference, "iud", iud="no")
    values = {"infection": "no", "why": "Mine", "seen": seen}
    dr.post(f"/clinic/screenings/{reference}/clarify/infection", values)
    assert dr.page.status_code == 409
    assert "Mine" in dr.text
    assert len(stored(app, reference).entries) == 1


def test_answers_that_are_too_old_are_to_be_confirmed_again(app: Flask, dr: Colleague) -> None:
    reference = sent(app, UNSURE)
    dr.get(f"/clinic/screenings/{reference}")
    assert "Confirm again" not in dr.text
    screening = stored(app, reference)
    book = book_in_force(app)
    asked = {question.id: question for question in book.questions}
    later = screening.submitted_at + timedelta(hours=49)
    assert screening.outdated(asked["infection"], later)
    assert not screening.outdated(asked["pregnancy"], later)
    assert not screening.outdated(asked["infection"], screening.submitted_at + timedelta(hours=48))
    clarified = Clarification(by="x", at=later, items=("infection",), answers=Answers(), why="y")
    assert replace(screening, entries=(clarified,)).known_since("infection") == later


@pytest.mark.parametrize("what", ["entry", "count", "status", "removed"])
def test_an_entry_or_status_that_was_tampered_with_is_noticed(
    app: Flask, dr: Colleague, what: str
) -> None:
    reference = sent(app, UNSURE)
    dr.clarify(reference, "infection", infection="no")
    dr.decide(reference, "proceed")
    with app.app_context():
        session = db.session
        match what:
            case "entry":
                first, second = session.scalars(select(EntryRow).order_by(EntryRow.number)).all()
                first.sealed_entry, second.sealed_entry = second.sealed_entry, first.sealed_entry
            case "count":
                session.execute(update(ScreeningRow).values(entries=1))
            case "status":
                session.execute(update(ScreeningRow).values(status="new"))
            case "removed":
                session.delete(session.scalars(select(EntryRow).where(EntryRow.number == 2)).one())
        session.commit()
        with pytest.raises(KeyFault):
            screenings.find(
                session, current_installation().keys, ScreeningRow.reference == reference
            )
    assert dr.get(f"/clinic/screenings/{reference}").status_code == 500
    assert reference in dr.get("/clinic/?show=all").text
    if what != "removed":
        assert what == "entry" or "Cannot be opened" in dr.text


def test_the_pdf_is_shown_inline_or_saved_under_a_name_without_identity(
    app: Flask, dr: Colleague
) -> None:
    reference = sent(app, PREGNANT, name="Marker Name")
    dr.get(f"/clinic/screenings/{reference}/summary.pdf")
    assert dr.page.mimetype == "application/pdf"
    assert dr.page.headers["Content-Disposition"] == f"inline; filename=summary-{reference}.pdf"
    dr.get(f"/clinic/screenings/{reference}/summary.pdf?download=1")
    assert dr.page.headers["Content-Disposition"] == f"attachment; filename=summary-{reference}.pdf"


def test_the_patients_copy_is_in_the_patients_language_without_any_outcome(
    app: Flask, dr: Colleague
) -> None:
    visitor = Visitor(app)
    visitor.post("/language", {"language": "es", "next": "/"})
    visitor.fill_in(PREGNANT)
    reference = visitor.send()
    dr.get(f"/clinic/screenings/{reference}/copy")
    assert "¿Está embarazada?" in dr.text
    assert 'lang="es"' in dr.page.text
    for word in ("ontraindica", "severity", "Clarify", "Aclarar"):
        assert word not in dr.text


def test_a_reference_is_found_however_it_is_typed_and_an_unknown_one_is_a_kind_page(
    app: Flask, dr: Colleague
) -> None:
    reference = sent(app)
    assert dr.get(f"/clinic/screenings/{reference.lower().replace('-', '')}").status_code == 200
    assert dr.get("/clinic/screenings/0000-0000").status_code == 404
    assert "There is no such screening" in dr.text


@pytest.mark.both_databases
def test_each_view_print_copy_and_decision_is_in_the_audit_log(app: Flask, dr: Colleague) -> None:
    reference = sent(app, UNSURE)
    dr.get(f"/clinic/screenings/{reference}")
    dr.get(f"/clinic/screenings/{reference}")
    dr.get(f"/clinic/screenings/{reference}/summary.pdf")
    dr.get(f"/clinic/screenings/{reference}/copy")
    dr.clarify(reference, "infection", infection="no")
    dr.decide(reference, "proceed")
    lines = app.test_cli_runner().invoke(args=["audit", "export"]).stdout.splitlines()
    done = [line.split(",")[3] for line in lines if reference in line]
    for action in ("submitted", "opened", "viewed", "printed", "copied", "clarified", "reviewed"):
        assert action in done
    assert [line.split(",")[2] for line in lines if reference in line] == [
        "patient",
        *["dr"] * (len(done) - 1),
    ]
