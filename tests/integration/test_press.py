"""A page that crashes, hangs or takes too much harms nothing but itself."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from screening.reports.press import Press, PrintingFailed
from screening.reports.renderer import Page


def page(inner: str) -> Page:
    html = f'<html lang="en"><title>Page</title><h1>Page</h1>{inner}</html>'
    return Page(html=html, style="pdf.css", to_be_signed=False, attached=None)


FINE = page("<p>one</p>")
ENDLESS = page("<table><tr><td colspan=1000000>wide</td></tr></table>" * 50)


@pytest.fixture(scope="module")
def press() -> Iterator[Press]:
    """One that gives up soon."""
    press = Press(seconds=2, memory=400_000_000)
    assert press.print(FINE).content.startswith(b"%PDF")
    yield press
    press.close()


def renderer_of(press: Press) -> int:
    assert press._process is not None
    return press._process.pid


def children(pid: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.mark.parametrize(
    ("broken", "how"),
    [
        (ENDLESS, "SIGALRM|SIGXCPU"),
        (page("<div>" * 900), "RecursionError"),
        (page("<p>" + "many words " * 3_000_000), "MemoryError"),
        (page('<img src="http://127.0.0.1:9/x.png">'), "FatalURLFetchingError"),
    ],
    ids=["hangs", "too deep", "too large", "wants the network"],
)
def test_a_page_beyond_its_limits_fails_alone(press: Press, broken: Page, how: str) -> None:
    pid = renderer_of(press)
    with pytest.raises(PrintingFailed, match=how):
        press.print(broken)
    assert renderer_of(press) == pid, "the renderer itself goes on"
    assert children(pid) == []
    assert press.print(FINE).content.startswith(b"%PDF")


def test_a_child_that_is_killed_is_noticed_and_the_next_page_is_printed(press: Press) -> None:
    killed: list[int] = []

    def kill() -> None:
        while not killed:
            killed.extend(children(renderer_of(press)))
            time.sleep(0.002)
        os.kill(killed[0], signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    with pytest.raises(PrintingFailed, match="SIGKILL"):
        press.print(ENDLESS)
    killer.join()
    assert press.print(FINE).content.startswith(b"%PDF")


def test_a_renderer_that_is_killed_is_started_again() -> None:
    press = Press()
    try:
        press.print(FINE)
        first = renderer_of(press)
        os.kill(first, signal.SIGKILL)
        with pytest.raises(PrintingFailed, match="the renderer ended"):
            press.print(FINE)
        assert press.print(FINE).content.startswith(b"%PDF")
        assert renderer_of(press) != first
    finally:
        press.close()


def test_many_threads_share_one_press(press: Press) -> None:
    printed: dict[int, bytes] = {}

    def print_one(number: int) -> None:
        printed[number] = press.print(page(f"<p>{'x' * number}</p>")).content

    threads = [threading.Thread(target=print_one, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, content in printed.items():
        assert press.print(page(f"<p>{'x' * number}</p>")).content == content
    assert len(printed) == 6


def test_the_renderer_knows_no_secret_and_no_application(press: Press, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCREENING_DATABASE_URL", "postgresql://marker:secret@localhost/x")
    another = Press()
    try:
        another.print(FINE)
        pid = renderer_of(another)
        assert b"SCREENING" not in Path(f"/proc/{pid}/environ").read_bytes()
        mapped = Path(f"/proc/{pid}/maps").read_text()
        assert "sqlalchemy" not in mapped
        assert "pango" in mapped
        # Nothing of this process is open there but the two ends of its own line.
        files = [os.readlink(one) for one in Path(f"/proc/{pid}/fd").iterdir()]
        assert sum(name.startswith("socket:") for name in files) == 1, files
    finally:
        another.close()


def test_a_renderer_ends_with_the_process_that_started_it() -> None:
    press = Press()
    press.print(FINE)
    pid, line = renderer_of(press), press._line
    assert line is not None
    line.close()  # what the kernel does when a process is killed
    assert press._process is not None
    assert press._process.wait(10) == 0
    assert not Path(f"/proc/{pid}/cmdline").exists()
    press._line = None
    press.close()
