"""Summaries arrive where the settings say, once, and what does not arrive is seen."""

from __future__ import annotations

import logging
import re
import resource
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path

import pytest
from flask import Flask
from pypdf import PdfReader
from sqlalchemy import select

from screening import background
from screening.extensions import db
from screening.features.deliveries import channel as channels
from screening.features.deliveries import folder as folder_channel
from screening.features.deliveries import service
from screening.features.deliveries.channel import Document
from screening.features.deliveries.folder import Folder
from screening.installation import current_installation
from screening.settings import InvalidSettings
from screening.storage import outbox
from screening.storage.database import write
from tests.integration.colleague import Colleague
from tests.integration.test_outbox import jobs, let_time_pass, printed
from tests.integration.test_review import sent
from tests.integration.test_upkeep import change, flask
from tests.integration.test_watching import figures
from tests.integration.visitor import Visitor
from tests.peers import PASSWORD, Certificate, FhirServer, MailServer, drip, pdf_of

pytestmark = pytest.mark.one_database
both_databases = pytest.mark.both_databases
Pages = dict[str, dict[str, object]]
MARKER = "Zyxwvutina Marker"
IUD: Pages = {"iud": {"iud": "yes", "iud_type": "copper"}}
PREGNANT: Pages = {"pregnancy": {"pregnancy": "yes"}}

Declared = dict[str, dict[str, object]]
Make = Callable[[Declared], Flask]


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return Certificate.made(tmp_path_factory.mktemp("peers"), "peer")


@pytest.fixture
def mail(certificate: Certificate) -> Iterator[MailServer]:
    with MailServer(certificate).running() as server:
        yield server


@pytest.fixture
def records(certificate: Certificate) -> Iterator[FhirServer]:
    with FhirServer(certificate).running() as server:
        yield server
    assert server.faults == []


@pytest.fixture
def make(make_app: Callable[..., Flask], certificate: Certificate, database_url: str) -> Make:
    """An installation with these channels, and the files that they name."""

    def make(declared: Declared) -> Flask:
        app = make_app(channels=declared, database_url=database_url)
        instance = current_installation(app).settings.instance
        (instance / "ca.pem").write_bytes(certificate.file.read_bytes())
        for name in ("mail.password", "fhir.token", "pdf.password"):
            (instance / name).write_text(f"{PASSWORD}\n")
            (instance / name).chmod(0o600)
        return app

    return make


def to_mail(mail: MailServer, **more: object) -> dict[str, object]:
    given = {
        "host": "127.0.0.1",
        "port": mail.port,
        "sender": "screening@clinic.example",
        "to": "dr@clinic.example",
    }
    files = {"user": "screening", "password_file": "mail.password", "ca_file": "ca.pem"}
    return {"kind": "email", **given, **files, **more}


def to_folder(folder: Path, **more: object) -> dict[str, object]:
    folder.mkdir(exist_ok=True)
    return {"kind": "folder", "folder": str(folder), **more}


def to_fhir(records: FhirServer, **more: object) -> dict[str, object]:
    return {
        "kind": "fhir_server",
        "address": records.address,
        "token_file": "fhir.token",
        "ca_file": "ca.pem",
        **more,
    }


def later(app: Flask) -> None:
    let_time_pass(app, timedelta(hours=1))
    background.empty_outbox(app)


@both_databases
def test_a_summary_goes_to_every_channel_and_is_the_very_pdf(
    make: Make, mail: MailServer, records: FhirServer, tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    app = make({"mail": to_mail(mail), "archive": to_folder(folder), "records": to_fhir(records)})
    visitor = Visitor(app)
    visitor.fill_in(IUD, name=MARKER, visit="V-77")
    reference = visitor.send()
    assert {job.kind for job in jobs(app)} == {"summary", "to mail", "to archive", "to records"}, (
        "with the screening"
    )
    background.empty_outbox(app)
    assert jobs(app) == []
    (pdf,) = printed(app, reference)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == {
        f"{reference}-1.pdf": pdf
    }
    (message,) = mail.mails
    (attached,) = message.iter_attachments()
    assert attached.get_content() == pdf
    assert attached.get_filename() == f"summary-{reference}-1.pdf"
    assert message["To"] == "dr@clinic.example"
    (document,) = records.of("DocumentReference")
    assert pdf_of(document) == pdf
    assert document["contained"][0]["name"] == [{"text": MARKER}]
    assert [len(records.of(kind)) for kind in ("QuestionnaireResponse", "DetectedIssue")] == [1, 1]
    log = flask(app, "audit", "export", "--outcomes").output
    assert all(log.count(f"edition 1 to {name}") == 1 for name in ("mail", "archive", "records"))


def test_nothing_about_the_patient_is_outside_of_the_pdf(
    make: Make,
    mail: MailServer,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr(logging.getLogger("mail.log"), "propagate", False)  # the other side's own
    folder = tmp_path / "out"
    app = make({"mail": to_mail(mail), "archive": to_folder(folder)})
    mail.answers = ["550 no such mailbox for Zyxwvutina"]
    sent(app, PREGNANT, name=MARKER, visit="V-77-Zyxwvutina")
    background.empty_outbox(app)
    later(app)
    (message,) = mail.mails
    outside = [str(message[name]) for name in message]
    body = message.get_body()
    assert body is not None
    outside += [body.get_content(), *(str(part["Content-Disposition"]) for part in message.walk())]
    outside += [
        *(file.name for file in folder.iterdir()),
        caplog.text,
        flask(app, "audit", "export").output,
    ]
    output = "\n".join(outside)
    assert not re.search(r"zyxwv|1988|V-77|pregnan|contraindic", output, re.IGNORECASE), output


def test_each_channel_takes_the_outcomes_that_it_is_for(make: Make, tmp_path: Path) -> None:
    urgent = tmp_path / "urgent"
    other = tmp_path / "other"
    app = make(
        {
            "urgent": to_folder(urgent, outcomes=["contraindication"]),
            "other": to_folder(other, outcomes=["clarify", "caution", "none"]),
        }
    )
    pregnant = sent(app, PREGNANT)
    nothing = sent(app)
    assert len(jobs(app)) == 6, "the outbox does not tell the outcome"
    background.empty_outbox(app)
    assert [file.name for file in urgent.iterdir()] == [f"{pregnant}-1.pdf"]
    assert [file.name for file in other.iterdir()] == [f"{nothing}-1.pdf"]
    assert jobs(app) == []


def test_what_the_clinic_adds_goes_again_where_that_is_wanted(
    make: Make, records: FhirServer, tmp_path: Path
) -> None:
    once = tmp_path / "once"
    always = tmp_path / "always"
    app = make(
        {
            "once": to_folder(once),
            "always": to_folder(always, every_edition=True),
            "r": to_fhir(records, every_edition=True),
        }
    )
    dr = Colleague(app)
    reference = sent(app, IUD)
    dr.clarify(reference, "infection", infection="yes")
    background.empty_outbox(app)
    assert [file.name for file in once.iterdir()] == [f"{reference}-1.pdf"]
    assert sorted(file.name for file in always.iterdir()) == [
        f"{reference}-1.pdf",
        f"{reference}-2.pdf",
    ]
    first, second = records.of("QuestionnaireResponse")
    assert [first["status"], second["status"]] == ["completed", "amended"]
    assert len(records.of("DetectedIssue")) == 3, "each edition has its own findings"


def test_what_is_delivered_again_is_there_once(
    make: Make, mail: MailServer, records: FhirServer, tmp_path: Path
) -> None:
    """As after a worker that was killed between delivering and saying so."""
    folder = tmp_path / "out"
    app = make({"mail": to_mail(mail), "archive": to_folder(folder), "records": to_fhir(records)})
    sent(app, IUD)
    background.empty_outbox(app)
    before = list(records.resources)
    with app.app_context(), write(db.session):
        (row,) = db.session.scalars(select(outbox.ScreeningRow))
        outbox.add(db.session, ["to mail", "to archive", "to records"], row, now=datetime.now(UTC))
    background.empty_outbox(app)
    assert jobs(app) == []
    assert records.resources == before
    assert records.asked == 2
    assert len(list(folder.iterdir())) == 1
    first, second = mail.mails
    assert first["Message-ID"] == second["Message-ID"], "so that it can be told"


def test_a_mail_server_that_fails_twice_gets_it_in_the_end(make: Make, mail: MailServer) -> None:
    app = make({"mail": to_mail(mail)})
    mail.answers = ["451 try again later", "421 too busy"]
    sent(app)
    for attempts, fault in ((1, "refused 451"), (2, "refused 421")):
        later(app)
        assert [(job.attempts, job.fault) for job in jobs(app)] == [(attempts, fault)]
    later(app)
    assert jobs(app) == []
    assert len(mail.mails) == 1


def test_a_mail_server_that_does_not_answer_is_left_in_time(
    make: Make, mail: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channels, "SECONDS", 0.2)
    app = make({"mail": to_mail(mail)})
    mail.delay = 5
    sent(app)
    background.empty_outbox(app)
    assert [job.fault.split()[0] for job in jobs(app)] == ["slow"]


def test_a_mail_server_that_keeps_talking_is_left_in_time(
    make: Make, certificate: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channels, "SECONDS", 0.5)
    mail = MailServer(certificate)
    with drip(b"220-wait\r\n") as mail.port:
        app = make({"mail": to_mail(mail)})
        begun = time.monotonic()
        assert "(slow" in flask(app, "delivery", "test", "mail", code=1).output
        assert time.monotonic() - begun < 5, "the other side would have gone on for much longer"


def test_a_fhir_server_that_keeps_talking_is_left_in_time(
    make: Make, certificate: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Although the connection is let go of with the head of such an answer."""
    monkeypatch.setattr(channels, "SECONDS", 0.5)
    head = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
    with drip(b" ", begin=head, tls=certificate.context) as port:
        address = {"address": f"https://127.0.0.1:{port}/fhir", "ca_file": "ca.pem"}
        app = make({"records": {"kind": "fhir_server", **address}})
        begun = time.monotonic()
        assert "(slow" in flask(app, "delivery", "test", "records", code=1).output
        assert time.monotonic() - begun < 5, "the other side would have gone on for much longer"


def test_a_secret_of_two_lines_is_refused_and_not_repeated(make: Make, records: FhirServer) -> None:
    app = make({"records": to_fhir(records)})
    file = current_installation(app).settings.instance / "fhir.token"
    file.write_text("FIRST\nSECOND")
    output = flask(app, "delivery", "test", "records", code=1).output
    assert f"is missing, damaged or readable by others. (file {file})" in output
    assert "FIRST" not in output


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"host": "localhost"}, "certificate"),  # the certificate is for 127.0.0.1
        ({"ca_file": ""}, "certificate"),  # of nobody whom the machine knows
        ({"tls": "implicit"}, "unreachable"),
        ({"port": 1}, "unreachable"),
        ({"user": "", "password_file": ""}, "refused 530"),
        ({"password_file": "missing"}, "file {instance}/missing"),
        ({"password_file": "wrong"}, "sign-in 535"),
        ({"password_file": "letters"}, "file UnicodeEncodeError"),
        ({"ca_file": "missing"}, "file {instance}/missing"),
    ],
    ids=str,
)
def test_why_a_mail_does_not_go(
    make: Make, mail: MailServer, change: dict[str, object], fault: str
) -> None:
    app = make({"mail": to_mail(mail, **change)})
    for name, password in (("wrong", "another password"), ("letters", "contraseña")):
        file = current_installation(app).settings.instance / name
        file.write_text(password)
        file.chmod(0o600)
    output = flask(app, "delivery", "test", "mail", code=1).output
    assert "Not delivered to mail" in output
    assert f"({fault.format(instance=current_installation(app).settings.instance)}" in output
    assert mail.mails == []


def test_a_certificate_that_is_over_is_refused(make: Make, tmp_path: Path) -> None:
    ended = Certificate.made(tmp_path, "ended", ended=True)
    with MailServer(ended).running() as mail:
        app = make({"mail": to_mail(mail)})
        (current_installation(app).settings.instance / "ca.pem").write_bytes(
            ended.file.read_bytes()
        )
        assert "(certificate 10)" in flask(app, "delivery", "test", "mail", code=1).output


def test_tls_from_the_first_byte_and_a_pdf_with_a_password(
    make: Make, certificate: Certificate
) -> None:
    with MailServer(certificate, starttls=False).running() as mail:
        app = make(
            {
                "mail": to_mail(
                    mail,
                    tls="implicit",
                    user="",
                    password_file="",
                    pdf_password_file="pdf.password",
                )
            }
        )
        sent(app, name=MARKER)
        background.empty_outbox(app)
        (attached,) = mail.mails[0].iter_attachments()
        pdf = attached.get_content()
        assert PdfReader(BytesIO(pdf)).is_encrypted
        assert not PdfReader(BytesIO(pdf)).decrypt("")
        reader = PdfReader(BytesIO(pdf), password=PASSWORD)
        assert "Zyxwvutina" in reader.pages[0].extract_text().title()
        assert "questionnaire-response.json" in reader.attachments


@pytest.mark.parametrize(
    ("status", "fault"), [(500, "refused 500"), (403, "sign-in 403"), (307, "refused 307")]
)
def test_a_fhir_server_that_refuses_gets_it_later(
    make: Make, records: FhirServer, status: int, fault: str
) -> None:
    app = make({"records": to_fhir(records)})
    records.refuse = [status]
    sent(app, IUD)
    background.empty_outbox(app)
    assert [job.fault for job in jobs(app)] == [fault]
    assert records.resources == []
    later(app)
    assert jobs(app) == []
    kinds = [resource["resourceType"] for resource in records.resources]
    assert kinds == ["Questionnaire", "QuestionnaireResponse", "DetectedIssue", "DocumentReference"]


def test_the_questions_are_brought_once_and_a_server_that_has_them_twice_takes_the_rest(
    make: Make, records: FhirServer
) -> None:
    app = make({"records": to_fhir(records)})
    sent(app, IUD)
    sent(app)
    background.empty_outbox(app)
    (questions,) = records.of("Questionnaire")
    records.resources.append(dict(questions))
    sent(app)
    background.empty_outbox(app)
    assert jobs(app) == []
    assert len(records.of("Questionnaire")) == 2
    named = {response["questionnaire"] for response in records.of("QuestionnaireResponse")}
    assert len(records.of("QuestionnaireResponse")) == 3
    assert named == {f"{questions['url']}|{questions['version']}"}


def test_every_outcome_makes_a_transaction_that_the_server_takes(
    make: Make, records: FhirServer
) -> None:
    app = make({"records": to_fhir(records)})
    yes = dict.fromkeys(
        ("pregnancy", "breastfeeding", "infection", "hypersensitivity", "iud", "vaccines"), "yes"
    )
    unsure = dict.fromkeys(yes, "unsure")
    for answers in ({}, yes, unsure):
        sent(app, {"all": answers})
    sent(app, visit="")
    background.empty_outbox(app)
    assert jobs(app) == []
    assert len(records.of("DocumentReference")) == 4


def test_a_folder_without_room_or_rights_keeps_nothing_half(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "out"
    app = make({"archive": to_folder(folder)})
    sent(app)

    deliver = Folder.deliver

    def on_a_full_disk(channel: Folder, document: Document, *, hand_over: bool) -> None:
        """As the kernel refuses it to take more than a few bytes of a file."""
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
        try:
            deliver(channel, document, hand_over=hand_over)
        finally:
            resource.setrlimit(
                resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
            )

    with monkeypatch.context() as patch:
        patch.setattr(Folder, "deliver", on_a_full_disk)
        background.empty_outbox(app)
        fault = [job.fault for job in jobs(app) if job.kind == "to archive"]
    assert fault == ["no-room EFBIG"]
    assert list(folder.iterdir()) == []
    folder.rmdir()
    later(app)
    assert [job.fault for job in jobs(app)] == ["not-writable ENOENT"]
    folder.mkdir()
    (folder / "other.pdf").write_bytes(b"theirs")
    later(app)
    assert len(list(folder.iterdir())) == 2


def test_a_file_name_can_tell_who_it_is_if_the_clinic_wants_that(
    make: Make, tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    app = make(
        {
            "archive": to_folder(
                folder, file_name="{name}_{born}_{visit}_{sent}_{reference}-{edition}.pdf"
            )
        }
    )
    reference = sent(app, name="../Zoë O’Neil\n" + "王" * 90, visit="12/34")
    background.empty_outbox(app)
    (file,) = folder.iterdir()
    assert file.name.startswith("Zoë-O-Neil")
    assert file.name.endswith(f"_1988-03-12_12-34_{datetime.now(UTC):%Y%m%d}_{reference}-1.pdf")
    assert file.stat().st_mode & 0o777 == 0o640


@both_databases
def test_a_failed_delivery_is_seen_and_tried_again(make: Make, mail: MailServer) -> None:
    app = make({"mail": to_mail(mail)})
    dr = Colleague(app)
    reference = sent(app)
    mail.answers = ["550 no"] * service.ATTEMPTS
    background.empty_outbox(app)
    assert "not delivered" not in dr.get("/clinic/").text, "once is nothing"
    for _ in range(outbox.SEEN_AFTER):
        later(app)
    dr.get("/clinic/")
    assert "1 summary was not delivered to “mail”." in dr.text
    assert "did not accept it. It will be retried automatically. (550)" in " ".join(dr.text.split())
    assert reference in dr.text
    staff = Colleague(app, "reception", "staff")
    assert "1 summary was not delivered" in staff.text
    assert reference not in staff.text.partition("Search")[0], (
        "where it was to go may tell its outcome"
    )
    with app.app_context(), write(db.session):
        (job,) = db.session.scalars(select(outbox.JobRow))
        job.attempts = service.ATTEMPTS - 1
    later(app)
    assert "It will not be retried automatically." in dr.get("/clinic/").text
    assert "1 of them failed" in flask(app, "doctor", code=1).output
    mail.answers = []
    dr.get("/clinic/")
    dr.post("/clinic/retry", {"kind": "to mail"})
    assert "not delivered" not in dr.text
    background.empty_outbox(app)
    assert len(mail.mails) == 1


def test_nothing_is_delivered_before_it_is_printed(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "out"
    app = make({"archive": to_folder(folder)})
    sent(app)
    with app.app_context():
        channel = service.channels()["archive"]
        assert not service.deliver_next(current_installation(), channel, datetime.now(UTC))
    background.empty_outbox(app)
    assert len(list(folder.iterdir())) == 1


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("किरण शर्मा", "किरण-शर्मा"),
        ("น้ำผึ้ง ใจดี", "น้ำผึ้ง-ใจดี"),
        ("क्\u200dषितिज", "क्\u200dषितिज"),
        ("../../etc/passwd", "etc-passwd"),
        ("Zoë", "Zoë"),
        ("कि" * 20, "कि" * 10),
        ("a" * 58 + "कि", "a" * 58),
        ("?!", "-"),
        ("\U0001f469\U0001f3fd\u200d\u2695\ufe0f", "-"),
        (
            "\u0639\u0644\u06cc\u200c\u0631\u0636\u0627 \u2764\ufe0f",
            "\u0639\u0644\u06cc\u200c\u0631\u0636\u0627",
        ),
    ],
)
def test_a_name_in_a_file_name_keeps_its_marks_and_is_cut_between_letters(
    name: str, file: str
) -> None:
    assert folder_channel._plain(name) == file


def test_a_channel_that_was_taken_out_is_named_and_can_be_dropped(
    make: Make, tmp_path: Path
) -> None:
    app = make({"archive": to_folder(tmp_path / "out")})
    sent(app)
    app = make({})
    background.empty_outbox(app)
    let_time_pass(app, outbox.OVERDUE)
    background.empty_outbox(app)
    assert "This channel is no longer in the settings." in Colleague(app).get("/clinic/").text
    assert "1 deliveries were dropped" in flask(app, "delivery", "drop", "archive", "--yes").output
    assert jobs(app) == []
    assert "dropped" in flask(app, "audit", "export").output


def test_the_test_command_delivers_a_summary_of_nobody(
    make: Make, mail: MailServer, records: FhirServer, tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    app = make({"mail": to_mail(mail), "archive": to_folder(folder), "records": to_fhir(records)})
    for name in ("mail", "archive", "records"):
        assert "Look whether it arrived" in flask(app, "delivery", "test", name).output
    (attached,) = mail.mails[0].iter_attachments()
    assert "TEST-TEST" in PdfReader(BytesIO(attached.get_content())).pages[0].extract_text()
    assert [file.name for file in folder.iterdir()] == ["TEST-TEST-1.pdf"]
    assert "There is no channel 'other'" in flask(app, "delivery", "test", "other", code=1).output
    assert (
        "mail\temail\tcontraindication, clarify, caution, none"
        in flask(app, "delivery", "list").output
    )


@pytest.mark.parametrize(
    ("declared", "fault"),
    [
        ({"kind": "fax"}, "kind: must be one of email, folder, fhir_server"),
        ({"kind": "folder"}, "folder: is missing: the folder that summaries are put into"),
        ({"kind": "folder", "folder": "out"}, "folder: must be a whole path"),
        (
            {"kind": "folder", "folder": "/x", "colour": "red"},
            "colour: is not known; there are kind, outcomes, every_edition, folder, file_name",
        ),
        (
            {"kind": "folder", "folder": "/x", "file_name": "{reference}{name.upper}.pdf"},
            "file_name: can have these parts",
        ),
        (
            {"kind": "folder", "folder": "/x", "file_name": "{reference}.pdf"},
            "file_name: must be a file name with {reference} and {edition}",
        ),
        (
            {"kind": "folder", "folder": "/x", "outcomes": ["bad"]},
            "outcomes: must be a list of some of none, caution",
        ),
        (
            {"kind": "fhir_server", "address": "http://x/fhir"},
            "address: 'http://x/fhir' must be like https://",
        ),
        (
            {"kind": "email", "host": "x", "sender": "a", "to": "b@c"},
            "sender: 'a' must be one address",
        ),
        (
            {"kind": "email", "host": "x", "sender": "a@b", "to": "b@c, d@e"},
            "to: 'b@c, d@e' must be one address",
        ),
        (
            {"kind": "email", "host": "x", "sender": "a@b", "to": "b@c", "tls": "none"},
            "tls: must be starttls or implicit",
        ),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_wrong_channel_is_a_fault_that_names_place_and_remedy(
    make_app: Callable[..., Flask], declared: dict[str, object], fault: str
) -> None:
    with pytest.raises(InvalidSettings, match=r"settings.toml: \[deliver.one\]") as raised:
        make_app(channels={"one": declared})
    assert fault in str(raised.value)


@both_databases
def test_a_clock_that_is_set_back_leaves_leases_alone(make: Make, tmp_path: Path) -> None:
    app = make({"archive": to_folder(tmp_path / "out")})
    sent(app)
    now = datetime.now(UTC) + timedelta(seconds=1)
    back = now - timedelta(days=1)
    with app.app_context():
        with write(db.session):
            job = outbox.take(db.session, outbox.SUMMARY, now=now)
        assert job is not None
        for later in (timedelta(0), outbox.LEASE / 2):
            with write(db.session):
                assert outbox.take(db.session, outbox.SUMMARY, now=back + later) is None, (
                    "somebody works on it"
                )
        with write(db.session):
            again = outbox.take(db.session, outbox.SUMMARY, now=back + outbox.LEASE)
        assert again is not None, "but not for a day"
        with write(db.session):
            assert not outbox.finish(db.session, job)


def test_a_channel_that_hangs_keeps_no_other_waiting(
    make: Make, mail: MailServer, tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    mail.delay = 0.8
    app = make({"mail": to_mail(mail), "archive": to_folder(folder)})
    sent(app)
    print_one, to_mail_, to_archive = background.of_outbox(app)
    assert print_one(app)
    slow = threading.Thread(target=to_mail_, args=(app,))
    slow.start()
    assert to_archive(app)
    assert slow.is_alive()
    assert len(list(folder.iterdir())) == 1
    slow.join()
    assert len(mail.mails) == 1


@both_databases
def test_the_figures_tell_what_waits_for_a_channel_what_failed_and_what_arrived(
    make: Make, tmp_path: Path
) -> None:
    app = make({"archive": to_folder(tmp_path / "out")})
    (tmp_path / "out").rmdir()
    assert figures(app)['screening_outbox_jobs{kind="to archive"}'] == 0
    sent(app)
    sent(app)
    background.empty_outbox(app)
    change(app, f"UPDATE outbox SET attempts = {service.ATTEMPTS - 1}")
    later(app)
    metrics = figures(app)
    assert metrics["screening_deliveries_total"] == 0
    assert metrics['screening_outbox_jobs{kind="summary"}'] == 0
    assert metrics['screening_outbox_jobs{kind="to archive"}'] == 2
    assert metrics['screening_outbox_failed{kind="to archive"}'] == 2
    assert 0 < metrics['screening_outbox_age_seconds{kind="to archive"}'] < 60
    (tmp_path / "out").mkdir()
    flask(app, "outbox", "retry")
    background.empty_outbox(app)
    assert figures(app)["screening_deliveries_total"] == 2
