"""A summary is printed after its screening is sent, kept as delivered, and retried on failure."""

from __future__ import annotations

import hashlib
import json
import random
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from io import BytesIO
from threading import Event

import pytest
from flask import Flask
from pypdf import PdfReader
from sqlalchemy import func, select

from screening import background
from screening.extension_points import JobKind
from screening.extensions import db
from screening.installation import current_installation
from screening.printing.renderer_process import Printed, PrintingFailed
from screening.services import jobs as jobs_of_services
from screening.services import printing
from screening.storage import outbox, summaries
from screening.storage.database import write
from screening.storage.tables import JobRow, ScreeningRow, SummaryRow
from tests.days import pass_days
from tests.integration.colleague import Colleague
from tests.integration.test_review import sent
from tests.integration.test_upkeep import a_few, change, flask
from tests.integration.visitor import Visitor

pytestmark = pytest.mark.one_database

both_databases = pytest.mark.both_databases


def jobs(app: Flask) -> list[JobRow]:
    """The jobs that wait, with their kinds as words."""
    with app.app_context():
        waiting = outbox.waiting(db.session)
        for job, kind, _reference in waiting:
            db.session.expunge(job)
            job.kind = kind
        return [job for job, _kind, _reference in waiting]


def printed(app: Flask, reference: str) -> list[bytes]:
    """Each edition that is stored, in its order."""
    with app.app_context():
        query = select(SummaryRow).join(ScreeningRow).where(ScreeningRow.reference == reference)
        rows = db.session.scalars(query.order_by(SummaryRow.number))
        return [summaries.pdf(row, current_installation().keys) for row in rows]


def broken(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fail(*_: object, **__: object) -> Printed:
        raise error

    monkeypatch.setattr(printing, "print_summary", fail)


def let_time_pass(app: Flask, by: timedelta) -> None:
    with app.app_context(), write(db.session):
        for job in db.session.scalars(select(JobRow)):
            job.due_at -= by


def give_up(app: Flask) -> None:
    """Work until nothing is left to be tried."""
    for _ in range(outbox.ATTEMPTS):
        let_time_pass(app, timedelta(hours=1))
        background.empty_outbox(app)


@both_databases
def test_what_is_sent_is_printed_and_kept_to_the_byte(app: Flask) -> None:
    visitor = Visitor(app)
    visitor.fill_in()
    current_installation(app).asleep.append(asleep := Event())
    reference = visitor.send()
    assert len(jobs(app)) == 1, "committed with the screening"
    assert asleep.is_set(), "the server begins at once"
    background.empty_outbox(app)
    assert jobs(app) == []
    dr = Colleague(app)
    first = dr.get(f"/clinic/screenings/{reference}/summary.pdf").data
    assert first.startswith(b"%PDF")
    assert [first] == printed(app, reference)
    with app.app_context():
        row = db.session.scalars(select(SummaryRow)).one()
        kept = row.unseal(current_installation().keys, "sealed_digest").decode()
        assert kept == f"{hashlib.sha256(first).hexdigest()} {len(first)}"
        assert first[:1000] not in row.sealed_pdf


def test_each_record_of_the_clinic_gives_another_edition_and_the_old_one_stays(app: Flask) -> None:
    dr = Colleague(app)
    reference = sent(app)
    dr.get(f"/clinic/screenings/{reference}/summary.pdf")
    dr.clarify(reference, "infection", infection="no")
    dr.decide(reference, "proceed", note="Talked about it")
    assert [job.number for job in jobs(app)] == [1, 2]
    background.empty_outbox(app)
    readers = (PdfReader(BytesIO(pdf)) for pdf in printed(app, reference))
    editions = ["".join(page.extract_text() for page in reader.pages) for reader in readers]
    assert len(editions) == 3
    assert [("Clarified" in edition, "Talked about it" in edition) for edition in editions] == [
        (False, False),
        (True, False),
        (True, True),
    ]
    assert [
        "edition 1 " in editions[0],
        "edition 2 " in editions[1],
        "edition 3 " in editions[2],
    ] == [True] * 3
    codes = {edition.split("Check code ")[1][:14] for edition in editions}
    assert len(codes) == 3


def test_a_failure_is_tried_again_after_longer_and_longer_and_then_shown(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    dr = Colleague(app)
    reference = sent(app)
    broken(monkeypatch, PrintingFailed("SIGKILL"))
    waits = []
    for attempt in range(1, outbox.ATTEMPTS + 1):
        before = datetime.now(UTC)
        background.empty_outbox(app)
        (job,) = jobs(app)
        assert (job.attempts, job.fault) == (attempt, "SIGKILL")
        waits.append((job.due_at - before).total_seconds())
        background.empty_outbox(app)  # too early
        assert jobs(app)[0].attempts == attempt
        let_time_pass(app, timedelta(hours=1))
    nominal = [2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600, 600]
    assert all(
        0.5 * whole <= wait <= 1.5 * whole + 1 for wait, whole in zip(waits, nominal, strict=True)
    ), waits
    assert jobs(app)[0].failed
    dr.get("/clinic/")
    assert "The PDF of 1 screening could not be made." in dr.text
    assert reference in dr.text
    page = dr.get(f"/clinic/screenings/{reference}/summary.pdf")
    assert page.status_code == 503
    assert "Nothing is lost" in dr.text
    assert dr.get(f"/clinic/screenings/{reference}").status_code == 200, "the page still works"
    assert "failed" in flask(app, "outbox", "list").output
    assert "1 of them failed" in flask(app, "doctor", code=1).output


@pytest.mark.parametrize("by", ["page", "command"])
def test_what_failed_can_be_tried_again(
    app: Flask, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    dr = Colleague(app, "reception", "staff")
    reference = sent(app)
    with monkeypatch.context() as patch:
        broken(patch, RuntimeError("Zyxwvutina had a word"))
        give_up(app)
    assert jobs(app)[0].failed
    assert jobs(app)[0].fault == "RuntimeError", "nothing that a patient wrote"
    background.empty_outbox(app)
    assert printed(app, reference) == [], "not by itself"
    if by == "page":
        dr.get("/clinic/")
        dr.post("/clinic/retry")
        assert "could not be made" not in dr.text
        background.empty_outbox(app)
    else:
        assert "1 jobs" in flask(app, "outbox", "retry").output
        assert "0 jobs wait" in flask(app, "outbox", "run", "--once").output
    assert len(printed(app, reference)) == 1
    assert "retried" in flask(app, "audit", "export").output


def test_a_process_that_dies_while_printing_loses_nothing(app: Flask) -> None:
    reference = sent(app)
    now = datetime.now(UTC)
    for attempt in range(outbox.ATTEMPTS):
        with app.app_context(), write(db.session):
            later = now + attempt * 2 * outbox.LEASE
            assert outbox.take(db.session, outbox.SUMMARY, now=later) is not None
            assert outbox.take(db.session, outbox.SUMMARY, now=later + outbox.LEASE / 2) is None, (
                "leased"
            )
    background.empty_outbox(app)
    assert printed(app, reference) == []
    with app.app_context(), write(db.session):
        assert outbox.take(db.session, outbox.SUMMARY, now=now + timedelta(hours=1)) is None
    assert (jobs(app)[0].failed, jobs(app)[0].fault) == (True, "the process ended")
    assert "1 jobs" in flask(app, "outbox", "retry", reference).output
    background.empty_outbox(app)
    assert len(printed(app, reference)) == 1


@both_databases
def test_no_two_take_the_same_job_and_a_lease_that_ran_out_writes_nothing(app: Flask) -> None:
    references = a_few(app, 4)
    now = datetime.now(UTC) + timedelta(seconds=1)
    with app.app_context():
        with write(db.session):
            first = outbox.take(db.session, outbox.SUMMARY, now=now)
        taken = []
        with write(db.session):
            while (job := outbox.take(db.session, outbox.SUMMARY, now=now)) is not None:
                taken.append(job.id)
        assert first is not None
        assert len({first.id, *taken}) == len(references)
        with write(db.session):
            again = outbox.take(db.session, outbox.SUMMARY, now=now + 2 * outbox.LEASE)
            assert again is not None
            assert again.id == first.id, "the one that has waited for longest"
        with write(db.session):
            assert not outbox.finish(db.session, first)
            outbox.put_off(db.session, first, "late", now=now)
            assert outbox.finish(db.session, again)


def test_a_clock_that_is_set_back_keeps_no_job_waiting(app: Flask) -> None:
    reference = sent(app)
    let_time_pass(app, timedelta(days=-300))  # as if it was sent in a year that is yet to come
    background.empty_outbox(app)
    assert len(printed(app, reference)) == 1


def test_whoever_opens_the_pdf_need_not_wait_for_the_server(app: Flask) -> None:
    dr = Colleague(app)
    reference = sent(app)
    assert dr.get(f"/clinic/screenings/{reference}/summary.pdf").data == printed(app, reference)[0]
    assert jobs(app) == []


def test_a_lost_job_is_noticed_and_made_again_when_the_pdf_is_asked_for(app: Flask) -> None:
    dr = Colleague(app)
    reference = sent(app)
    change(app, "DELETE FROM outbox")
    assert "printed summaries are missing: [1]" in flask(app, "verify", code=1).output
    assert dr.get(f"/clinic/screenings/{reference}/summary.pdf").data == printed(app, reference)[0]
    dr.get(f"/clinic/screenings/{reference}")
    assert "printed" not in flask(app, "verify", "--accept", code=1).output
    flask(app, "verify")


def test_a_signing_key_that_cannot_be_used_is_seen_and_nothing_goes_out_unsigned(
    app: Flask,
) -> None:
    dr = Colleague(app)
    reference = sent(app)
    key = current_installation(app).signing_file
    for content, mode, words in (
        ("any", 0o600, f"{key} must hold"),
        ("any", 0o644, "can be read by others"),
    ):
        key.write_text(content)
        key.chmod(mode)
        let_time_pass(app, timedelta(hours=1))
        background.empty_outbox(app)
        assert printed(app, reference) == []
        assert dr.get(f"/clinic/screenings/{reference}").status_code == 200
        assert words in flask(app, "doctor", code=1).output
        assert words in flask(app, "outbox", "list").output
    key.unlink()
    let_time_pass(app, timedelta(hours=1))
    background.empty_outbox(app)
    assert len(printed(app, reference)) == 1


def test_a_signed_summary_begins_with_the_bytes_whose_hash_is_kept(app: Flask) -> None:
    flask(app, "signing-key", "create")
    kept = current_installation(app).signing_file.read_bytes()
    assert "is there already" in flask(app, "signing-key", "create", code=1).output
    assert current_installation(app).signing_file.read_bytes() == kept
    assert current_installation(app).signing_file.stat().st_mode & 0o777 == 0o600
    assert "CN=Our clinic" in flask(app, "signing-key", "show").output
    reference = sent(app)
    background.empty_outbox(app)
    (pdf,) = printed(app, reference)
    with app.app_context():
        row = db.session.scalars(select(SummaryRow)).one()
        digest, length = row.unseal(current_installation().keys, "sealed_digest").decode().split()
    unsigned = pdf[: int(length)]
    assert hashlib.sha256(unsigned).hexdigest() == digest
    assert unsigned.rstrip().endswith(b"%%EOF")
    assert b"/ETSI.CAdES.detached" in pdf[int(length) :]


def test_the_pdf_carries_what_was_answered_and_found_as_fhir(app: Flask) -> None:
    reference = sent(app, {"iud": {"iud": "yes"}})
    background.empty_outbox(app)
    reader = PdfReader(BytesIO(printed(app, reference)[0]))
    (content,) = reader.attachments["questionnaire-response.json"]
    bundle = json.loads(content)
    kinds = [entry["resource"]["resourceType"] for entry in bundle["entry"]]
    assert kinds == [
        "Patient",
        "Questionnaire",
        "QuestionnaireResponse",
        "Medication",
        "DetectedIssue",
        "Provenance",
    ]
    assert bundle["identifier"]["value"] == reference
    file = current_installation(app).settings.instance / "exported"
    flask(app, "export", "--since", "2020-01-01", "--format", "fhir", str(file))
    assert json.loads(file.read_text()) == bundle


def test_what_is_deleted_is_deleted_with_its_summaries(app: Flask) -> None:
    a_few(app, 2)
    background.empty_outbox(app)
    a_few(app, 1)
    assert pass_days(app, 95) == 3
    with app.app_context():
        assert db.session.scalar(select(func.count()).select_from(SummaryRow)) == 0
        assert jobs(app) == []


def test_a_new_key_seals_the_summaries_too_and_a_changed_one_is_found(app: Flask) -> None:
    reference = sent(app)
    background.empty_outbox(app)
    before = printed(app, reference)
    flask(app, "rotate-key", "--forget")
    assert printed(app, reference) == before
    flask(app, "verify")
    change(app, "UPDATE summaries SET made_at = '2020-01-01 00:00:00+00:00'")
    assert "summaries.sealed_pdf cannot be opened" in flask(app, "verify", code=1).output


def test_jobs_of_many_are_done_whatever_fails_in_between(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Forty jobs, of which a third of the attempts fail at random: each done once, none lost."""
    references = a_few(app, 40)
    chance = random.Random(7)

    def now_and_then(*_: object, **__: object) -> Printed:
        if chance.random() < 1 / 3:
            raise PrintingFailed("by chance")
        return Printed(b"%PDF-1.7 fake", frozenset())

    monkeypatch.setattr(printing, "print_summary", now_and_then)
    rounds = 0
    while any(not job.failed for job in jobs(app)):
        let_time_pass(app, timedelta(hours=1))
        background.empty_outbox(app)
        rounds += 1
    assert 1 < rounds <= outbox.ATTEMPTS
    assert [len(printed(app, reference)) for reference in references] == [1] * 40


def test_an_older_edition_that_is_missing_is_found(app: Flask) -> None:
    dr = Colleague(app)
    reference = sent(app)
    dr.clarify(reference, "infection", infection="no")
    background.empty_outbox(app)
    flask(app, "verify")
    change(app, "DELETE FROM summaries WHERE number = 0")
    assert "printed summaries are missing: [1]" in flask(app, "verify", code=1).output


def test_many_failures_are_counted_by_screening_and_all_tried_again(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    dr = Colleague(app)
    references = a_few(app, 12)
    dr.clarify(references[0], "infection", infection="no")
    with monkeypatch.context() as patch:
        broken(patch, PrintingFailed("SIGKILL"))
        give_up(app)
    assert len(jobs(app)) == 13
    dr.get("/clinic/")
    assert "The PDFs of 12 screenings could not be made." in dr.text
    assert "and 2 more" in dr.text
    dr.post("/clinic/retry")
    assert "could not be made" not in dr.text
    assert not any(job.failed for job in jobs(app))


def test_who_opens_a_pdf_that_has_just_failed_is_told_at_once(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    dr = Colleague(app)
    reference = sent(app)
    with monkeypatch.context() as patch:
        broken(patch, PrintingFailed("SIGKILL"))
        background.empty_outbox(app)
        assert dr.get(f"/clinic/screenings/{reference}/summary.pdf").status_code == 503
        assert "another will follow automatically" in dr.text
        assert jobs(app)[0].attempts == 1


@pytest.mark.parametrize(
    ("name", "length"), [("Sample Patient", 64), ("فاطمة الزهراء", 64), ("王小明", 256)]
)
def test_what_is_stored_is_as_long_for_every_outcome(app: Flask, name: str, length: int) -> None:
    yes = dict.fromkeys(
        ("pregnancy", "breastfeeding", "infection", "hypersensitivity", "iud", "vaccines"), "yes"
    )
    sent(app, name=name)
    sent(app, {"all": yes}, name=name)
    background.empty_outbox(app)
    with app.app_context():
        lengths = {len(row.sealed_pdf) for row in db.session.scalars(select(SummaryRow))}
    assert len(lengths) == 1
    assert lengths.pop() // 1024 == length


def test_jobs_of_a_feature_follow_from_what_is_sent_and_are_done_once_it_is_printed(
    sqlite_app: Flask,
) -> None:
    done = []

    def work(now: datetime) -> bool:
        return jobs_of_services.work(
            db.session, "copy", lambda job: done.append(outbox.finish(db.session, job)), now=now
        )

    for kind, every_edition in (("copy", True), ("notice", False)):
        job_kind = JobKind(kind=kind, label=kind, every_edition=every_edition, work=work)
        current_installation(sqlite_app).points.job_kinds.append(job_kind)
    reference = sent(sqlite_app)
    assert {job.kind for job in jobs(sqlite_app)} == {"summary", "copy", "notice"}
    with sqlite_app.app_context():
        assert not work(datetime.now(UTC)), "nothing is printed yet"
    background.empty_outbox(sqlite_app)
    assert done == [True]
    Colleague(sqlite_app).clarify(reference, "infection", infection="yes")
    assert {job.kind for job in jobs(sqlite_app) if job.number == 1} == {"summary", "copy"}


def test_a_job_that_a_wrong_clock_put_off_for_years_is_named_and_can_be_tried_again(
    app: Flask,
) -> None:
    sent(app)
    change(app, "UPDATE outbox SET due_at = '6026-01-01 00:00:00.000000'")
    assert "1 fail again and again or are late" in flask(app, "doctor", code=1).stdout
    assert "1 jobs will be tried again" in flask(app, "outbox", "retry").stdout
    background.empty_outbox(app)
    assert jobs(app) == []


def test_late_jobs_of_a_kind_that_nobody_does_are_named_in_the_inbox(sqlite_app: Flask) -> None:
    reference = sent(sqlite_app)
    background.empty_outbox(sqlite_app)
    with sqlite_app.app_context(), write(db.session):
        (row,) = db.session.scalars(select(ScreeningRow))
        outbox.add(db.session, ["fax"], row, now=datetime.now(UTC) - 2 * outbox.OVERDUE)
    page = Colleague(sqlite_app).get("/clinic/").text
    (notice,) = re.findall('<form class="notice".*?</form>', page, re.DOTALL)
    words = re.sub("<[^>]+>", " ", notice).split()
    assert words == ["fax", reference], "and no button: nobody would do them"


Make = Callable[..., Flask]


def test_tables_of_the_first_release_are_brought_up_to_date(make_app: Make) -> None:
    app = make_app()
    reference = sent(app)
    change(app, "DROP TABLE outbox")
    change(app, "DROP TABLE summaries")
    change(app, "DROP TABLE invitations")
    change(app, "DROP TABLE tablets")
    change(app, "DROP TABLE clocks")
    change(app, "DROP TABLE copies")
    change(app, "DROP TABLE approvals")
    change(app, "DROP TABLE in_force")
    change(app, "DROP TABLE same_person")
    change(app, "DROP TABLE credentials")
    change(app, "DROP TABLE passkeys")
    change(app, "DROP INDEX ix_audit_subject")
    change(app, "DROP INDEX ix_screenings_announced")
    change(app, "ALTER TABLE screenings DROP COLUMN announced_at")
    change(app, "ALTER TABLE screenings DROP COLUMN acknowledged_at")
    change(app, "ALTER TABLE sign_ins DROP COLUMN sealed_check")
    change(app, "UPDATE alembic_version SET version_num = '0001_first_tables'")
    flask(app, "init")
    assert f"{reference}  summary, edition 1" in flask(app, "outbox", "list").output
    flask(app, "verify")
    background.empty_outbox(app)
    assert len(printed(app, reference)) == 1
