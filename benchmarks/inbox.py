"""The clinic's pages with many stored screenings, compared to the same pages with few."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import partial
from http.client import HTTPConnection
from itertools import cycle
from statistics import median

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, text

from benchmarks.filling import fill
from benchmarks.installed import installed
from benchmarks.serving import Served, csrf_token, get, serve
from benchmarks.timing import Side, Table, Times, fastest, milliseconds, seconds, take_turns
from screening.domain.answers import Patient
from screening.extensions import db
from screening.features.invitations import store
from screening.features.invitations.invitation import Invitation
from screening.features.invitations.tables import InvitationRow
from screening.installation import current_installation
from screening.storage import screenings
from screening.storage.outbox import sealed_kind
from screening.storage.tables import ScreeningRow

FEW = 1_000
MANY = 100_000
QUICK_FEW = 500
QUICK_MANY = 2_500
ROUNDS = 60
QUICK_ROUNDS = 6
STARTS = 3
QUICK_STARTS = 1
REQUESTS = 3  # in a row; the fastest counts
REVIEWED = 0.8
EXPECTED = 20  # patients on each of so many days
DAYS = 5
STUCK = 20_000  # jobs, at most one for each screening
SESSION_COOKIE = "session"  # its name without TLS
PASSWORD = "correct horse battery"
ROW = '<th scope="row">'
# text of a page while a new process still reads older screenings
NOT_WHOLE = "The server has just started"
TO_REACH = "at most 1.5"
FOR_INFORMATION = "for information"


@dataclass(frozen=True, slots=True, kw_only=True)
class Clinic:
    """An installation with screenings, and a signed-in prescriber.

    The `client` does not use the served processes, so that their memory holds nothing else.
    `resident` are bytes before the first inbox page and after all screenings were read, `whole` are
    seconds from the first inbox page until then. `to_open` are references.
    """

    count: int
    app: Flask
    patients: Sequence[Patient]
    client: FlaskClient
    to_open: Iterator[str]
    resident: list[tuple[int, int]] = field(default_factory=list)
    whole: list[float] = field(default_factory=list)

    @property
    def cookies(self) -> str:
        """Return the cookies of the prescriber's browser."""
        cookie = self.client.get_cookie(SESSION_COOKIE)
        if cookie is None:
            raise RuntimeError("the prescriber is not signed in")
        return f"{SESSION_COOKIE}={cookie.value}"


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedPage:
    """A page that a prescriber opens; `time` opens it and returns the seconds."""

    name: str
    time: Callable[[Clinic, HTTPConnection], float]
    address: Callable[[Clinic], str] | None = None
    to_reach: str = TO_REACH


def measure(quick: bool) -> Table:
    """Time each page at both sizes in turns: without reviews, then with most reviewed."""
    counts = (QUICK_FEW, QUICK_MANY) if quick else (FEW, MANY)
    rows: list[tuple[str, ...]] = []
    notes: list[str] = []
    for reviewed in (0.0, REVIEWED):
        with ExitStack() as stack:
            few, many = (_clinic(stack, count, reviewed) for count in counts)
            notes.append(_mix(many))
            title = f"{reviewed:.0%} reviewed".replace("%", " %")
            rows.append((f"**{title}**", *[""] * 5))
            rows += _first_pages(few, many, starts=QUICK_STARTS if quick else STARTS)
            rounds = QUICK_ROUNDS if quick else ROUNDS
            rows += _pages(few, many, _timed_pages(reviewed), rounds=rounds)
    return Table(
        title="The inbox",
        head=("Page", "rows", f"at {counts[0]:,}", f"at {counts[1]:,}", "ratio", "to reach"),
        rows=tuple(rows),
        notes=(
            "Over HTTP from gunicorn with one worker for each size, on SQLite, with an open "
            f"connection. In turns; of {REQUESTS} requests in a row the fastest counts; a "
            "screening and the inbox after it are requested once. The middle half of the ratios "
            "is in brackets. Rows are the screenings on the page at each size.",
            "The first inbox of a new process has the newest screenings and reports how many are "
            "still to be read. The row below it has the memory of the process before that page and "
            "after all were read. The other rows are of processes that have read all.",
            *notes,
        ),
    )


# --------------------------------------------------------------------------------------------------
# clinics


def _clinic(stack: ExitStack, count: int, reviewed: float) -> Clinic:
    app = stack.enter_context(installed())
    patients = fill(app, count, reviewed=reviewed, now=datetime.now(UTC))
    _expect(app, datetime.now(UTC))
    with app.app_context():
        query = text(
            "SELECT reference FROM screenings WHERE status = 'new' ORDER BY random() LIMIT 500"
        )
        references = list(db.session.execute(query).scalars())
        db.session.rollback()
    client = _signed_in(app)
    to_open = cycle(references)
    return Clinic(count=count, app=app, patients=patients, client=client, to_open=to_open)


def _expect(app: Flask, now: datetime) -> None:
    """Invite patients to today and to the days around it; most of today's have answered."""
    with app.app_context():
        keys = current_installation().keys
        newest = select(ScreeningRow).order_by(ScreeningRow.submitted_at.desc())
        answered = iter(db.session.scalars(newest.limit(EXPECTED * DAYS)).all())
        noon = now.replace(hour=12, minute=0)
        for number in range(EXPECTED * DAYS):
            day, place = divmod(number, EXPECTED)
            at = noon + timedelta(days=day - DAYS // 2, minutes=place)
            source = next(answered) if place % 3 else None
            missing = Patient(name=f"Missing {number}", birth_date=date(1988, 3, 12), visit="")
            invitation = Invitation(
                patient=screenings.patient(source, keys) if source else missing,
                language="en",
                appointment=at,
                prescriber="Dr Bench" if place % 2 else "Dr House",
            )
            invitation_id = f"{number:032x}"
            until = now + timedelta(days=30)
            store.add(
                db.session, keys, invitation, id=invitation_id, by="bench", now=now, until=until
            )
            if source:
                row = db.session.get_one(InvitationRow, invitation_id)
                row.draft_hash = source.draft_hash
        db.session.commit()


def _signed_in(app: Flask) -> FlaskClient:
    """Add a prescriber by command, choose a password, and return the signed-in client."""
    words = ["people", "add", "bench", "--name", "Dr Bench", "--role", "prescriber"]
    added = app.test_cli_runner().invoke(args=words)
    one_time = re.search(r"password (\S+)", added.output)
    if added.exit_code != 0 or one_time is None:
        raise RuntimeError(f"flask people add failed: {added.output}")
    client = app.test_client()
    _send(client, "/account/sign-in", sign_in_name="bench", password=one_time[1])
    new = {"new_password": PASSWORD, "new_password_confirm": PASSWORD}
    _send(client, "/account/password", password=one_time[1], **new)
    return client


def _send(client: FlaskClient, address: str, *, form_at: str = "", **values: str) -> str:
    """Send the form on the page `form_at`, or at its own address; return the redirect target."""
    values["csrf_token"] = csrf_token(client.get(form_at or address).text)
    answer = client.post(address, data=values)
    if answer.status_code not in (302, 303):
        raise RuntimeError(
            f"{address} answered {answer.status_code} to a form: {answer.text[:500]}"
        )
    return answer.location


def _mix(clinic: Clinic) -> str:
    """Describe the stored screenings."""
    installation = current_installation(clinic.app)
    with clinic.app.app_context():
        count = text("SELECT status, count(*) FROM screenings GROUP BY status ORDER BY status")
        statuses = ", ".join(f"{number:,} {status}" for status, number in db.session.execute(count))
        db.session.rollback()
    size = (installation.settings.instance / "screening.db").stat().st_size
    families = Counter(patient.name.split()[-1] for patient in clinic.patients)
    patients = families[clinic.patients[0].name.split()[-1]]
    return (
        f"Stored at {clinic.count:,}: {statuses}; the database has {size / 1e6:,.0f} MB. "
        f"The family name searched for is that of {patients:,} patients."
    )


# --------------------------------------------------------------------------------------------------
# pages


def _first_pages(few: Clinic, many: Clinic, *, starts: int) -> list[tuple[str, ...]]:
    """Start new processes, and request the inbox of each once."""
    sides = [
        Side(name=f"{clinic.count:,}", run=partial(_first_page, clinic)) for clinic in (few, many)
    ]
    times_few, times_many = take_turns("inbox, first page", sides, rounds=starts, warm_up=0)
    rows = [_row("first inbox of a new process", "", times_few, times_many, "under 1.5 s")]
    whole = [median(clinic.whole) for clinic in (few, many)]
    ratio = f"{whole[1] / whole[0]:.2f}"
    rows.append(("until all were read", "", *map(_time, whole), ratio, FOR_INFORMATION))
    for index, when in enumerate(("before it", "when all were read")):
        sizes = [median(pair[index] for pair in clinic.resident) / 1e6 for clinic in (few, many)]
        megabytes = [f"{size:.0f} MB" for size in sizes]
        ratio = f"{sizes[1] / sizes[0]:.2f}"
        to_reach = "at most 1.2" if index else FOR_INFORMATION
        rows.append((f"memory of the process {when}", "", *megabytes, ratio, to_reach))
    return rows


def _first_page(clinic: Clinic) -> float:
    with serve(clinic.app, workers=1) as served, closing(served.connection()) as connection:
        get(connection, "/account/", clinic.cookies)  # the first use of a session is not timed
        before = sum(served.resident())
        duration = seconds(lambda: get(connection, "/clinic/", clinic.cookies))
        clinic.whole.append(duration + seconds(lambda: _read_all(connection, clinic)))
        clinic.resident.append((before, sum(served.resident())))
    return duration


def _pages(
    few: Clinic, many: Clinic, pages: Sequence[TimedPage], *, rounds: int
) -> list[tuple[str, ...]]:
    with ExitStack() as stack:
        clinics = [(clinic, _connected(stack, clinic)) for clinic in (few, many)]
        counts = [
            " / ".join(str(_row_count(page, *clinic)) for clinic in clinics if page.address)
            for page in pages
        ]
        sides = [
            Side(name=page.name, run=partial(page.time, *clinic))
            for page in pages
            for clinic in clinics
        ]
        times = take_turns("inbox", sides, rounds=rounds)
    pairs = zip(times[::2], times[1::2], strict=True)
    return [
        _row(page.name, count, *pair, page.to_reach)
        for page, count, pair in zip(pages, counts, pairs, strict=True)
    ]


def _connected(stack: ExitStack, clinic: Clinic) -> HTTPConnection:
    served: Served = stack.enter_context(serve(clinic.app, workers=1))
    connection: HTTPConnection = stack.enter_context(closing(served.connection()))
    _read_all(connection, clinic)
    return connection


def _read_all(connection: HTTPConnection, clinic: Clinic) -> None:
    """Request pages until the list of a new process is whole; each page reads a part of it."""
    while NOT_WHOLE in get(connection, "/clinic/", clinic.cookies)[0]:
        pass


def _row_count(page: TimedPage, clinic: Clinic, connection: HTTPConnection) -> int:
    if page.address is None:
        return 0
    html, _ = get(connection, page.address(clinic), clinic.cookies)
    return html.count(ROW)


def _row(name: str, count: str, few: Times, many: Times, to_reach: str) -> tuple[str, ...]:
    return name, count, _time(few.median), _time(many.median), many.ratio_to(few), to_reach


def _time(value: float) -> str:
    return milliseconds(value) if value < 1 else f"{value:.1f} s"


def _timed_pages(reviewed: float) -> list[TimedPage]:
    """Return the pages that a prescriber opens.

    If most screenings are reviewed, filtered pages show the reviewed ones and so are full.
    """
    show = "show=reviewed&" if reviewed else ""
    return [
        TimedPage(name="a screening", time=_open, to_reach=FOR_INFORMATION),
        TimedPage(name="inbox after another one was opened", time=_inbox_after_change),
        _page("inbox", lambda clinic: "/clinic/"),
        _page("contraindications", lambda clinic: f"/clinic/?{show}outcome=contraindication"),
        _page("sent in the last week", lambda clinic: f"/clinic/?{show}since={_a_week_ago()}"),
        _page("expected tomorrow", lambda clinic: f"/clinic/?day={_tomorrow()}"),
        _page("who has not answered", lambda clinic: "/clinic/?show=unanswered"),
        _page("mine", lambda clinic: "/clinic/?prescriber=mine"),
        _page("by time", lambda clinic: f"/clinic/?{show}order=time"),
        _page("by severity", lambda clinic: f"/clinic/?{show}order=severity"),
        _page("page 2", lambda clinic: "/clinic/?page=2"),
        _page(
            "search for one patient",
            lambda clinic: _search(clinic, _particulars(clinic.patients[0])),
        ),
        _page(
            "search for a family name",
            lambda clinic: _search(clinic, clinic.patients[0].name.split()[-1]),
            FOR_INFORMATION,  # the page with many has more rows
        ),
        _page("statistics", lambda clinic: "/clinic/statistics"),
        TimedPage(name="inbox with up to 20,000 stuck jobs", time=_inbox_with_stuck_jobs),
        _page(
            "last page of all",
            lambda clinic: f"/clinic/?show=all&page={clinic.count // 50}",
            FOR_INFORMATION,
        ),
    ]


def _page(name: str, address: Callable[[Clinic], str], to_reach: str = TO_REACH) -> TimedPage:
    addresses: dict[int, str] = {}

    def time(clinic: Clinic, connection: HTTPConnection) -> float:
        if clinic.count not in addresses:
            addresses[clinic.count] = address(clinic)
        return fastest(lambda: get(connection, addresses[clinic.count], clinic.cookies), REQUESTS)

    return TimedPage(name=name, time=time, address=address, to_reach=to_reach)


def _tomorrow() -> str:
    return (datetime.now(UTC) + timedelta(days=1)).date().isoformat()


def _a_week_ago() -> str:
    return (datetime.now(UTC) - timedelta(days=7)).date().isoformat()


def _particulars(patient: Patient) -> str:
    return f"{patient.name} {patient.birth_date.isoformat()}"


def _search(clinic: Clinic, words: str) -> str:
    """Return the address of the result of a search."""
    return _send(clinic.client, "/clinic/search", form_at="/account/password", search=words)


def _inbox_with_stuck_jobs(clinic: Clinic, connection: HTTPConnection) -> float:
    """Time the inbox while deliveries to a channel have failed."""
    stick = text(
        "INSERT INTO outbox (kind, screening_id, number, due_at, attempts, lease, failed, fault, "
        "sealed_check) "
        "SELECT :kind, id, 0, submitted_at, 9, '', 0, 'refused', x'' FROM screenings LIMIT :count"
    )
    with clinic.app.app_context():
        kind = sealed_kind(current_installation().keys, "to mail")
        db.session.execute(stick, {"kind": kind, "count": STUCK})
        db.session.commit()
        duration = fastest(lambda: get(connection, "/clinic/", clinic.cookies), REQUESTS)
        db.session.execute(text("DELETE FROM outbox"))  # no other page is timed with them
        db.session.commit()
    return duration


def _open(clinic: Clinic, connection: HTTPConnection) -> float:
    """Time a screening that was not opened before, unless all were."""
    address = f"/clinic/screenings/{next(clinic.to_open)}"
    return seconds(lambda: get(connection, address, clinic.cookies))


def _inbox_after_change(clinic: Clinic, connection: HTTPConnection) -> float:
    _open(clinic, connection)
    return seconds(lambda: get(connection, "/clinic/", clinic.cookies))
