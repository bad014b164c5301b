"""A clinic changes, compares and approves its own rule book while patients answer."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.browser import colleague, journey
from tests.browser.conftest import visits
from tests.browser.inspection import assert_accessible, assert_well_built
from tests.browser.server import LiveServer, environment, flask, serve

ADDRESS = "/clinic/rule-book/"
APPROVE = "form[action*='/approve'] button.primary"
RULE = 'when = { infection = ["yes"] }\nseverity = "contraindication"'


def change(server: LiveServer) -> None:
    """Adopt the rule book, in English alone; change a sentence, a severity and the version."""
    flask(environment(server.instance), "rulebook", "adopt")
    folder = server.instance / "rulebook"
    (folder / "azathioprine.es.toml").unlink()
    file = folder / "azathioprine.toml"
    text = file.read_text(encoding="utf-8")
    for old, new in (
        ('version = "', 'version = "rowan-'),
        ('ask = "Are you breastfeeding?"', 'ask = "Are you breastfeeding now?"'),
        (RULE, RULE.replace("contraindication", "caution")),
    ):
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    file.write_text(text, encoding="utf-8")


def approve(page: Page, prescriber: colleague.Colleague, role: str) -> None:
    page.goto(ADDRESS)
    page.fill("#role", role)
    journey.press(page, APPROVE)
    assert_well_built(page, error=True)
    page.check("#read")
    journey.press(page, APPROVE)
    assert page.inner_text("#password-error") != "", "a signed-in person must type the password too"
    assert page.input_value("#role") == role, "nothing typed is lost"
    page.fill("#password", prescriber.password)
    journey.press(page, APPROVE)


@pytest.mark.audit
def test_a_clinic_makes_the_rule_book_its_own(browser: Browser, tmp_path: Path) -> None:
    (tmp_path / "instance").mkdir(mode=0o700)
    (tmp_path / "instance" / "settings.toml").write_text("approvals_needed = 2\n")
    yes = {
        **journey.ALL_NO,
        "infection": "yes",
        "infection_symptoms": ("fever",),
        "infection_since": "Today",
    }
    with (
        serve(tmp_path) as server,
        visits(partial(browser.new_context, base_url=server.url), server) as open_page,
    ):
        first, second = (
            colleague.settled(server, "prescriber", name=name) for name in ("first", "second")
        )
        pages = [colleague.at_work(open_page, server, person=person) for person in (first, second)]
        half_way = open_page()
        journey.walk_to(half_way, "breastfeeding", yes)
        before = open_page()
        journey.walk_to(before, journey.CHECK, yes)
        old = journey.send(before)

        change(server)
        pages[0].goto(ADDRESS)
        changes = pages[0].inner_text(".changes")
        assert "Active infection: Yes" in changes
        assert "Contraindication" in changes
        assert "Caution" in changes
        assert pages[0].inner_text("ins >> nth=1").split() == ["[added:", "now", "]"]
        assert pages[0].inner_text(".state") == "Not in force and not approved"
        assert all(
            element.is_visible() for element in pages[0].locator(".follow-up, .condition").all()
        ), "it is read before"
        assert_accessible(pages[0])
        approve(pages[0], first, "GMC 7654321")
        assert "One more prescriber must approve it" in pages[0].inner_text("[role=status]")
        assert pages[0].inner_text(".state") == "Not in force: one more prescriber must approve it"
        half_way.reload()
        assert "breastfeeding now" not in half_way.inner_text("h1"), (
            "one approval of two changes nothing"
        )
        approve(pages[1], second, "Pharmacist")
        assert pages[1].inner_text(".state") == "In force and approved"
        assert_accessible(pages[1])

        half_way.reload()
        assert "Are you breastfeeding now?" in half_way.inner_text("h1")
        journey.answer_questions(half_way, yes)
        new = journey.send(half_way)
        for reference, outcome, standing in (
            (old, "contraindication", "Draft rules"),
            (new, "caution", "Rules approved by Dr first (GMC 7654321)"),
        ):
            colleague.read(pages[0], reference)
            assert colleague.outcome(pages[0]) == outcome
            assert standing in pages[0].inner_text(".standing")
        assert "Dr second (Pharmacist)" in pages[0].inner_text(".standing")
