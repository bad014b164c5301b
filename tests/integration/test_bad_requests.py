"""Characters and numbers that no database stores never cause an error 500, in any request."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from itertools import product
from pathlib import Path
from urllib.parse import quote

import pytest
from flask import Flask
from werkzeug.routing import Rule

from screening import features, web
from screening.installation import current_installation
from tests.integration.colleague import Colleague
from tests.integration.tablet.test_tablet import Tablet
from tests.integration.test_review import PREGNANT, sent
from tests.integration.test_security import of_features, rules
from tests.integration.visitor import Visitor

NUL = "x\0"
HUGE = "9" * 30
BAD = (NUL, HUGE, f"-{HUGE}")
SOURCES = "".join(
    file.read_text() for part in (web, features) for file in Path(part.__path__[0]).rglob("*.py")
)
FIELDS = sorted({*re.findall(r'form(?:\.get\(|\.getlist\(|\[)"(\w+)"', SOURCES)})
# Where PostgreSQL keeps no NUL, and SQLite does.
REFUSED = {"account.end_sign_in", "admin.change_person"}
REFUSED |= {"clinic.decide", "security.login"}
for routes in of_features():
    REFUSED |= getattr(routes, "REFUSED", set())
QUERIES = sorted(
    {*re.findall(r'(?:args|asked)(?:\.get\(|\[)"(\w+)"', SOURCES), "next", "code", "page"}
)


class Forms(HTMLParser):
    """The forms of a page that change something."""

    def __init__(self, page: str, path: str) -> None:
        super().__init__()
        self.path = path
        self.within = False
        # where it goes, and what it says when nobody changes it
        self.found: list[tuple[str, dict[str, str]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.within = given.get("method", "get").lower() == "post"
            if self.within:
                self.found.append((given.get("action") or self.path, {}))
        elif (
            self.within
            and tag in ("input", "select", "textarea")
            and given.get("name", "csrf_token") != "csrf_token"
        ):
            said = (
                ""
                if tag == "select" or given.get("type", "text") not in ("text", "password")
                else "12"
            )
            self.found[-1][1].setdefault(given["name"], given.get("value") or said)


def browsers(app: Flask) -> list[Visitor]:
    """Somebody in each place."""
    patient = Visitor(app)
    patient.fill_in()
    return [
        Visitor(app),
        patient,
        Tablet(app).in_state("staff"),
        Colleague(app, "boss", "prescriber", "staff", "admin"),
    ]


def addresses(app: Flask) -> tuple[list[tuple[Rule, str]], list[str]]:
    """The address of every route, and those in which one part is bad."""
    parts = {
        "<reference>": sent(app, PREGNANT),
        "<sign_in_name>": "desk",
        "<question_id>": "infection",
        "<kind>": "leaflet",
        "<code>": "en",
        "<path:filename>": "css/app.css",
    }
    for routes in of_features():
        parts |= routes.parts(app) if hasattr(routes, "parts") else {}
    right = []
    wrong = []
    for rule in rules(app):
        path = rule.rule
        for part, value in parts.items():
            wrong += [path.replace(part, quote(bad)) for bad in BAD if part in path]
            path = path.replace(part, value)
        right.append((rule, path))
    return right, wrong


@pytest.mark.audit
def test_what_no_database_keeps_is_never_a_fault_of_ours(
    app: Flask, caplog: pytest.LogCaptureFixture
) -> None:
    everyone = browsers(app)
    (right, wrong) = addresses(app)
    app.config["WTF_CSRF_ENABLED"] = False
    boss = everyone[-1]
    forms = dict[str, tuple[Visitor, str, dict[str, str]]]()
    pages = [
        path
        for rule, path in right
        if "GET" in (rule.methods or ()) and not path.endswith((".pdf", ".css"))
    ]
    for browser in everyone:
        for path in [*pages, *(wrong if browser is boss else ())]:
            answer = browser.client.get(path)
            assert answer.status_code < 500, path
            for action, said in (
                Forms(answer.text, path).found if answer.mimetype == "text/html" else ()
            ):
                forms.setdefault(f"{action} {sorted(said)}", (browser, action, said))
    for path in pages:
        for bad in BAD:
            assert (
                boss.client.get(path, query_string=dict.fromkeys(QUERIES, bad)).status_code < 500
            ), (path, bad)
    for rule, path in right:
        if "POST" in (rule.methods or ()) and rule.endpoint != "security.logout":
            forms.setdefault(path, (boss, path, dict.fromkeys(FIELDS, "12")))
    for path in wrong:
        assert boss.client.post(path).status_code < 500, path
    for browser, action, said in forms.values():
        for name, bad in product(said, (NUL, HUGE)):
            answer = browser.client.post(action, data={**said, name: bad})
            assert answer.status_code < 500, (action, name, bad)
    refused = {record.args[1] for record in caplog.records if isinstance(record.args, tuple)}
    assert boss.client.get("/admin/people").status_code == 200, "signed in to the end"
    assert refused >= (
        REFUSED
        if current_installation(app).settings.database_url
        else {"clinic.decide", "clinic.clarify"}
    ), refused


@pytest.mark.parametrize("seen", ["1", "-1", HUGE])
def test_entries_that_nobody_made_cannot_have_been_seen(sqlite_app: Flask, seen: str) -> None:
    dr = Colleague(sqlite_app)
    reference = sent(sqlite_app)
    dr.get(f"/clinic/screenings/{reference}")
    dr.post(f"/clinic/screenings/{reference}/review", {"decision": "proceed", "seen": seen})
    assert dr.page.status_code == 400
    assert "Something was wrong with that request" in dr.text


@pytest.mark.parametrize(
    ("after", "arrived"), [("-1", 1), (f"-{HUGE}", 1), (HUGE, 0), (str(2**31), 0), ("9" * 5000, 1)]
)
def test_how_many_arrived_is_told_whatever_number_is_asked_with(
    app: Flask, after: str, arrived: int
) -> None:
    dr = Colleague(app)
    sent(app)
    assert dr.client.get("/clinic/arrivals", query_string={"after": after}).json == {
        "arrived": arrived
    }


def test_a_page_tells_that_a_sign_in_name_cannot_be_kept(app: Flask) -> None:
    visitor = Visitor(app)
    visitor.get("/account/sign-in")
    visitor.post("/account/sign-in", {"sign_in_name": NUL, "password": "x"})
    is_sqlite = not current_installation(app).settings.database_url
    assert visitor.page.status_code == (200 if is_sqlite else 400)
    assert (
        "The name or the password is wrong" if is_sqlite else "Something was wrong with that"
    ) in visitor.text
