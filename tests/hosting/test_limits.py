"""nginx limits excessive requests, but not a waiting room of patients who share one address."""

from __future__ import annotations

import http.client
import resource
import socket
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing

import pytest

from tests.browser.server import LiveServer
from tests.hosting.served import served_behind
from tests.hosting.site import HOST, Site, port, prepared, running

HALF_SENT = 2000
UPLOADS = 60
PHONES = 60  # in a waiting room; each loads PARTS files at once
PARTS = 6
# seconds: a third of the site's time-outs, so nobody waited for a half-sent request to end
AT_MOST = 5.0
PAGE = "/healthz"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with prepared() as live, running(live, f"unix:{live.home}/screening.sock"):
        yield live


@pytest.fixture(scope="module")
def server(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with served_behind(site, tmp_path_factory.mktemp("limits")) as live:
        yield live


@pytest.fixture
def many_files() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(before[0], 3 * HALF_SENT), before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def page(site: Site, cookie: str = "", path: str = PAGE) -> int:
    """Return the status of a page for a visitor with this cookie."""
    with closing(site.connect()) as connection:
        connection.request("GET", path, headers={"Cookie": cookie} if cookie else {})
        answer = connection.getresponse()
        answer.read()
        return answer.status


def soon(site: Site) -> None:
    """Assert that a patient's page comes at once."""
    begun = time.perf_counter()
    assert page(site, path="/") == http.HTTPStatus.OK
    assert time.perf_counter() - begun < AT_MOST


@pytest.mark.audit
@pytest.mark.usefixtures("many_files")
def test_half_sent_requests_of_one_address_keep_nobody_waiting(
    site: Site, server: LiveServer
) -> None:
    with ExitStack() as stack:
        for number in range(HALF_SENT):
            connection = stack.enter_context(
                closing(socket.create_connection((HOST, port(site.tls)), timeout=10))
            )
            if number % 2:
                connection.sendall(b"\x16\x03\x01")  # the beginning of a handshake
        soon(site)


@pytest.mark.audit
def test_half_sent_uploads_keep_nobody_waiting(site: Site, server: LiveServer) -> None:
    with ExitStack() as stack:
        for number in range(UPLOADS):
            connection = stack.enter_context(closing(site.connect()))
            path, length = (
                ("/verify", 2_000_000),
                ("/verify", 30_000_000),
                ("/about-you", 100_000),
            )[number % 3]
            connection.putrequest("POST", path)
            connection.putheader("Content-Length", str(length))
            connection.putheader("Content-Type", "application/x-www-form-urlencoded")
            connection.endheaders(b"x" * 10_000)
        soon(site)


def test_a_waiting_room_of_patients_is_let_in(site: Site, server: LiveServer) -> None:
    cookies = [f"draft={number}" for number in range(PHONES)] * PARTS
    with ThreadPoolExecutor(24) as phones:
        assert Counter(phones.map(lambda cookie: page(site, cookie), cookies)) == {
            200: PHONES * PARTS
        }


def test_one_visitor_with_too_many_requests_is_told_to_wait_and_others_are_not(
    site: Site, server: LiveServer
) -> None:
    with ThreadPoolExecutor(24) as threads:
        answers = Counter(threads.map(lambda _: page(site, "draft=crowd"), range(200)))
    assert answers[429] > 0
    assert answers[200] >= 60
    assert page(site, "draft=other") == http.HTTPStatus.OK
    with closing(site.connect()) as connection:
        for _ in range(100):
            connection.request("GET", PAGE, headers={"Cookie": "draft=crowd"})
            answer = connection.getresponse()
            words = answer.read().decode()
            if answer.status == http.HTTPStatus.TOO_MANY_REQUESTS:
                break
        assert "Please wait a moment" in words


@pytest.mark.audit
def test_half_a_request_is_given_up(site: Site, server: LiveServer) -> None:
    with closing(site.connect()) as connection:
        connection.connect()
        connection.sock.settimeout(20)
        connection.sock.sendall(b"GET / HTTP/1.1\r\nHost: ")
        assert connection.sock.recv(100) == b""
