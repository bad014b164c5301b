"""A process with a stuck thread says where, answers its other requests, and is replaced."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from http import HTTPStatus
from pathlib import Path
from threading import Event

import pytest

from tests.faults.browsing import Broken, Browser
from tests.faults.serving import Server, served
from tests.faults.test_killed_server import assert_stored
from tests.faults.working import at_work, seeded

STUCK_SECONDS = "1"
WORKERS = 2
PATIENCE = 20  # seconds
MANY = 6  # so that some of them are in the process with the stuck request


@contextmanager
def hanging(tmp_path: Path, **environ: str) -> Iterator[Server]:
    with served(
        tmp_path,
        wsgi="tests.faults.faulty_wsgi:app",
        TEST_STUCK_SECONDS=STUCK_SECONDS,
        **environ,
    ) as server:
        while len(server.workers()) < WORKERS:
            time.sleep(0.05)
        yield server


def wait_until_replaced(server: Server, workers: list[int]) -> None:
    """Wait until one of these processes has ended and another has begun."""
    until = time.monotonic() + PATIENCE
    while set(now := server.workers()) <= set(workers) or len(now) < len(workers):
        assert time.monotonic() < until, "no process was replaced"
        time.sleep(0.05)


def ask_slowly(server: Server, number: int, is_over: Event) -> set[str]:
    """Repeat a slow request of a visitor; return the processes that answered."""
    visitor = Browser(server.url)
    visitor.cookies["visitor"] = str(number)
    processes = set()
    while not is_over.is_set():
        processes.add(visitor.get("/slow/0.5").shown().html)
    return processes


@pytest.mark.audit
def test_a_request_that_never_ends_is_ended_and_costs_no_other_request(tmp_path: Path) -> None:
    with hanging(tmp_path) as server, ThreadPoolExecutor(MANY) as visitors, seeded() as chance:
        workers = server.workers()
        is_over = Event()
        slow = [visitors.submit(ask_slowly, server, number, is_over) for number in range(MANY)]
        with at_work(server.url, patients=1, chance=chance) as work:
            with pytest.raises(Broken):
                Browser(server.url).get("/stuck")
            wait_until_replaced(server, workers)
            work.wait_until_sent(1)
            is_over.set()
        (ended,) = set(workers) - set(server.workers())
        assert str(ended) in set().union(*(processes.result() for processes in slow))
        assert_stored(server, work)
        server.flask("verify")
        place = re.search(
            r"(?s)the request in thread (0x\w+) is stuck.*Thread \1 .*?\n\n", server.printed
        )
        assert place is not None, server.printed
        assert re.search(r'tests/faults/faulty_wsgi.py", line \d+ in stuck\n', place[0])


@pytest.mark.audit
def test_a_client_that_does_not_read_loses_its_connection_and_a_long_answer_is_not_stuck(
    tmp_path: Path,
) -> None:
    with hanging(tmp_path) as server:
        workers = server.workers()
        host, _, port = server.address.partition(":")
        with closing(socket.create_connection((host, int(port)))) as client:
            client.sendall(b"GET /much HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            time.sleep(3 * float(STUCK_SECONDS))
            received = 0
            while part := client.recv(10**6):
                received += len(part)
        assert 0 < received < 10**8
        assert Browser(server.url).get("/parts").html == "01234567"
        assert server.workers() == workers


@pytest.mark.audit
def test_background_work_that_never_ends_is_ended(tmp_path: Path) -> None:
    with hanging(tmp_path, TEST_EVERY="0.2") as server:
        workers = server.workers()
        (server.instance / "hang").touch()
        wait_until_replaced(server, workers)
        (server.instance / "hang").unlink()
        assert re.search(r"the thread for list \(0x\w+\) has made no progress", server.printed)
        assert re.search(r'faulty_wsgi.py", line \d+ in read_list_or_never_end\n', server.printed)


@pytest.mark.audit
def test_a_request_that_lets_no_other_thread_run_is_ended_by_the_master(tmp_path: Path) -> None:
    with hanging(tmp_path, GUNICORN_CMD_ARGS="--timeout 2") as server:
        workers = server.workers()
        with pytest.raises(Broken):
            Browser(server.url).get("/stuck/computing")
        wait_until_replaced(server, workers)
        assert re.search(r'faulty_wsgi.py", line \d+ in stuck_computing\n', server.printed)
        assert Browser(server.url).get("/healthz").status == HTTPStatus.OK
