"""The clinic's own rule book: adopted, approved by people who sign in again, then in force."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import text, update

from screening.domain.rules import BASE_LANGUAGE
from screening.extensions import db
from screening.installation import current_installation
from screening.rulebooks.load import AZATHIOPRINE, load
from screening.services import editions as service
from screening.settings import InvalidSettings, Settings
from screening.storage import editions
from screening.storage.database import write
from screening.storage.tables import PersonRow
from tests.builders import all_no, book
from tests.integration.colleague import PASSWORD, Colleague
from tests.integration.test_review import stored
from tests.integration.test_signing_in import codes
from tests.integration.test_upkeep import flask
from tests.integration.visitor import Visitor
from tests.storing import act_of, book_in_force, store

ADDRESS = "/clinic/rule-book/"
# of the choice that all questions have
WORDS = ('unsure = "I am not sure"', 'unsure = "I do not know"')
INFECTION = 'id = "infection"\nwhen = { infection = ["yes"] }\nseverity = "contraindication"'


def adopted(app: Flask, *changes: tuple[str, str]) -> str:
    """Adopt the rule book in English alone, change it and its version; return the new digest."""
    flask(app, "rulebook", "adopt")
    (current_installation(app).rule_book_folder / "azathioprine.es.toml").unlink()
    return changed(app, ("version = ", 'version = "own-1" # '), *changes)


def changed(app: Flask, *changes: tuple[str, str]) -> str:
    file = current_installation(app).rule_book_file
    content = file.read_text(encoding="utf-8")
    for old, new in changes:
        assert content.count(old) == 1, old
        content = content.replace(old, new)
    file.write_text(content, encoding="utf-8")
    return load(file, ["en"])[BASE_LANGUAGE].edition.digest


def approve(who: Colleague, digest: str, **sent: str) -> None:
    whole = {
        "role": "GMC 7654321",
        "review_by": "2099-01-01",
        "read": "1",
        "password": PASSWORD,
        **sent,
    }
    who.get(ADDRESS)
    who.post(f"{ADDRESS}{digest}/approve", {name: value for name, value in whole.items() if value})


def in_force(app: Flask) -> str:
    return book_in_force(app).edition.digest


def test_an_approved_edition_is_in_force_and_every_output_says_so(
    app: Flask, tmp_path: Path
) -> None:
    before = Visitor(app)
    before.fill_in({"infection": {"infection": "yes"}})
    old = before.send()
    digest = adopted(app, (INFECTION, INFECTION.replace("contraindication", "caution")))
    dr = Colleague(app)
    dr.get(ADDRESS)
    assert "Draft rules" in dr.text
    assert "Answers that lead to something else" in dr.text
    approve(dr, digest)
    assert in_force(app) == digest
    assert "Rules approved by Dr dr (GMC 7654321) on" in dr.text
    after = Visitor(app)
    after.fill_in({"infection": {"infection": "yes"}})
    new = after.send()
    assert "Draft rules" in dr.get(f"/clinic/screenings/{old}").text, (
        "what was known when it was sent"
    )
    assert "Contraindication" in dr.text
    assert "Rules approved by Dr dr (GMC 7654321) on" in dr.get(f"/clinic/screenings/{new}").text
    assert "own-1" in dr.text
    flask(app, "verify")
    assert "Dr dr" in flask(app, "rulebook", "check").output
    target = tmp_path / "all.ndjson"
    flask(app, "export", "--format", "fhir", "--since", "2020-01-01", str(target))
    exported = target.read_text(encoding="utf-8")
    assert "Rules approved by Dr dr (GMC 7654321)" in exported
    assert "Draft rules" in exported
    assert (
        json.loads(Visitor(app).get("/fhir/Questionnaire/azathioprine").data)["status"] == "active"
    )


def test_a_patient_half_way_keeps_what_still_fits(app: Flask) -> None:
    patient = Visitor(app)
    patient.begin()
    patient.answer({"pregnancy": {"pregnancy": "no", "pregnancy_planned": "no"}})
    digest = adopted(app, WORDS)
    approve(Colleague(app), digest)
    patient.get("/questions/pregnancy")
    assert "I do not know" in patient.text
    patient.get("/questions/breastfeeding")
    assert patient.path == "/questions/breastfeeding", (
        "the first question need not be answered again"
    )


def test_two_people_are_needed_where_the_setting_says_so(make_app: Callable[..., Flask]) -> None:
    app = make_app(approvals_needed=2)
    digest = adopted(app)
    packaged = in_force(app)
    dr = Colleague(app)
    other = Colleague(app, "other")
    assert "In force from" not in dr.get(ADDRESS).text, (
        "only the last approval brings it into force"
    )
    approve(dr, digest)
    assert "One more prescriber must approve it" in dr.text
    approve(dr, digest)
    assert "Somebody else has to be the second" in dr.text
    assert in_force(app) == packaged
    assert "Not in force: one more prescriber must approve it" in other.get(ADDRESS).text
    assert "not yet approved by a clinician" not in other.text
    assert "In force from" in other.text
    approve(other, digest, role="Pharmacist")
    assert in_force(app) == digest
    standing = other.get(ADDRESS).text
    assert "Dr dr (GMC 7654321)" in standing
    assert "Dr other (Pharmacist)" in standing


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ({"password": "wrong horse battery"}, "Invalid password"),
        ({"password": ""}, "Password not provided"),
        ({"role": ""}, "Enter your role or registration number"),
        ({"role": "x" * 121}, "Enter your role or registration number"),
        ({"review_by": "2020-01-01"}, "Enter a date after today"),
        ({"review_by": ""}, "Enter a date after today"),
        ({"review_by": "soon"}, "Enter the date as year-month-day"),
        ({"from_day": "2020-01-01"}, "Enter today ("),
        ({"read": ""}, "Tick this box if you have read it"),
    ],
    ids=str,
)
def test_what_is_missing_or_wrong_is_named_and_nothing_typed_is_lost(
    sqlite_app: Flask, sent: dict[str, str], said: str
) -> None:
    digest = adopted(sqlite_app)
    dr = Colleague(sqlite_app)
    approve(dr, digest, **{"from_day": "2098-03-04", **sent})
    assert said in dr.text
    assert in_force(sqlite_app) != digest
    if "from_day" not in sent:
        assert "2098-03-04" in dr.page.text
    if "role" not in sent:
        assert "GMC 7654321" in dr.page.text


def test_where_a_second_factor_is_set_its_code_is_asked_for_too(sqlite_app: Flask) -> None:
    digest = adopted(sqlite_app)
    dr = Colleague(sqlite_app)
    packaged = in_force(sqlite_app)
    phone = codes(dr)
    # as if some time had gone by since the code of the set-up
    with sqlite_app.app_context(), write(db.session):
        db.session.execute(update(PersonRow).values(tf_last_counter=None))
    approve(dr, digest, code="000000")
    assert "The code is wrong, or was used before" in dr.text
    assert in_force(sqlite_app) == packaged
    approve(dr, digest, code=phone.generate().token)
    assert in_force(sqlite_app) == digest


def test_only_prescribers_approve_and_only_they_and_admins_read(sqlite_app: Flask) -> None:
    digest = adopted(sqlite_app)
    admin = Colleague(sqlite_app, "boss", "admin")
    nurse = Colleague(sqlite_app, "nurse", "staff")
    assert "azathioprine own-1" in admin.get(ADDRESS).text
    assert "Approve this edition" not in admin.text
    approve(admin, digest)
    assert admin.page.status_code == 403
    assert nurse.get(ADDRESS).status_code == 403
    nurse.get("/account/")  # a page with the token for forms
    nurse.post(f"{ADDRESS}{digest}/approve", {})
    assert nurse.page.status_code == 403
    stranger = Visitor(sqlite_app)
    stranger.get(f"{ADDRESS}{digest}.pdf")
    assert stranger.path == "/account/sign-in"


def test_a_file_that_changed_since_it_was_read_is_not_approved(sqlite_app: Flask) -> None:
    digest = adopted(sqlite_app)
    dr = Colleague(sqlite_app)
    dr.get(ADDRESS)
    later = changed(sqlite_app, WORDS)
    approve(dr, digest)
    assert dr.page.status_code == 404
    assert in_force(sqlite_app) not in (digest, later)


def test_a_version_that_was_used_with_other_content_is_refused(sqlite_app: Flask) -> None:
    first = adopted(sqlite_app)
    dr = Colleague(sqlite_app)
    approve(dr, first)
    second = changed(sqlite_app, WORDS)
    assert "was used before with other content" in dr.get(ADDRESS).text
    assert "I have read this edition" not in dr.text
    assert "give [edition] another version" in flask(sqlite_app, "doctor", code=1).output
    approve(dr, second)
    assert in_force(sqlite_app) == first
    assert "give [edition] another version" in flask(sqlite_app, "rulebook", "check", code=1).output


def test_an_edition_comes_into_force_at_the_chosen_moment(app: Flask) -> None:
    digest = adopted(app)
    dr = Colleague(app)
    packaged = in_force(app)
    tomorrow = datetime.now(UTC).date() + timedelta(days=1)
    approve(dr, digest, from_day=tomorrow.isoformat())
    assert "Comes into force" in dr.text
    assert "Approved, but not in force yet" in dr.text
    midnight = datetime(tomorrow.year, tomorrow.month, tomorrow.day, tzinfo=UTC)
    with app.app_context():
        keys = current_installation().keys
        assert editions.in_force(db.session, keys, now=midnight - timedelta(seconds=1)) == packaged
        assert editions.in_force(db.session, keys, now=midnight) == digest
        (approval,) = editions.approvals(db.session, keys, digest)
    dr.get(f"{ADDRESS}{digest}/withdraw/{approval.id}")
    dr.post(f"{ADDRESS}{digest}/withdraw/{approval.id}", {"why": "", "password": PASSWORD})
    assert "Give the reason" in dr.text
    dr.post(
        f"{ADDRESS}{digest}/withdraw/{approval.id}",
        {"why": "A rule is wrong", "password": PASSWORD},
    )
    assert "Comes into force" not in dr.text
    with app.app_context():
        assert editions.in_force(db.session, current_installation().keys, now=midnight) == packaged
    flask(app, "verify")


def test_without_its_approval_an_edition_stays_in_force_as_a_draft(app: Flask) -> None:
    digest = adopted(app)
    dr = Colleague(app)
    approve(dr, digest)
    with app.app_context():
        old = store(
            db.session, current_installation().keys, current_installation().books["en"], all_no()
        )
        (approval,) = editions.approvals(db.session, current_installation().keys, digest)
    dr.post(
        f"{ADDRESS}{digest}/withdraw/{approval.id}",
        {"why": "A rule is wrong", "password": PASSWORD},
    )
    assert in_force(app) == digest
    assert book_in_force(app).edition.approvals == ()
    assert "In force, but not approved" in dr.get(ADDRESS).text
    assert "withdrawn by Dr dr" in dr.text
    assert "A rule is wrong" in dr.text
    assert "Rules approved by Dr dr" in dr.get(f"/clinic/screenings/{old.reference}").text
    assert stored(app, old.reference).digest == digest
    approve(dr, digest)
    assert "Rules approved by Dr dr" in dr.get(ADDRESS).text, "may be given again"


def test_a_review_that_is_overdue_is_told(sqlite_app: Flask) -> None:
    digest = adopted(sqlite_app)
    dr = Colleague(sqlite_app)
    approve(dr, digest)
    with sqlite_app.app_context(), write(db.session):
        (row,) = editions.approvals(db.session, current_installation().keys, digest)
        row.review_by = date(2020, 2, 29)
    assert "Review overdue since 29-Feb-2020" in dr.get(ADDRESS).text
    assert "In force and approved, but its review is overdue" in dr.text
    assert "FAULT  rule book: azathioprine own-1" in flask(sqlite_app, "doctor", code=1).output
    patient = Visitor(sqlite_app)
    patient.fill_in()
    assert "Review overdue since 29-Feb-2020" in dr.get(f"/clinic/screenings/{patient.send()}").text


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM approvals",
        "UPDATE approvals SET full_name = 'Dr Who'",
        "UPDATE approvals SET review_by = '2199-01-01'",
        "DELETE FROM in_force WHERE number = 2",
        "UPDATE in_force SET from_at = '2020-01-01 00:00:00'",
        "UPDATE editions SET content = replace(content, 'caution', 'contraindication')",
    ],
)
def test_what_was_changed_behind_the_program_is_found(app: Flask, statement: str) -> None:
    approve(Colleague(app), adopted(app))
    flask(app, "verify")
    with app.app_context(), write(db.session):
        db.session.execute(text(statement))
    flask(app, "verify", code=1)


def test_the_last_good_edition_stays_in_force_when_the_file_breaks(sqlite_app: Flask) -> None:
    digest = adopted(sqlite_app)
    dr = Colleague(sqlite_app)
    approve(dr, digest)
    current_installation(sqlite_app).rule_book_file.write_text("not = [TOML", encoding="utf-8")
    patient = Visitor(sqlite_app)
    patient.fill_in()
    assert stored(sqlite_app, patient.send()).digest == digest
    assert "The file cannot be used" in dr.get(ADDRESS).text
    assert "azathioprine.toml: the file:" in dr.text
    assert "the last good one stays in force" in flask(sqlite_app, "doctor", code=1).output


def test_both_machines_have_the_edition_of_the_database(
    postgresql_app: Flask, tmp_path: Path, start: Callable[[Settings], Flask]
) -> None:
    installation = current_installation(postgresql_app).settings
    second = tmp_path / "second"
    second.mkdir(mode=0o700)
    for name in ("data.key", "secret.key"):
        (second / name).write_bytes((installation.instance / name).read_bytes())
        (second / name).chmod(0o600)
    other = start(
        Settings(
            instance=second, database_url=installation.database_url, unreviewed_languages=("es",)
        )
    )
    assert in_force(other) == in_force(postgresql_app)
    digest = adopted(postgresql_app)
    approve(Colleague(postgresql_app), digest)
    assert in_force(other) == digest == in_force(postgresql_app)


def test_a_newer_release_brings_its_draft_only_where_nobody_approved_or_adopted(
    sqlite_app: Flask,
) -> None:
    def released(content: str) -> Callable[[], object]:
        return lambda: service.load_content(content)["en"].edition

    def begin(content: str, *, adopted: bool = False) -> str:
        with sqlite_app.app_context():
            actor = act_of(sqlite_app)
            service.begin(actor, released(content), adopted=adopted)  # type: ignore[arg-type]
        return in_force(sqlite_app)

    packaged = book().edition
    newer = packaged.content.replace(f'"version":"{packaged.version}"', '"version":"2099.1"')
    newest = newer.replace("2099.1", "2099.2")
    assert begin(newer, adopted=True) == packaged.digest
    assert begin(newer) == hashlib.sha256(newer.encode()).hexdigest()
    approve(Colleague(sqlite_app), in_force(sqlite_app))
    assert begin(newest) == hashlib.sha256(newer.encode()).hexdigest()
    other = service.load_content(newer + " ")["en"].edition
    with sqlite_app.app_context(), pytest.raises(editions.VersionUsed):
        editions.refuse_used_version(db.session, other)


def test_a_translation_that_nobody_reviewed_is_offered_only_where_a_setting_says_so(
    make_app: Callable[..., Flask], start: Callable[[Settings], Flask]
) -> None:
    app = make_app(unreviewed_languages=())
    assert "Español" not in Visitor(app).get("/").text
    assert "not offered to patients: es" in flask(app, "doctor", code=1).output
    assert Visitor(app).get("/paper/form/es.pdf").status_code == 404
    assert "Español" in Visitor(make_app()).get("/").text
    spanish = make_app(unreviewed_languages=(), languages=("es",))
    with (
        spanish.app_context(),
        pytest.raises(InvalidSettings, match="nobody has reviewed the translation"),
    ):
        current_installation().check_languages(current_installation().books)


def test_adopting_twice_changes_nothing_and_a_newer_packaged_book_is_told(
    sqlite_app: Flask,
) -> None:
    digest = adopted(sqlite_app)
    assert "is there already" in flask(sqlite_app, "rulebook", "adopt", code=1).output
    assert (
        load(current_installation(sqlite_app).rule_book_file, ["en"])["en"].edition.digest == digest
    )
    basis = current_installation(sqlite_app).rule_book_folder / "adopted-from" / AZATHIOPRINE.name
    assert "new rules" not in flask(sqlite_app, "doctor", code=1).output
    basis.write_text(
        basis.read_text(encoding="utf-8").replace("I am not sure", "I do not know"),
        encoding="utf-8",
    )
    assert "new rules" in flask(sqlite_app, "doctor", code=1).output
    assert "[-know-]" in flask(sqlite_app, "rulebook", "diff", "adopted-from", "packaged").output
    schema = basis.parent.parent / "azathioprine.schema.json"
    schema.write_text("{}", encoding="utf-8")
    flask(sqlite_app, "rulebook", "adopt", "--seen")
    assert len(schema.read_text(encoding="utf-8")) > 1000, (
        "an editor checks by what this release reads"
    )
    assert "new rules" not in flask(sqlite_app, "doctor", code=1).output


def test_the_edition_is_printed_for_a_meeting(sqlite_app: Flask) -> None:
    digest = adopted(sqlite_app, WORDS)
    dr = Colleague(sqlite_app)
    page = dr.get(f"{ADDRESS}{digest}.pdf")
    assert page.headers["Content-Type"] == "application/pdf"
    assert page.data.startswith(b"%PDF-1.7")
