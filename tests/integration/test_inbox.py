"""The inbox: order, filters, search, pages, views for staff, and an index equal to the database."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import text, update

from screening.domain.rules import Severity
from screening.extensions import db
from screening.installation import current_installation
from screening.storage.tables import ScreeningRow
from screening.storage.worklist import Filter, Listed, Worklist
from tests.builders import all_no
from tests.days import pass_days
from tests.integration.colleague import Colleague
from tests.integration.test_review import NEXT_YEAR, PREGNANT, UNSURE, sent
from tests.integration.visitor import Visitor
from tests.storing import store

CAUTION = {"iud": {"iud": "yes", "iud_type": "copper"}}
TODAY = datetime.now(UTC).date()

pytestmark = pytest.mark.one_database


def names(page: Visitor) -> list[str]:
    """The patients of the inbox in their order."""
    return re.findall(r"<bdi>([^<]+)</bdi>(?:</a>)?\s*<span class=\"small\">", page.page.text)


@contextmanager
def list_of(
    app: Flask, chosen: Filter, *, today: date = TODAY, by_severity: bool = True
) -> Iterator[list[Listed]]:
    """What a fresh process would list."""
    with app.app_context():
        fresh = Worklist()
        with fresh.current(
            db.session, current_installation().keys, timezone="UTC", today=today
        ) as connection:
            yield fresh.page(connection, chosen, by_severity=by_severity, offset=0, limit=1000)[0]


@pytest.fixture
def filled(app: Flask) -> dict[str, str]:
    """Screenings of every outcome by the patient's name, sent in this order."""
    pages = {
        "None One": {},
        "Caution Two": CAUTION,
        "Contra Three": PREGNANT,
        "Clarify Four": UNSURE,
    }
    return {
        name: sent(app, answers, name=name, visit=f"V {name}")
        for name, answers in [*pages.items(), ("Contra Five", PREGNANT)]
    }


def test_the_most_severe_come_first_and_among_them_the_newest(
    app: Flask, filled: dict[str, str]
) -> None:
    dr = Colleague(app)
    dr.get("/clinic/")
    assert names(dr) == ["Contra Five", "Contra Three", "Clarify Four", "Caution Two", "None One"]
    assert "5 screenings" in dr.text


def test_what_is_reviewed_leaves_the_list_of_what_is_to_do(
    app: Flask, filled: dict[str, str]
) -> None:
    dr = Colleague(app)
    dr.decide(filled["Contra Five"], "do_not_start")
    dr.decide(filled["None One"], "defer", until=NEXT_YEAR)
    dr.get(f"/clinic/screenings/{filled['Clarify Four']}")
    shown = {
        "": ["Contra Three", "Clarify Four", "Caution Two"],
        "?show=new": ["Contra Three", "Caution Two"],
        "?show=opened": ["Clarify Four"],
        "?show=reviewed": ["Contra Five", "None One"],
        "?show=deferred": ["None One"],
        "?show=all&outcome=contraindication": ["Contra Five", "Contra Three"],
        "?show=all&outcome=none": ["None One"],
        f"?show=all&since={TODAY - timedelta(days=1)}&to={TODAY + timedelta(days=1)}": list(
            reversed(filled)
        ),
        "?show=all&since=2099-01-01": [],
        "?show=all&to=2000-01-01": [],
        "?show=nonsense&outcome=nonsense&since=nonsense&page=nonsense": [
            "Contra Three",
            "Clarify Four",
            "Caution Two",
        ],
    }
    for address, expected in shown.items():
        dr.get(f"/clinic/{address}")
        assert sorted(names(dr)) == sorted(expected), address
    assert "No screenings match this search and filter" in dr.get("/clinic/?to=2000-01-01").text


@pytest.mark.both_databases
def test_a_deferred_screening_returns_to_the_top_on_its_day(
    app: Flask, filled: dict[str, str]
) -> None:
    dr = Colleague(app)
    until = TODAY + timedelta(days=10)
    dr.decide(filled["None One"], "defer", until=until.isoformat())
    with list_of(app, Filter(), today=until - timedelta(days=1)) as before:
        assert filled["None One"] not in [entry.reference for entry in before]
    with list_of(app, Filter(), today=until) as on_the_day:
        assert on_the_day[0].reference == filled["None One"]
        assert on_the_day[0].due
        assert [entry.outcome for entry in on_the_day[1:3]] == [Severity.CONTRAINDICATION] * 2


def test_an_outcome_that_changes_moves_the_line(app: Flask, filled: dict[str, str]) -> None:
    dr = Colleague(app)
    dr.get("/clinic/")
    dr.clarify(filled["Contra Three"], "pregnancy", pregnancy="no", pregnancy_planned="no")
    dr.get("/clinic/")
    assert names(dr) == ["Contra Five", "Clarify Four", "Caution Two", "Contra Three", "None One"]


@pytest.mark.parametrize("typed", ["five", "CONTRA FIVE", "12.03.1988 five"])
def test_search_leads_to_the_patient_without_a_name_in_the_address(
    app: Flask, filled: dict[str, str], typed: str
) -> None:
    dr = Colleague(app)
    dr.decide(filled["Contra Five"], "proceed_with_changes", reason="Agreed")
    dr.get("/clinic/")
    dr.post("/clinic/search", {"search": typed})
    assert names(dr) == ["Contra Five"]
    assert typed.lower() not in dr.page.request.url.lower().replace("%20", " ")
    assert f'value="{typed}"' in dr.page.text
    assert Colleague(app, "other").get(dr.page.request.full_path).status_code == 200


@pytest.mark.both_databases
def test_search_by_what_is_on_the_paper(app: Flask, filled: dict[str, str]) -> None:
    dr = Colleague(app)
    for typed, count in {
        filled["Clarify Four"]: 1,
        "12-Mar-1988": 0,
        "1988-03-12": 5,
        "V-Contra-Three": 1,
        "nobody": 0,
    }.items():
        dr.get("/clinic/")
        dr.post("/clinic/search", {"search": typed})
        assert len(names(dr)) == count, typed


def test_long_lists_have_pages_that_keep_the_filter(app: Flask) -> None:
    sent(app, PREGNANT, name="Kept Out")
    dr = Colleague(app)
    with app.app_context():
        book = current_installation().books["en"]

        for number in range(55):
            store(
                db.session, current_installation().keys, book, all_no(), name=f"Number {number:02}"
            )
    dr.get("/clinic/?outcome=none")
    assert len(names(dr)) == 50
    assert "Page 1 of 2" in dr.text
    assert "Kept Out" not in dr.text
    dr.get(re.search(r'rel="next" href="([^"]+)"', dr.page.text)[1].replace("&amp;", "&"))  # type: ignore[index]
    assert len(names(dr)) == 5
    assert "Kept Out" not in dr.text


@pytest.mark.parametrize(
    ("role", "offered"),
    [
        ("prescriber", ["todo", "new", "opened", "reviewed", "deferred", "all"]),
        ("staff", ["unreviewed", "new", "opened", "reviewed", "all"]),
    ],
)
def test_the_menu_of_the_inbox_is_that_of_the_role(
    sqlite_app: Flask, role: str, offered: list[str]
) -> None:
    somebody = Colleague(sqlite_app, "dr", role)
    somebody.get("/clinic/")
    menu = somebody.page.text.partition('<select id="show"')[2].partition("</select>")[0]
    # who has not answered is known where patients are invited
    shows = [value for value in re.findall(r'value="([^"]+)"', menu) if value != "unanswered"]
    assert shows == offered


def test_staff_see_that_it_arrived_and_was_reviewed_and_no_more(
    app: Flask, filled: dict[str, str]
) -> None:
    dr = Colleague(app, "dr")
    staff = Colleague(app, "desk", "staff")
    dr.decide(filled["Contra Five"], "defer", until=NEXT_YEAR, note="Secret note")
    for address in (
        "/clinic/",
        "/clinic/?show=all",
        "/clinic/?show=all&outcome=contraindication",
        "/clinic/?show=deferred",
    ):
        staff.get(address)
        for word in (
            "Outcome",
            "Contraindication",
            "Caution</",
            "Deferred",
            "/clinic/screenings/",
            "Confirm answers",
        ):
            assert word not in staff.page.text, (address, word)
    staff.get("/clinic/?show=all&outcome=contraindication")
    # by time alone: the order must not tell the outcome
    assert names(staff) == list(reversed(filled))
    assert "Reviewed" in staff.text
    staff.get("/clinic/")
    assert "Contra Five" not in names(staff)


@pytest.mark.both_databases
def test_new_arrivals_are_counted_without_keeping_the_sign_in_alive(app: Flask) -> None:
    dr = Colleague(app)
    asked = re.search(r'data-arrivals="([^"]+)"', dr.get("/clinic/").text)
    assert asked is not None
    assert dr.get(asked[1]).json == {"arrived": 0}
    sent(app)
    sent(app)
    with app.app_context():
        db.session.execute(text("UPDATE sign_ins SET seen_at = begun_at"))
        before = db.session.execute(text("SELECT seen_at FROM sign_ins")).scalar()
        db.session.commit()
    assert dr.get(asked[1]).json == {"arrived": 2}
    with app.app_context():
        assert db.session.execute(text("SELECT seen_at FROM sign_ins")).scalar() == before


def test_a_row_that_cannot_be_opened_is_shown_at_the_top_not_hidden(
    app: Flask, filled: dict[str, str]
) -> None:
    with app.app_context():
        broken = filled["None One"]
        db.session.execute(
            update(ScreeningRow)
            .where(ScreeningRow.reference == broken)
            .values(sealed_state=b"k1:nonsense")
        )
        db.session.commit()
    dr = Colleague(app)
    dr.get("/clinic/")
    assert len(names(dr)) == 5
    assert "Cannot be opened" in dr.text
    assert dr.page.text.index("Cannot be opened") < dr.page.text.index('class="outcome-tag')


@pytest.mark.both_databases
def test_the_list_in_memory_is_what_a_fresh_process_would_list(app: Flask) -> None:
    """Two processes that follow the audit log, and a third that reads everything, always agree."""
    chance = random.Random(7)
    dr = Colleague(app)
    lists = [Worklist(), Worklist()]
    references = [sent(app, pages) for pages in (PREGNANT, UNSURE, {}, CAUTION)]
    for step in range(12):
        reference = chance.choice(references)
        match chance.randrange(5):
            case 0:
                references.append(sent(app, chance.choice([PREGNANT, UNSURE, {}, CAUTION])))
            case 1:
                dr.get(f"/clinic/screenings/{reference}")
            case 2:
                dr.clarify(
                    reference, "breastfeeding", breastfeeding=chance.choice(["yes", "no", "unsure"])
                )
            case 3:
                dr.decide(
                    reference,
                    "defer",
                    until=(TODAY + timedelta(days=chance.randrange(1, 4))).isoformat(),
                )
            case 4:
                with app.app_context():
                    db.session.execute(
                        text(
                            "UPDATE screenings SET changed_at = changed_at WHERE reference = :one"
                        ),
                        {"one": reference},
                    )
                    db.session.commit()
        today = TODAY + timedelta(days=step // 4)
        for chosen in (
            Filter(),
            Filter(show="all"),
            Filter(show="reviewed"),
            Filter(outcome=Severity.CONTRAINDICATION),
        ):
            with list_of(app, chosen, today=today) as expected, app.app_context():
                for worklist in lists[: 1 + step % 2]:
                    with worklist.current(
                        db.session, current_installation().keys, timezone="UTC", today=today
                    ) as connection:
                        listed, total = worklist.page(
                            connection, chosen, by_severity=True, offset=0, limit=1000
                        )
                        again = (
                            "SELECT day, value, count(*) FROM list, json_each(counted) "
                            "GROUP BY 1, 2"
                        )
                        counted = connection.execute(
                            "SELECT * FROM counts WHERE number > 0"
                        ).fetchall()
                        assert counted == connection.execute(again).fetchall()
                    assert listed == expected
                    assert total == len(expected)


@pytest.mark.both_databases
def test_what_was_purged_leaves_every_list(app: Flask, filled: dict[str, str]) -> None:
    dr = Colleague(app)
    dr.get("/clinic/")
    pass_days(app, 91)
    dr.get("/clinic/?show=all")
    assert names(dr) == []


@pytest.mark.both_databases
def test_statistics_count_without_naming(app: Flask, filled: dict[str, str]) -> None:
    dr = Colleague(app)
    dr.decide(filled["None One"], "proceed")
    dr.get("/clinic/statistics")
    html = re.sub(r">\s+<", "><", dr.page.text)
    row = re.search(r"<tr><th scope=\"row\">[^<]+</th>(.*?)</tr>", html)
    assert row is not None
    assert re.findall(r"<td>(\d+)</td>", row[1]) == ["2", "1", "1", "1"]
    assert re.search(r"Active infection</th><td>1</td><td>0</td><td>0</td>", html)
    assert "Half of the reviewed screenings" in dr.text
    assert dr.page.text.count('<rect class="bar ') == 4
    for name in filled:
        assert name not in dr.text
