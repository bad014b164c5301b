"""Access by role: arrivals for staff, people and audit log for admins, outcomes for prescribers."""

from __future__ import annotations

import http

from playwright.sync_api import Page

from tests.browser import colleague, journey
from tests.browser.colleague import PRIMARY
from tests.browser.journey import OpenPage
from tests.browser.server import LiveServer

CLINICAL = ("contraindicat", "caution", "clarify before", "deferred", "pregnan")
SECTIONS = "nav.sections a"
CONFIRM = "/account/confirm"
ONE_TIME = ".notice .password"
ADD = 'form[action$="/admin/people"]'


def test_staff_see_that_somebody_sent_and_no_outcome(
    open_page: OpenPage, server: LiveServer
) -> None:
    reference = colleague.arrive(server, name="Waiting Patient", visit="V-77-S", pregnancy="yes")
    page = colleague.at_work(open_page, server, "staff")
    page.goto("/clinic/?outcome=contraindication")
    line = colleague.row(page, reference)
    words = line.inner_text()
    assert [word for word in ("Waiting Patient", "V-77-S", "New") if word not in words] == []
    assert line.locator("a, svg").count() == 0
    assert clinical_words(page) == []
    assert page.locator("[name=outcome]").count() == 0
    page.fill("[name=search]", "waiting")
    journey.press(page, ".search button")
    assert colleague.references(page) == [reference]
    assert sections(page) == [
        "/clinic/",
        "/clinic/invitations/",
        "/clinic/paper",
        "/clinic/tablet",
        "/account/",
    ]
    for path in (
        f"/clinic/screenings/{reference}",
        f"/clinic/screenings/{reference}/summary.pdf",
        "/clinic/statistics",
    ):
        assert refused(page, path) == "/clinic/"
        assert clinical_words(page) == []
    assert refused(page, "/admin/people") == "/clinic/"


def test_an_admin_alone_meets_people_and_the_audit_log_and_nothing_clinical(
    open_page: OpenPage, server: LiveServer
) -> None:
    reference = colleague.arrive(server, name="Unseen Patient", visit="V-88-A", pregnancy="yes")
    prescriber = colleague.at_work(open_page, server, "prescriber")
    colleague.read(prescriber, reference)
    page = colleague.at_work(open_page, server, "admin")
    page.goto("/clinic/")
    assert journey.path(page) == "/admin/people"
    assert sections(page) == [
        "/clinic/rule-book/",
        "/admin/people",
        "/admin/audit",
        "/admin/settings",
        "/account/",
    ]
    for path in ("/admin/people", "/admin/audit", "/admin/settings"):
        page.goto(path)
        # The names of settings have the words of outcomes: they are of nobody.
        clinical = clinical_words(page) if path != "/admin/settings" else []
        words = ("Unseen", "V-88-A", *clinical)
        assert [word for word in words if word in page.content()] == []
    page.goto("/admin/audit")
    assert page.locator("tbody tr", has_text=reference).filter(has_text="opened").count() == 1
    for path in (f"/clinic/screenings/{reference}", "/clinic/statistics"):
        assert refused(page, path) == "/clinic/"


def test_an_admin_adds_somebody_whose_password_is_shown_once(
    open_page: OpenPage, server: LiveServer
) -> None:
    page = colleague.at_work(open_page, server, "admin")
    page.goto("/admin/people")
    page.fill("[name=sign_in_name]", "New.Comer")
    page.fill("[name=full_name]", "Dr <b>New</b> Comer")
    page.check(f"{ADD} [name=roles][value=staff]")
    journey.press(page, f"{ADD} .primary")
    one_time = page.inner_text(ONE_TIME)
    page.goto("/admin/people")
    assert page.locator(ONE_TIME).count() == 0
    assert page.locator(".person h2", has_text="Dr <b>New</b> Comer").count() == 1

    newcomer = open_page(viewport=colleague.DESK)
    colleague.sign_in(newcomer, "new.comer", one_time)
    colleague.choose_password(newcomer, one_time)
    newcomer.goto("/clinic/")
    assert sections(newcomer) == [
        "/clinic/",
        "/clinic/invitations/",
        "/clinic/paper",
        "/clinic/tablet",
        "/account/",
    ]

    person = page.locator('form[action$="/admin/people/new.comer"]')
    person.locator("[value=prescriber]").check()
    with page.expect_navigation():
        person.locator("[name=change-roles]").click()
    newcomer.reload()
    assert sections(newcomer) == [
        f"/clinic/{path}"
        for path in ("", "invitations/", "statistics", "paper", "tablet", "rule-book/")
    ] + ["/account/"]


def test_the_password_is_asked_for_again_before_people_are_changed(
    open_page: OpenPage, server: LiveServer
) -> None:
    admin = colleague.settled(server, "admin")
    other = colleague.settled(server, "staff")
    page = colleague.at_work(open_page, server, person=admin)
    colleague.password_given_long_ago(server, page)
    page.goto("/admin/people")
    assert journey.path(page) == CONFIRM
    confirm(page, "not the password")
    assert journey.path(page) == CONFIRM
    confirm(page, admin.password)
    assert journey.path(page) == "/admin/people"

    colleague.password_given_long_ago(server, page)
    disable = f'form[action$="/admin/people/{other.name}"] [name=disable]'
    journey.press(page, disable)
    assert journey.path(page) == CONFIRM
    confirm(page, admin.password)
    assert journey.path(page) == "/admin/people"
    assert page.locator(disable).count() == 1  # nothing was done without the password
    journey.press(page, disable)
    assert page.locator(disable).count() == 0


def confirm(page: Page, password: str) -> None:
    """Type the password again, and send."""
    page.fill("[name=password]", password)
    journey.press(page, PRIMARY)


def clinical_words(page: Page) -> list[str]:
    """Return the clinical words that the page shows."""
    shown = page.inner_text("body").casefold()
    return [word for word in CLINICAL if word in shown]


def sections(page: Page) -> list[str]:
    """Return the paths of the sections in the navigation."""
    return page.locator(SECTIONS).evaluate_all("links => links.map(link => link.pathname)")


def refused(page: Page, path: str) -> str:
    """Open an address that this person may not see; return the link on the page that refuses it."""
    answer = page.goto(path)
    assert answer is not None
    assert answer.status == http.HTTPStatus.FORBIDDEN
    return page.get_attribute("main a.primary", "href") or ""
