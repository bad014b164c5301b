"""Requests that never come whole and clients that never close occupy no thread of the server."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest

from tests.faults.browsing import Patient
from tests.faults.serving import Server, served

MANY = 64
AT_MOST = 1.0  # seconds
FORM = (
    b"POST /about-you HTTP/1.1\r\nHost: %b\r\nContent-Type: application/x-www-form-urlencoded\r\n"
)
HALVES = {
    "nothing": b"",
    "half a line": b"GET / HT",
    "half a head": b"GET / HTTP/1.1\r\nHost: %b\r\nX: ",
    "half a form": FORM + b"Content-Length: 1000\r\n\r\nname=",
    "half a form in chunks": FORM + b"Transfer-Encoding: chunked\r\n\r\n5\r\nname=\r\n",
    "half of 30 MB": FORM + b"Content-Length: 30000000\r\n\r\n" + b"x" * 40_000,
    "no end": b"GET /healthz HTTP/1.1\r\nHost: %b\r\nConnection: close\r\n\r\n",
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with served(tmp_path_factory.mktemp("half")) as live:
        yield live
        assert live.faults() == []


@pytest.mark.parametrize("half", HALVES)
def test_many_half_sent_requests_keep_nobody_waiting(server: Server, half: str) -> None:
    with ExitStack() as stack:
        for _ in range(MANY):
            opened = stack.enter_context(closing(connected(server)))
            opened.sendall(HALVES[half].replace(b"%b", server.address.encode()))
        time.sleep(0.2)  # so that the server has them
        begun = time.perf_counter()
        patient = Patient(server.url, half)
        patient.begin()
        patient.open("/about-you")
        assert time.perf_counter() - begun < AT_MOST


def test_a_form_that_arrives_in_pieces_is_taken(server: Server) -> None:
    patient = Patient(server.url, "slow")
    with closing(connected(server)) as opened:
        for piece in (
            b"GET /hea",
            b"lthz HTTP/1.1\r\nHo",
            b"st: 127.0.0.1\r\nContent-Length: 2\r\n\r\n",
            b"x",
            b"y",
        ):
            opened.sendall(piece)
            time.sleep(0.02)
        assert opened.recv(100).startswith(b"HTTP/1.1 200")
        opened.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * 2)
        received = b""
        while received.count(b"HTTP/1.1 200") < 2:
            more = opened.recv(4000)
            assert more, "the connection was closed"
            received += more
    patient.fill_in()


def test_whoever_closes_only_one_half_is_answered(server: Server) -> None:
    with closing(connected(server)) as opened:
        opened.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        opened.shutdown(socket.SHUT_WR)
        assert opened.recv(100).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    "request_line", ["Ptolemy / HTTP/1.1", "GET /Ptolemy\xff HTTP/1.1", "GET / HTTP/Ptolemy"]
)
def test_what_cannot_be_read_is_refused_and_the_log_does_not_quote_it(
    server: Server, request_line: str
) -> None:
    refused = server.printed.count("a request failed: ")
    with closing(connected(server)) as opened:
        opened.sendall(request_line.encode("latin-1") + b"\r\nHost: Ptolemy\r\n\r\n")
        assert opened.recv(1000).startswith(b"HTTP/1.1 400 ")
    assert server.printed.count("a request failed: ") == refused + 1
    assert "Ptolemy" not in server.printed


def test_a_form_in_broken_chunks_is_refused_as_other_bad_requests_are(server: Server) -> None:
    with closing(connected(server)) as opened:
        head = FORM.replace(b"%b", server.address.encode()).replace(b"/about-you", b"/verify")
        opened.sendall(head + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\nname=\r\n0\r\n\r\n")
        opened.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: opened.recv(10_000), b""))
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"<title>" in answer


def connected(server: Server) -> socket.socket:
    host, _, port = server.address.partition(":")
    return socket.create_connection((host, int(port)), timeout=10)
