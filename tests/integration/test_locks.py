"""On PostgreSQL, concurrent transactions lock rows in one order, so that none deadlocks."""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from importlib import import_module
from itertools import combinations_with_replacement
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask
from flask.testing import FlaskClient
from flask_security import hash_password
from sqlalchemy import Engine, event, func, select, text

from screening.domain.answers import read_answers
from screening.domain.entries import Decision
from screening.extensions import db
from screening.features.tablet import service as tablet
from screening.installation import current_installation
from screening.operating import retention, rotate_key
from screening.operating.clock import this_machine
from screening.printing.renderer_process import Printed
from screening.rulebooks.load import load, load_content
from screening.services import (
    editions,
    jobs,
    people,
    printing,
    questionnaire,
    review,
    same_person,
)
from screening.storage import drafts, outbox
from screening.storage.audit import Actor
from screening.storage.database import write
from screening.storage.editions import approvals
from screening.storage.tables import AuditRow, ScreeningRow
from tests.builders import a_patient, all_no
from tests.integration.colleague import PASSWORD, Colleague
from tests.integration.test_review import sent
from tests.integration.test_upkeep import change, flask

# As the docstring of screening.storage.database says it.
ORDER = (
    *("invitations", "tablets", "drafts", "screenings", "entries", "same_person"),
    *("summaries", "outbox"),
    *("people", "credentials", "passkeys", "sign_ins", "in_force", "approvals", "audit_head"),
)
LOCKS = re.compile(r"^(?:UPDATE|DELETE FROM) (\w+)|\bFROM (\w+)\b.*\bFOR UPDATE", re.DOTALL)
ROUNDS = 2
KEEP = timedelta(hours=1)
OTHER_PASSWORD = "another correct horse"
REFUSED = (
    *(review.ChangedMeanwhile, questionnaire.DraftGone, questionnaire.Incomplete, tablet.NoTablet),
    *(same_person.DecidedMeanwhile, questionnaire.TooManyTries, drafts.DraftMoved),
    *(people.NotAccepted, editions.NoSuchApproval),
)
# Verbs of features, each with what it is about, stand with their tests.
FEATURES = [
    import_module(f"tests.integration.{file.parent.name}.locks")
    for file in Path(__file__).parent.glob("*/locks.py")
]
for feature in FEATURES:
    REFUSED += getattr(feature, "REFUSED", ())


@dataclass
class Things:
    """What the verbs of a pair are about, all of them about the same."""

    app: Flask
    reference: str
    draft: str = ""
    tablet: str = ""
    code: str = ""
    edition: str = ""
    of_features: dict[str, str] = field(default_factory=dict)
    wrote: Counter[str] = field(default_factory=Counter)

    @property
    def actor(self) -> Actor:
        return Actor(
            session=db.session, keys=current_installation().keys, now=datetime.now(UTC), by="test"
        )

    def begin_anew(self) -> None:
        """Create a complete and an expired draft, a tablet and failed jobs; age all attempts."""
        actor = self.actor
        book = current_installation().books["en"]
        self.edition = load()["en"].edition.content.replace('"version":"', '"version":"own-')
        self.draft = questionnaire.new_token()
        self.code = drafts.new_code()
        answers = read_answers(book, all_no())
        filled = drafts.Draft(patient=a_patient(), answers=answers, code=self.code)
        with write(db.session):
            drafts.put(
                db.session,
                actor.keys,
                drafts.hash_token(self.draft),
                filled,
                expires_at=actor.now + KEEP,
            )
            drafts.put(db.session, actor.keys, "0" * 64, drafts.Draft(), expires_at=actor.now)
            row = db.session.scalars(
                select(ScreeningRow).where(ScreeningRow.reference == self.reference)
            ).one()
            outbox.add(db.session, ["summary", "to archive"], row, now=actor.now)
            db.session.execute(
                text("UPDATE outbox SET fault = 'x', due_at = due_at - interval '1 hour'")
            )
            db.session.execute(text("UPDATE attempts SET at = at - interval '2 hours'"))
        self.tablet, _ = tablet.begin(actor, pin="x", sign_in="none", patient=None, draft="")
        for feature in FEATURES:
            if hasattr(feature, "begin_anew"):
                feature.begin_anew(self)


Verb = Callable[[Things], object]


def take_jobs(things: Things) -> None:
    with write(db.session):
        job = outbox.take(db.session, "summary", now=datetime.now(UTC))
        if job is not None:
            outbox.put_off(db.session, job, "x", now=datetime.now(UTC))
            things.actor.note("delivered", things.reference)


def submit(things: Things) -> None:
    questionnaire.submit(
        things.actor, things.draft, current_installation().books, "en", jobs=outbox.PRINT
    )


def decide(things: Things) -> None:
    what: dict[str, Any] = {"decision": Decision.PROCEED, "until": None, "note": "", "reason": "x"}
    seen = db.session.scalar(
        select(ScreeningRow.entries).where(ScreeningRow.reference == things.reference)
    )
    review.decide(
        things.actor,
        things.reference,
        **what,
        seen=seen or 0,
        today=date(2026, 1, 1),
        jobs=outbox.PRINT,
    )


def link(things: Things) -> None:
    """Link the screening with another one, or part them."""
    other = things.actor.session.scalars(
        select(ScreeningRow.reference)
        .where(ScreeningRow.reference != things.reference)
        .order_by(ScreeningRow.id)
    ).first()
    if other is None:
        other = sent(things.app)
    actor = things.actor
    related = same_person.related(actor, things.reference)
    every = (*related.earlier, *related.newer, *related.perhaps, *related.parted)
    seen = next((one.seen for one in every if one.reference == other), "")
    same_person.decide(actor, things.reference, other, is_same=bool(related.parted), seen=seen)


def approve(things: Things) -> None:
    """As somebody new each time; the edition is to come into force later."""
    actor = replace(things.actor, by=uuid4().hex)
    edition = load_content(things.edition)["en"].edition
    days = {"on": date(2026, 1, 1), "review_by": date(2099, 1, 1)}
    editions.approve(actor, edition, role="x", **days, needed=1, from_at=actor.now + KEEP)


def withdraw(things: Things) -> None:
    actor = things.actor
    edition = load_content(things.edition)["en"].edition
    given = approvals(db.session, actor.keys, edition.digest)
    editions.withdraw(actor, given[0].id if given else "", edition, why="x")


def posted(browser: FlaskClient, path: str, **values: str) -> None:
    answer = browser.post(path, data=values)
    assert answer.status_code < 500, answer.text


def sign_in(things: Things) -> FlaskClient:
    """With whichever password it is now."""
    browser = things.app.test_client()
    for password in (PASSWORD, OTHER_PASSWORD):
        posted(browser, "/account/sign-in", sign_in_name="boss", password=password)
    return browser


def change_password(things: Things) -> None:
    browser = sign_in(things)
    for old, new in ((PASSWORD, OTHER_PASSWORD), (OTHER_PASSWORD, PASSWORD)):
        posted(
            browser, "/account/password", password=old, new_password=new, new_password_confirm=new
        )


# What each does, and what it notes each time it is not refused.
VERBS: dict[str, tuple[Verb, str]] = {
    "begin": (lambda things: questionnaire.begin(things.actor, address="192.0.2.1", keep=KEEP), ""),
    "record": (
        lambda things: questionnaire.record(
            things.actor, things.draft, lambda draft: draft, keep=KEEP
        ),
        "",
    ),
    "submit": (submit, ""),
    "discard": (lambda things: questionnaire.discard(things.actor, things.draft), ""),
    "by code": (
        lambda things: questionnaire.go_on(
            things.actor, things.code, address="192.0.2.1", keep=KEEP
        ),
        "",
    ),
    "view": (lambda things: review.view(things.actor, things.reference, action="copied"), "copied"),
    "decide": (decide, "reviewed"),
    "link": (link, ""),
    "print": (lambda things: current_installation().printer.work(now=datetime.now(UTC)), ""),
    "take": (take_jobs, ""),
    "retry": (lambda things: jobs.retry(things.actor), "retried"),
    "hand over": (
        lambda things: tablet.hand_over(things.actor, things.tablet, patient=None, draft=""),
        "",
    ),
    "lock": (lambda things: tablet.lock(things.actor, things.tablet, draft=things.draft), ""),
    "unlock": (
        lambda things: tablet.unlock(
            things.actor, things.tablet, fits=True, tries=0, draft=things.draft
        ),
        "",
    ),
    "begin tablet": (
        lambda things: tablet.begin(
            things.actor, pin="x", sign_in="", patient=None, draft=things.draft
        ),
        "tablet begun",
    ),
    "reserve": (
        lambda things: people.reserve(things.actor, "boss", "192.0.2.1", "", "password"),
        "",
    ),
    "fail": (
        lambda things: people.failed(things.actor, "boss", "test"),
        "sign-in failed",
    ),
    "change": (lambda things: people.change(things.actor, "boss", active=True), ""),
    "reset": (
        lambda things: people.change(things.actor, "boss", hashed=hash_password(PASSWORD)),
        "",
    ),
    "add": (
        lambda things: people.add(
            things.actor, f"nurse{things.draft[:5].lower()}", "", ["staff"], "x"
        ),
        "",
    ),
    "end": (lambda things: people.end(things.actor, "boss", token_hash=None), ""),
    "approve": (approve, "rule book approved"),
    "withdraw": (withdraw, "approval withdrawn"),
    "begin book": (
        lambda things: editions.begin(things.actor, lambda: load()["en"].edition, adopted=False),
        "",
    ),
    "purge": (lambda things: retention.purge(things.actor, this_machine(), days=90), "purged"),
}
PAGES: dict[str, tuple[Verb, str]] = {"sign in": (sign_in, ""), "password": (change_password, "")}
# Verbs about the same rows; of these, each is tried with each.
SAME: tuple[tuple[str, ...], ...] = (
    (
        "begin",
        "record",
        "submit",
        "discard",
        "by code",
        "hand over",
        "lock",
        "unlock",
        "begin tablet",
        "purge",
    ),
    ("view", "decide", "link", "print", "take", "retry", "purge"),
    ("approve", "withdraw", "begin book"),
    ("fail", "change", "reset", "add", "end", "begin", "begin tablet", *PAGES),
)
for feature in FEATURES:
    VERBS |= feature.VERBS
    SAME += feature.SAME


def place(things: Things, name: str) -> AbstractContextManager[object]:
    """Pages bring a context of their own."""
    return nullcontext() if name in PAGES else things.app.app_context()


@pytest.fixture
def things(postgresql_app: Flask, monkeypatch: pytest.MonkeyPatch) -> Things:
    app = postgresql_app
    monkeypatch.setattr(
        printing, "print_summary", lambda *_, **__: Printed(b"%PDF-1.7 fake", frozenset())
    )
    with app.app_context():
        name = db.engine.url.database
        change(app, f"ALTER DATABASE {name} SET deadlock_timeout = '20ms'")
        db.engine.dispose()
    Colleague(app, "boss", "admin", "prescriber")
    Colleague(app, "second", "admin")
    app.config["WTF_CSRF_ENABLED"] = False
    things = Things(app, sent(app))
    for feature in FEATURES:
        if hasattr(feature, "prepare"):
            feature.prepare(things)
    return things


@pytest.mark.audit
def test_no_two_wait_for_each_other_in_a_circle(things: Things) -> None:
    pairs = [pair for names in SAME for pair in combinations_with_replacement(names, 2)]
    every = VERBS | PAGES
    begins = threading.Barrier(2)

    def work(name: str) -> None:
        verb, noted = every[name]
        for _ in range(ROUNDS):
            begins.wait(10)
            with place(things, name), suppress(*REFUSED):
                verb(things)
                things.wrote[noted] += 1

    with ThreadPoolExecutor(2) as threads:
        faults = []
        for pair in pairs:
            with things.app.app_context():
                things.begin_anew()
            done = [threads.submit(work, verb) for verb in pair]
            faults += [f"{pair}: {future.exception()}" for future in done if future.exception()]
    assert faults == []
    with things.app.app_context():
        counts = (
            select(AuditRow.action, func.count())
            .where(AuditRow.detail != "password")
            .group_by(AuditRow.action)
        )
        counted = dict(db.session.execute(counts).all())
        wrote = {action: number for action, number in things.wrote.items() if action}
    # begin_anew begins tablets too.
    assert {action: counted[action] for action in wrote} == {
        **wrote,
        "tablet begun": wrote["tablet begun"] + len(pairs),
    }
    flask(things.app, "verify")


def test_two_admins_who_disable_each_other_do_not_both_succeed(things: Things) -> None:
    begins = threading.Barrier(2)

    def disable(name: str) -> None:
        begins.wait(10)
        with things.app.app_context(), suppress(people.NotAccepted):
            people.change(things.actor, name, active=False)

    for _ in range(10):
        with ThreadPoolExecutor(2) as threads:
            assert list(threads.map(disable, ("boss", "second"))) == [None, None]
        with things.app.app_context():
            (left,) = [
                person.sign_in_name for person in people.everyone(db.session) if person.active
            ]
            people.change(things.actor, "second" if left == "boss" else "boss", active=True)


@contextmanager
def recorded(engine: Engine) -> Iterator[list[list[str]]]:
    """The tables of which each transaction locks rows, in its order.

    Whatever skips locked rows waits for nobody.
    """
    transactions: list[list[str]] = [[]]

    def statement(_connection: object, _cursor: object, sql: str, *_: object) -> None:
        match = LOCKS.search(sql)
        if match and "SKIP LOCKED" not in sql:
            transactions[-1].append(match[1] or match[2])

    def end(_connection: object) -> None:
        transactions.append([])

    listeners = (("before_cursor_execute", statement), ("commit", end), ("rollback", end))
    for name, listener in listeners:
        event.listen(engine, name, listener)
    yield transactions
    for name, listener in listeners:
        event.remove(engine, name, listener)


def test_rows_are_locked_in_one_order(things: Things) -> None:
    faults = {}
    for name, (verb, _) in (VERBS | PAGES).items():
        with things.app.app_context():
            things.begin_anew()
            engine = db.engine
        with recorded(engine) as transactions, place(things, name), suppress(*REFUSED):
            verb(things)
        assert any(transactions) or name in ("begin", "reserve"), f"{name} does nothing"
        for locked in transactions:
            tables = list(dict.fromkeys(table for table in locked if table in ORDER))
            if tables != sorted(tables, key=ORDER.index):
                faults[name] = tables
    assert faults == {}


def test_keys_are_rotated_in_the_order_of_locks() -> None:
    tables = [table.__tablename__ for table in rotate_key.tables() if table.__tablename__ in ORDER]
    assert tables == sorted(tables, key=ORDER.index)
