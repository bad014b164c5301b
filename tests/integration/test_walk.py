"""From a screening to the next of the list, without going back."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from html import unescape

import pytest
from flask import Flask

from screening.extensions import db
from screening.installation import current_installation
from screening.web import clinic, walk
from tests.builders import all_no
from tests.integration.colleague import Colleague
from tests.integration.test_inbox import names
from tests.integration.test_review import PREGNANT, UNSURE, sent
from tests.storing import store

pytestmark = pytest.mark.one_database


def link(page: Colleague, pattern: str) -> str:
    """The address of a link of the page, or nothing."""
    found = re.search(rf"<a [^>]*{pattern}[^>]*>", page.page.text)
    return unescape(re.findall(r'href="([^"]+)"', found[0])[0]) if found else ""


def back(page: Colleague) -> str:
    """Where the page leads back to."""
    return unescape(re.findall(r'class="back"><a href="([^"]+)"', page.page.text)[0])


@pytest.fixture
def three(app: Flask) -> list[str]:
    """The references of three screenings in the order of the inbox."""
    references = [
        sent(app, answers, name=name, visit=f"V {name}")
        for name, answers in [("Third", {}), ("Second", UNSURE), ("First", PREGNANT)]
    ]
    return references[::-1]


def test_the_list_is_walked_as_it_was_seen(app: Flask, three: list[str]) -> None:
    dr = Colleague(app)
    dr.get("/clinic/?show=new")
    dr.get(link(dr, three[0]))
    assert "1 of 3 in the list" in dr.text
    assert link(dr, 'rel="prev"') == ""
    for place in (1, 2):  # although those before are no longer new
        dr.get(link(dr, 'rel="next"'))
        assert three[place] in dr.path
        assert f"{place + 1} of 3 in the list" in dr.text
    assert link(dr, 'rel="next"') == ""
    assert back(dr) == "/clinic/?show=new"
    dr.get(link(dr, 'rel="prev"'))
    assert three[1] in dr.path


def test_a_decision_leaves_the_way_through_the_list(app: Flask, three: list[str]) -> None:
    dr = Colleague(app)
    dr.get("/clinic/?outcome=contraindication")
    dr.get("/clinic/")
    dr.get(link(dr, three[1]))
    action = unescape(re.findall(r'<form class="review"[^>]* action="([^"]+)"', dr.page.text)[0])
    dr.post(action, {"decision": "do_not_start", "seen": dr.seen})
    assert "Reviewed" in dr.text
    dr.get(link(dr, 'rel="next"'))
    assert three[2] in dr.path


def test_linking_and_parting_leave_the_way_through_the_list(app: Flask, three: list[str]) -> None:
    sent(app, name="Second", visit="V other")
    dr = Colleague(app)
    dr.get("/clinic/")
    dr.get(link(dr, three[1]))
    action, values = re.findall(
        r'action="([^"]+/same-person[^"]*)">(.*?)</form>', dr.page.text, re.S
    )[0]
    form = dict(re.findall(r'name="(other|seen)" value="([^"]*)"', values))
    dr.post(unescape(action), form | {"is_same": "no"})
    assert "Recorded: not the same person." in dr.text
    assert "2 of 4 in the list" in dr.text


def test_a_page_of_the_list_leads_on_to_the_next(
    app: Flask, three: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clinic, "PAGE_LENGTH", 2)
    dr = Colleague(app)
    dr.get("/clinic/")
    dr.get(link(dr, three[1]))
    dr.get(link(dr, 'rel="next"'))
    assert (dr.path, names(dr)) == ("/clinic/", ["Third"])


def test_a_page_that_is_too_long_to_be_walked_says_what_is_printed_and_skips_nobody(
    app: Flask, three: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (clinic, walk):
        monkeypatch.setattr(module, "LONGEST", 1)
    monkeypatch.setattr(clinic, "PAGE_LENGTH", 2)
    dr = Colleague(app)
    dr.get("/clinic/")
    assert "PDFs of the first 1 on this page" in dr.text
    dr.get(link(dr, three[0]))
    assert link(dr, 'rel="next"') == ""
    dr.get("/clinic/")
    dr.post("/clinic/print", {"reference": three})
    assert "Choose the screenings to print first: 1 at most." in dr.text


def test_what_is_overlooked_is_walked_too(app: Flask, three: list[str]) -> None:
    late = datetime.now(UTC) - timedelta(days=9)
    with app.app_context():
        installation = current_installation()
        first, second = (
            store(db.session, installation.keys, installation.books["en"], all_no(), at=at)
            for at in (late, late + timedelta(hours=1))
        )
    dr = Colleague(app)
    dr.get("/clinic/?show=reviewed")
    dr.get(link(dr, first.reference))
    assert "1 of 2 in the list" in dr.text
    dr.get(link(dr, 'rel="next"'))
    assert second.reference in dr.path
    assert back(dr) == "/clinic/?show=reviewed"


def test_the_address_tells_nobody_else_anything(app: Flask, three: list[str]) -> None:
    dr = Colleague(app)
    dr.get("/clinic/")
    dr.post("/clinic/search", {"search": "First"})
    address = link(dr, three[0])
    for word in ("First", three[1], "contra"):
        assert word not in address
    other = Colleague(app, "other")
    other.get(address)
    assert other.page.status_code == 200
    assert "in the list" not in other.text
    assert back(other) == "/clinic/"
    other.get(address[:-9])
    assert other.page.status_code == 200


def test_the_longest_address_is_one_that_servers_accept(app: Flask, three: list[str]) -> None:
    from screening.web.walk import LONGEST, Walk

    dr = Colleague(app)
    with dr.client:
        dr.get("/clinic/")
        query = {"q": "x" * 400, "show": "unanswered", "outcome": "contraindication"}
        walk = Walk(references=(three[0],) * (LONGEST + 100), query=query)
        assert len(walk.sealed()) < 3500
