"""Nobody learns the outcome of a screening from what is not sealed, or without a clinical role.

There is one screening of each outcome, and a channel for each outcome; one channel is broken.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, text

from screening import background
from screening.domain.rules import Severity
from screening.extensions import alembic, db
from screening.installation import current_installation
from screening.operating import overlooked
from screening.storage import audit, screenings
from screening.storage.tables import AuditRow, Base, ScreeningRow
from tests.integration.colleague import Colleague
from tests.integration.deliveries.test_deliveries import to_fhir, to_folder, to_mail
from tests.integration.invitations.test_invitations import Mails
from tests.integration.test_outbox import let_time_pass
from tests.integration.test_review import sent
from tests.integration.test_upkeep import flask
from tests.integration.visitor import Visitor
from tests.peers import PASSWORD, Certificate, FhirServer, MailServer
from tests.storing import act_of

pytestmark = pytest.mark.both_databases

PAGES: dict[Severity, dict[str, dict[str, object]]] = {
    Severity.CONTRAINDICATION: {"pregnancy": {"pregnancy": "yes"}},
    Severity.CLARIFY: {"infection": {"infection": "unsure"}},
    Severity.CAUTION: {"iud": {"iud": "yes", "iud_type": "copper"}},
    Severity.NONE: {},
}


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return Certificate.made(tmp_path_factory.mktemp("outcomes"), "peer")


def references(app: Flask) -> dict[Severity, str]:
    """One screening of each outcome, sent by patients whose names have the same length."""
    by_outcome = {
        severity: sent(app, pages, name=f"Sample Patient {severity.value}", visit="V-1")
        for severity, pages in PAGES.items()
    }
    with app.app_context():
        keys = current_installation().keys
        for severity, reference in by_outcome.items():
            row = screenings.row_of(db.session, reference)
            assert screenings.state(row, keys)["outcome"] == severity.value
    return by_outcome


@pytest.fixture
def of_each(make_app: Callable[..., Flask], database_url: str, tmp_path: Path) -> Flask:
    """The channel for contraindications is broken, the others are not."""
    channels: dict[str, Any] = {}
    for severity in Severity:
        folder = tmp_path / severity.word
        channels[severity.word] = to_folder(folder, outcomes=[severity.word])
    (tmp_path / Severity.CONTRAINDICATION.word).rmdir()
    return make_app(channels=channels, database_url=database_url)


def looks(reference: str, screening_id: str, draft_hash: str) -> dict[str, list[Any]]:
    """What a reader of the database sees of a screening, without what is random in each row."""
    seen: dict[str, list[Any]] = {}
    for table in Base.metadata.sorted_tables:
        for row in db.session.connection().execute(select(table)).mappings():
            if {reference, screening_id, draft_hash} & {
                value for value in row.values() if isinstance(value, str)
            }:
                seen.setdefault(table.name, []).append(
                    {name: look(name, value, reference) for name, value in row.items()}
                )
    return seen


def look(name: str, value: Any, reference: str) -> Any:
    if isinstance(value, bytes | datetime):
        return len(value) if isinstance(value, bytes) else "a time"
    if name in ("id", "screening_id", "draft_hash", "number") or value == reference:
        return type(value).__name__
    return len(value) if str(value).startswith("sealed:") and name != "kind" else value


def test_no_plain_column_count_or_length_tells_the_outcome(of_each: Flask) -> None:
    """Jobs of a broken channel wait for every screening; those of the others are done."""
    by_outcome = references(of_each)
    for _ in range(6):  # until the jobs that fail are shown
        background.empty_outbox(of_each)
        let_time_pass(of_each, timedelta(hours=1))
    with of_each.app_context():
        rows = db.session.scalars(select(ScreeningRow)).all()
        assert len({row.reference for row in rows}) == 4
        seen = [looks(row.reference, row.id, row.draft_hash) for row in rows]
    for table in seen[0].keys() | seen[1].keys() | seen[2].keys() | seen[3].keys():
        for other in seen[1:]:
            assert other.get(table) == seen[0].get(table), table
    assert len(seen[0]["outbox"]) == 1, "the broken channel's"
    assert [row["action"] for row in seen[0]["audit"]] == ["submitted", *["delivery done"] * 3]
    # What commands and pages for those without a clinical role say is the same for each.
    staff = Colleague(of_each, "reception", "staff")
    admin = Colleague(of_each, "it", "admin")
    said = {
        "outbox list": flask(of_each, "outbox", "list").output,
        "audit export": flask(of_each, "audit", "export").output,
        "inbox": staff.get("/clinic/").text,
        "audit page": admin.get("/admin/audit").text,
    }
    for place, words in said.items():
        counts = {words.count(reference) for reference in by_outcome.values()}
        assert len(counts) == 1, place
        assert counts != {0}, place
    for place in ("audit export", "audit page"):
        assert "edition 1" not in said[place]
        for severity in Severity:
            assert severity.word not in said[place].lower().replace("none", ""), place
    both = Colleague(of_each, "chief", "admin", "prescriber")
    assert "edition 1 not to clarify" in both.get("/admin/audit").text
    assert "edition 1 to clarify" in flask(of_each, "audit", "export", "--outcomes").output
    flask(of_each, "verify")


def test_repaired_the_broken_channel_gets_its_own_and_nothing_else(
    of_each: Flask, tmp_path: Path
) -> None:
    by_outcome = references(of_each)
    background.empty_outbox(of_each)
    (tmp_path / Severity.CONTRAINDICATION.word).mkdir()
    let_time_pass(of_each, timedelta(hours=1))
    background.empty_outbox(of_each)
    for severity, reference in by_outcome.items():
        files = [file.name for file in (tmp_path / severity.word).iterdir()]
        assert files == [f"{reference}-1.pdf"]


def test_a_server_is_asked_and_gets_nothing_of_another_outcome(
    make_app: Callable[..., Flask], certificate: Certificate, database_url: str
) -> None:
    with MailServer(certificate).running() as mail, FhirServer(certificate).running() as records:
        only = {"outcomes": ["contraindication"]}
        channels = {"mail": to_mail(mail, **only), "records": to_fhir(records, **only)}
        app = make_app(channels=channels, database_url=database_url)
        instance = current_installation(app).settings.instance
        (instance / "ca.pem").write_bytes(certificate.file.read_bytes())
        for name in ("mail.password", "fhir.token"):
            (instance / name).write_text("wrong\n")
            (instance / name).chmod(0o600)
        sent(app)
        background.empty_outbox(app)
        assert sorted(
            line.split("  ")[-1] for line in flask(app, "outbox", "list").output.splitlines()
        ) == [
            "sign-in 401",
            "sign-in 535",
        ]
        for name in ("mail.password", "fhir.token"):
            (instance / name).write_text(f"{PASSWORD}\n")
        let_time_pass(app, timedelta(hours=1))
        background.empty_outbox(app)
        assert flask(app, "outbox", "list").output == ""
        assert mail.mails == []
        assert records.resources == []


def test_what_is_told_of_overlooked_screenings_names_none_of_them(of_each: Flask) -> None:
    """A contraindication is told of after 4 hours, by a mail; the log must not say which it was."""
    by_outcome = references(of_each)
    mails = Mails()
    with of_each.app_context():
        actor = act_of(of_each)
        later = act_of(of_each, now=actor.now + timedelta(hours=5))
        overlooked.tell(later, current_installation(), mails)
        assert len(mails.sent) == 1
        rows = db.session.scalars(select(AuditRow).where(AuditRow.action == overlooked.TOLD)).all()
        assert len(rows) == 1
        assert not {row.subject for row in rows} & {*by_outcome.values()}
        assert audit.opened(actor.keys, rows[0])[0] == by_outcome[Severity.CONTRAINDICATION]
        installation = current_installation()
        for clinical, count in ((True, 1), (False, 0)):
            found = overlooked.read(later, installation, patience=5, clinical=clinical)
            assert len(found.unopened) == count
    figures = Visitor(of_each).get("/metrics").text
    assert 'screening_overlooked{reason="unopened"} 0' in figures


def test_what_an_earlier_release_left_plain_is_sealed_by_init_and_opened_on_the_way_back(
    of_each: Flask,
) -> None:
    reference = sent(of_each)

    def stored() -> tuple[set[str], set[tuple[str, str]]]:
        db.session.rollback()  # what is read was written since
        kinds = db.session.scalars(text("SELECT kind FROM outbox")).all()
        events = text("SELECT subject, detail FROM audit WHERE action IN ('delivered', :told)")
        return set(kinds), {
            (row[0], row[1]) for row in db.session.execute(events, {"told": overlooked.TOLD})
        }

    with of_each.app_context():
        act_of(of_each).note_at_once("delivered", reference, "edition 1 to clarify")
        act_of(of_each).note_at_once(overlooked.TOLD, reference)
        flask(of_each, "verify")
        db.session.rollback()
        alembic.downgrade("0009_acknowledged")
        kinds, events = stored()
        assert kinds == {"summary", *(f"to {severity.word}" for severity in Severity)}
        assert events == {(reference, "edition 1 to clarify"), (reference, "")}
        db.session.rollback()
        flask(of_each, "init")
        kinds, events = stored()
        assert all(kind.startswith("sealed:") for kind in kinds)
        assert len(kinds) == 5
        assert {subject == reference or detail for subject, detail in events} == {True, ""}
        assert "edition 1" not in str(events)
        flask(of_each, "verify")
        background.empty_outbox(of_each)
        flask(of_each, "verify")
