"""Nobody is overlooked: what waits is raised, and deletion without a decision is acknowledged."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from screening import background
from screening.domain.appointment import Appointment
from screening.extensions import db
from screening.installation import current_installation
from screening.operating import overlooked
from screening.services.jobs import JobFailed
from screening.storage import audit
from screening.storage.tables import AuditRow, ScreeningRow
from tests.builders import all_no
from tests.days import pass_days
from tests.integration.colleague import Colleague
from tests.integration.test_upkeep import a_few, flask, kept
from tests.storing import act_of, store

pytestmark = pytest.mark.one_database

ONE_HOUR = timedelta(hours=1)
DESK = "desk@clinic.example"
OUTCOMES = {
    "contraindication": {"iud": "no", "infection": "yes"},
    "clarify": {"infection": "unsure"},
    "none": {},
}


class Mails:
    """Keeps what it is to send, unless it has a fault."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str, str]] = []
        self.fault = ""

    def send_text(self, to: str, subject: str, text: str, *, language: str) -> None:
        if self.fault:
            raise JobFailed(self.fault)
        self.sent.append((to, subject, text))


def arrived(app: Flask, hours: float, **answers: str) -> str:
    """The reference of a screening that was sent so many hours ago."""
    with app.app_context():
        installation = current_installation()
        at = datetime.now(UTC) - hours * ONE_HOUR
        return store(
            db.session, installation.keys, installation.books["en"], all_no(**answers), at=at
        ).reference


def found(app: Flask, *, clinical: bool = True) -> overlooked.Overlooked:
    with app.app_context():
        actor, installation = act_of(app), current_installation()
        if clinical:
            return overlooked.read(actor, installation, patience=5)
        with installation.worklist.current(
            actor.session, actor.keys, timezone="UTC", today=installation.today()
        ) as list_:
            return overlooked.find(actor, installation, list_, clinical=False)


def has_come(app: Flask, *references: str) -> None:
    """Give screenings an appointment that has come."""
    appointment = Appointment(at=datetime.now(UTC), prescriber="Dr dr")
    given = dict.fromkeys(references, appointment)
    current_installation(app).points.appointments.append(lambda _session, _keys, _firsts: given)


def tell(app: Flask, mails: Mails, *, hours: float = 0) -> int:
    """How many mails were sent after the clinic was told, in so many hours from now."""
    with app.app_context():
        actor = act_of(app, now=datetime.now(UTC) + hours * ONE_HOUR)
        overlooked.tell(actor, current_installation(), mails)
    return len(mails.sent)


@pytest.mark.both_databases
@pytest.mark.parametrize(
    ("hours", "answers"),
    [(4, {"infection": "yes"}), (24, {"infection": "unsure"}), (24, {"vaccines": "yes"}), (72, {})],
)
def test_a_screening_is_raised_that_nobody_opened_in_the_time_of_its_outcome(
    app: Flask, hours: int, answers: dict[str, str]
) -> None:
    arrived(app, hours - 0.1, **answers)
    late = arrived(app, hours + 0.1, **answers)
    assert found(app).unopened == [late]
    dr = Colleague(app)
    assert "1 screening was not opened in time." in dr.text
    assert dr.page.text.index("not opened in time") < dr.page.text.index('class="search"')
    assert 'screening_overlooked{reason="unopened"} 1' in dr.get("/metrics").text
    doctor = flask(app, "doctor", code=1).stdout
    assert "FAULT  overlooked: 1 screenings were not opened in time, 0 have" in doctor
    dr.get(f"/clinic/screenings/{late}")
    assert found(app).unopened == []
    assert "not opened in time" not in dr.get("/clinic/").text
    assert "ok     overlooked" in flask(app, "doctor", code=1).stdout


def test_the_contraindication_stands_first_and_0_hours_raise_nothing(make_app) -> None:  # type: ignore[no-untyped-def]
    app = make_app(unopened_hours_none=0)
    arrived(app, 500)
    clarify = arrived(app, 30, infection="unsure")
    serious = arrived(app, 5, infection="yes")
    assert found(app).unopened == [serious, clarify]


def test_staff_learn_nothing_of_an_outcome_from_what_is_raised(app: Flask) -> None:
    arrived(app, 5, infection="yes")
    staff = Colleague(app, "desk", "staff")
    assert "not opened in time" not in staff.text
    late = arrived(app, 73, infection="yes")
    assert found(app, clinical=False).unopened == [late]
    assert "1 screening was not opened in time." in staff.get("/clinic/").text
    assert f"/clinic/screenings/{late}" not in staff.page.text


def test_a_screening_that_cannot_be_opened_is_raised_as_if_it_were_serious(app: Flask) -> None:
    reference = arrived(app, 5)
    with app.app_context():
        row = db.session.scalars(select(ScreeningRow)).one()
        row.sealed_state = b"damaged"
        db.session.commit()
    assert found(app).unopened == [reference]


def test_one_without_a_decision_is_raised_when_its_appointment_comes(app: Flask) -> None:
    reference = arrived(app, 1)
    has_come(app, reference)
    dr = Colleague(app)
    assert "1 screening has no decision although its appointment has come." in dr.text
    assert 'screening_overlooked{reason="appointment"} 1' in dr.get("/metrics").text


# --------------------------------------------------------------------------------------------
# by mail


@pytest.mark.both_databases
def test_the_clinic_is_told_by_mail_how_many_and_where_and_nothing_else(app: Flask) -> None:
    mails = Mails()
    first = arrived(app, 5, infection="yes")
    with app.app_context():
        settings = current_installation().settings.model_copy(update={"overlooked_mail": DESK})
        current_installation().settings = settings
    assert tell(app, mails) == 1
    ((to, subject, text),) = mails.sent
    assert (to, subject) == (DESK, "1 screening waits")
    assert "http://127.0.0.1:8000/clinic/" in text
    for secret in (first, "Sample", "V-", "nfection", "ontraindication"):
        assert secret not in subject + text
    with app.app_context():
        row = audit.last(db.session, overlooked.TOLD)
        assert row is not None
        assert row.subject == first
    flask(app, "verify")


def test_no_two_mails_go_within_an_hour_and_nothing_new_is_told_again_after_a_day(
    app: Flask,
) -> None:
    mails = Mails()
    assert tell(app, mails) == 0
    first = arrived(app, 5, infection="yes")
    assert tell(app, mails) == 1
    arrived(app, 6, infection="yes")
    assert [tell(app, mails, hours=hours) for hours in (0, 0.9, 1.1, 2.2, 23)] == [1, 1, 2, 2, 2]
    assert mails.sent[1][1] == "2 screenings wait"
    assert tell(app, mails, hours=25.5) == 3  # nobody has come since: once more
    Colleague(app).get(f"/clinic/screenings/{first}")
    assert tell(app, mails, hours=50) == 4
    assert mails.sent[3][1] == "1 screening waits"


def test_a_mail_that_failed_is_sent_an_hour_later(app: Flask) -> None:
    mails = Mails()
    mails.fault = "refused"
    arrived(app, 5, infection="yes")
    assert tell(app, mails) == 0
    with app.app_context():
        row = audit.last(db.session, "mail failed")
        assert row is not None
        assert row.detail == "refused"
    mails.fault = ""
    assert tell(app, mails, hours=0.5) == 0
    assert tell(app, mails, hours=1.1) == 1


def test_at_its_appointment_only_what_nobody_has_opened_is_told(app: Flask) -> None:
    mails = Mails()
    seen, unseen = arrived(app, 1), arrived(app, 1)
    has_come(app, seen, unseen)
    Colleague(app).get(f"/clinic/screenings/{seen}")
    assert tell(app, mails) == 1
    assert mails.sent[0][1] == "1 screening waits"


def test_the_server_tells_by_itself(app: Flask) -> None:
    mails = Mails()
    arrived(app, 5, infection="yes")
    current_installation(app).points.mailers.insert(0, mails)
    while background.read_list(app):
        pass
    background.tell_overlooked(app)
    assert len(mails.sent) == 1


def test_an_address_without_a_channel_is_a_fault(make_app) -> None:  # type: ignore[no-untyped-def]
    doctor = flask(make_app(overlooked_mail=DESK), "doctor", code=1).stdout
    assert f"FAULT  overlooked mail: to {DESK}: no e-mail channel" in doctor


# --------------------------------------------------------------------------------------------
# nothing goes unless that was acknowledged


@pytest.mark.both_databases
def test_what_nobody_has_decided_on_stays_until_it_is_acknowledged(app: Flask) -> None:
    one, two, three, four = a_few(app, 4)
    assert pass_days(app, 150, acknowledged=False) == 0
    doctor = flask(app, "doctor", code=1).stdout
    assert "FAULT  deletion: 4 screenings without a decision are due from" in doctor
    dr = Colleague(app)
    assert "4 screenings are due for deletion without a decision." in dr.text
    dr.get("/clinic/announced")
    assert dr.page.text.count('type="checkbox"') == 4
    dr.post("/clinic/announced", {"reference": [one, two]})
    assert "2 screenings may be deleted." in dr.text
    assert "2 screenings are due" in dr.get("/clinic/").text
    assert pass_days(app, 151, acknowledged=False) == 2
    assert kept(app) == {three, four}
    dr.sign_in()
    dr.get("/clinic/announced")
    dr.post("/clinic/announced", {"listed": [three, four], "all": "1"})
    assert pass_days(app, 152, acknowledged=False) == 2
    with app.app_context():
        by = AuditRow.action == "acknowledged"
        rows = db.session.scalars(select(AuditRow).where(by)).all()
        assert {(row.actor, row.subject) for row in rows} == {
            ("dr", reference) for reference in (one, two, three, four)
        }
    flask(app, "audit", "verify")


def test_nothing_is_acknowledged_that_was_not_announced_or_is_decided(app: Flask) -> None:
    new, decided = a_few(app, 2)
    dr = Colleague(app)
    dr.decide(decided, "proceed")
    dr.get("/clinic/announced")
    dr.post("/clinic/announced", {"reference": [new, decided, "0000-0000"]})
    assert "Nothing was ticked, or decisions have been recorded meanwhile." in dr.text
    with app.app_context():
        assert audit.last(db.session, "acknowledged") is None


def test_a_change_undoes_the_acknowledgement(app: Flask) -> None:
    (reference,) = a_few(app, 1)
    pass_days(app, 80, acknowledged=False)
    dr = Colleague(app)
    dr.get("/clinic/announced")
    dr.post("/clinic/announced", {"reference": reference})
    assert "1 screening may be deleted." in dr.text
    dr.clarify(reference, "infection", infection="no")
    with app.app_context():
        assert db.session.scalars(select(ScreeningRow.acknowledged_at)).one() is None


def test_a_mark_in_the_table_alone_deletes_nothing(app: Flask) -> None:
    a_few(app, 1)
    pass_days(app, 80, acknowledged=False)
    with app.app_context():
        row = db.session.scalars(select(ScreeningRow)).one()
        row.acknowledged_at = datetime.now(UTC)
        db.session.commit()
    assert pass_days(app, 150, acknowledged=False) == 0


def test_staff_cannot_acknowledge(app: Flask) -> None:
    staff = Colleague(app, "desk", "staff")
    assert staff.get("/clinic/announced").status_code == 403
    staff.get("/clinic/")
    assert staff.post("/clinic/announced", {"all": "1"}).status_code == 403


@pytest.mark.both_databases
def test_what_an_older_installation_has_announced_needs_no_new_two_weeks(app: Flask) -> None:
    (reference,) = a_few(app, 1)
    pass_days(app, 95, acknowledged=False)
    with app.app_context():
        from screening.extensions import alembic

        alembic.downgrade("0006_editions_in_force")
    flask(app, "init")
    dr = Colleague(app)
    assert "1 screening is due for deletion without a decision." in dr.text
    dr.get("/clinic/announced")
    dr.post("/clinic/announced", {"reference": reference})
    assert pass_days(app, 96, acknowledged=False) == 1
