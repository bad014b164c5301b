"""A patient and a prescriber use a server through nginx, confined as its unit requires."""

from __future__ import annotations

import http.client
import secrets
from collections.abc import Iterator
from contextlib import closing
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Page, Playwright, Response

from tests.browser import colleague, journey
from tests.browser.conftest import watch
from tests.browser.journey import SOMEONE
from tests.browser.server import LiveServer, launch_options
from tests.hosting.served import served_behind
from tests.hosting.site import HOST, Site, port, prepared, running

ELSEWHERE = "127.0.0.2"  # another address than that of the machine itself
TOKEN = f"token{secrets.token_hex(8)}"
QUERY = f"query{secrets.token_hex(8)}"
BY_HAND = "breastfeeding"  # earlier questions are answered on their pages, the rest by posts
SEND = """async pages => {
    const token = document.querySelector("[name=csrf_token]").value;
    for (const [path, typed] of pages) {
        const body = new URLSearchParams(typed);
        body.set("csrf_token", token);
        await fetch(path, {method: "POST", redirect: "manual", body});
    }
}"""
CJK = journey.ANSWERS | {"vaccines_which": "流感疫苗"}


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """Run nginx in front of a Unix socket."""
    with prepared() as live, running(live, f"unix:{live.home}/screening.sock"):
        yield live


@pytest.fixture(scope="module")
def server(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """Serve the application behind nginx."""
    with served_behind(site, tmp_path_factory.mktemp("confined")) as live:
        yield live


@pytest.fixture
def page(site: Site, playwright: Playwright) -> Iterator[Page]:
    """Open a page of a browser that trusts this site's key alone."""
    options = launch_options()
    options["args"].append(f"--ignore-certificate-errors-spki-list={site.key_hash}")
    faults: list[str] = []
    with playwright.chromium.launch(**options) as browser:
        context = browser.new_context(base_url=site.url, locale="en-US")
        watch(context, site.url, faults)
        yield context.new_page()
    assert faults == []


def test_a_screening_is_sent_and_printed_through_nginx(page: Page, server: LiveServer) -> None:
    answers: list[Response] = []
    page.on("response", lambda answer: answers.append(answer))
    journey.walk_to(page, BY_HAND, CJK, SOMEONE)
    send_the_rest(page)
    reference = journey.send(page)
    assert server.references() == [reference]

    dr = colleague.settled(server, "prescriber")
    colleague.sign_in(page, dr.name, dr.password)
    colleague.read(page, reference)
    assert SOMEONE.name in page.inner_text("h1")
    printed = page.evaluate(
        """async address => {
          const answer = await fetch(address);
          return [answer.status, await answer.text()];
        }""",
        f"/clinic/screenings/{reference}/summary.pdf",
    )
    assert (printed[0], printed[1][:5]) == (200, "%PDF-")

    cookies = page.context.cookies()
    assert {cookie["name"] for cookie in cookies} == {
        "__Host-draft",
        "__Host-session",
        "__Host-browser",
    }
    assert all(cookie["name"].startswith("__Host-") and cookie["secure"] for cookie in cookies), (
        cookies
    )
    assert all(len(answer.header_values("strict-transport-security")) == 1 for answer in answers)
    page.goto("/account/")
    assert HOST in page.inner_text("main")  # the browser's address, not that of nginx's socket


def send_the_rest(page: Page) -> None:
    """Send the forms of the other questions without showing their pages, which is faster."""
    ids = [question.id for question in journey.QUESTIONS]
    pages = [
        (f"/questions/{question.id}", urlencode(journey.on_page(question, CJK), doseq=True))
        for question in journey.QUESTIONS[ids.index(BY_HAND) :]
    ]
    page.evaluate(SEND, pages)
    page.goto("/continue")
    assert journey.path(page) == "/check"


def test_only_this_machine_may_ask_how_the_server_is(site: Site, server: LiveServer) -> None:
    for path in ("/metrics", "/readyz"):
        assert site.status(path, source=ELSEWHERE) == http.HTTPStatus.FORBIDDEN
        assert site.status(path) != http.HTTPStatus.FORBIDDEN
    assert site.status("/healthz", source=ELSEWHERE) == http.HTTPStatus.OK


def test_plain_http_only_leads_to_tls(site: Site, server: LiveServer) -> None:
    with closing(http.client.HTTPConnection(HOST, port(site.plain))) as connection:
        connection.request("POST", "/account/sign-in?next=x", "password=secret")
        answer = connection.getresponse()
    assert answer.status == http.HTTPStatus.PERMANENT_REDIRECT
    assert answer.headers["Location"] == f"https://{HOST}/account/sign-in?next=x"


def test_what_is_too_large_is_refused_by_the_application_in_its_own_words(
    site: Site, server: LiveServer
) -> None:
    """Test also that no part of it is written to a disk: nginx could not write here."""
    for folder in (site.home / "temporary").iterdir():
        folder.chmod(0)
    form = urlencode({"name": "x" * 100_000})
    assert "Our clinic" in post(
        site, "/about-you", form, "application/x-www-form-urlencoded", status=413
    )
    for size, status in ((2_000_000, 200), (2_500_000, 413)):
        disposition = 'Content-Disposition: form-data; name="pdf"; filename="a.pdf"'
        part = f"--b\r\n{disposition}\r\n\r\n{'x' * size}\r\n--b--\r\n"
        assert "Our clinic" in post(
            site, "/verify", part, "multipart/form-data; boundary=b", status=status
        )


def post(site: Site, path: str, body: str, kind: str, *, status: int) -> str:
    """Send a form as a new visitor, and return the page that answers it."""
    with closing(site.connect()) as connection:
        connection.request("GET", "/verify")
        first_page = connection.getresponse()
        token = journey.TOKEN.search(first_page.read().decode())
        assert token is not None
        cookie = first_page.headers["Set-Cookie"].split(";")[0]
        connection.request(
            "POST", path, body, {"Content-Type": kind, "Cookie": cookie, "X-CSRFToken": token[1]}
        )
        answer = connection.getresponse()
        assert answer.status == status
        return answer.read().decode()


def test_nothing_is_written_down_that_opens_anything(site: Site, server: LiveServer) -> None:
    """Test both with and without an answer of the application."""
    with prepared() as alone:
        with running(alone, f"unix:{alone.home}/screening.sock"):
            for nginx in (site, alone):
                for path in (
                    f"/invited/{TOKEN}",
                    f"/invited/{TOKEN}/about",
                    f"/verify?code={QUERY}",
                    f"/?{QUERY}",
                ):
                    with closing(nginx.connect()) as connection:
                        connection.request(
                            "GET",
                            path,
                            headers={"Referer": f"https://x/{QUERY}", "User-Agent": QUERY},
                        )
                        answer = connection.getresponse()
                        shown = "Our clinic" if nginx is site else "Please wait a moment"
                        assert shown in answer.read().decode()
        # nginx logs a request after its answer: the last line is there once nginx has ended
        lonely = alone.logs
    assert lonely.count("screening.sock 502") == 4
    assert site.logs.count('"GET /invited/-" ') == 2
    for words in (TOKEN, QUERY):
        assert words not in site.logs + lonely
