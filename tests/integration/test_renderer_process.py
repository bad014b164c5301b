"""A page that crashes, hangs or takes too much harms nothing but itself."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from pypdf import PdfReader

from screening.printing import renderer_process
from screening.printing.page import Page
from screening.printing.renderer_process import PrintingFailed, RendererProcess

pytestmark = pytest.mark.prints


def page(inner: str) -> Page:
    html = f'<html lang="en"><title>Page</title><h1>Page</h1>{inner}</html>'
    return Page(html=html, style="pdf.css", to_be_signed=False, attached=None)


FINE = page("<p>one</p>")
ENDLESS = page('<table><tr><td colspan="1000000">wide</td></tr></table>' * 50)


@pytest.fixture(scope="module")
def renderer() -> Iterator[RendererProcess]:
    """One that gives up soon."""
    renderer = RendererProcess(seconds=3)  # on a busy machine, less memory would run out first
    assert renderer.print(FINE).content.startswith(b"%PDF")
    yield renderer
    renderer.close()


def renderer_of(renderer: RendererProcess) -> int:
    assert renderer._process is not None
    return renderer._process.pid


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.mark.parametrize(
    ("broken", "how"),
    [
        (ENDLESS, "SIGALRM|SIGXCPU"),
        (page("<div>" * 900 + "</div>" * 900), "RecursionError"),
        (page('<img src="http://127.0.0.1:9/x.png"/>'), "FatalURLFetchingError"),
    ],
    ids=["hangs", "too deep", "wants the network"],
)
def test_a_page_beyond_its_limits_fails_alone(
    renderer: RendererProcess, broken: Page, how: str
) -> None:
    with pytest.raises(PrintingFailed, match=how):
        renderer.print(broken)
    assert renderer.print(FINE).content.startswith(b"%PDF")


def test_a_page_that_takes_too_much_memory_fails_alone() -> None:
    renderer = RendererProcess(memory=300_000_000)  # not given up before it has taken it
    with pytest.raises(PrintingFailed, match="MemoryError"):
        renderer.print(page("<p>" + "many words " * 1_500_000 + "</p>"))
    assert renderer.print(FINE).content.startswith(b"%PDF")
    renderer.close()


def test_a_child_that_is_killed_is_noticed_and_the_next_page_is_printed(
    renderer: RendererProcess,
) -> None:
    child = waiting(renderer_of(renderer))
    killer = threading.Timer(0.3, os.kill, (child, signal.SIGKILL))
    killer.start()
    with pytest.raises(PrintingFailed, match="SIGKILL"):
        renderer.print(ENDLESS)
    killer.join()
    assert renderer.print(FINE).content.startswith(b"%PDF")


@pytest.mark.parametrize("whom", ["renderer", "waiting child"])
def test_whoever_is_killed_between_two_pages_is_started_again(
    renderer: RendererProcess, whom: str
) -> None:
    first = renderer_of(renderer)
    os.kill(first if whom == "renderer" else waiting(first), signal.SIGKILL)
    failed = []
    for _ in range(3):
        try:
            assert renderer.print(FINE).content.startswith(b"%PDF")
        except PrintingFailed as err:
            failed.append(str(err))
    assert failed in ([], ["the renderer has ended"], ["SIGKILL"])  # usually it is noticed in time
    assert (renderer_of(renderer) != first) == (whom == "renderer")


def waiting(renderer: int, *, after: int = 0) -> int:
    """The child that waits for the next page, `after` that one, which may still be about to end."""
    end = time.monotonic() + 5
    while True:
        before = children(renderer)
        time.sleep(0.05)
        if len(before) == 1 and before != [after] and children(renderer) == before:
            return before[0]
        assert time.monotonic() < end


def test_each_page_has_a_process_of_its_own(renderer: RendererProcess) -> None:
    renderer.print(FINE)
    seen = [0]
    for _ in range(3):
        seen.append(waiting(renderer_of(renderer), after=seen[-1]))
        renderer.print(FINE)
    assert len(set(seen)) == 4


def test_a_renderer_that_cannot_start_says_what_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    fault = "from screening.printing import renderer; del renderer.WARM_UP['style']; serve("
    *python, start = renderer_process._PYTHON
    monkeypatch.setattr(renderer_process, "_PYTHON", (*python, start.replace("serve(", fault, 1)))
    renderer = RendererProcess()
    with pytest.raises(PrintingFailed, match="at start: KeyError"):
        renderer.print(FINE)
    renderer.close()


def test_an_answer_that_nobody_waited_for_is_not_taken_for_the_next_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Ctrl-C, or a server's time-out, in the middle of a page: the next patient must not get it."""
    renderer = RendererProcess()
    renderer.print(FINE)

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(renderer_process.Connection, "poll", interrupt)
        with pytest.raises(KeyboardInterrupt):
            renderer.print(page("<p>the first</p>"))
    text = (
        PdfReader(BytesIO(renderer.print(page("<p>another</p>")).content)).pages[0].extract_text()
    )
    assert "another" in text
    renderer.close()


def test_forked_processes_share_the_renderer_of_their_parent(renderer: RendererProcess) -> None:
    first = renderer_of(renderer)
    child = os.fork()
    if child == 0:  # a worker of the server
        code = 1
        try:
            renderer.keep_after_fork()
            if renderer.print(FINE).content.startswith(b"%PDF") and renderer._process is None:
                code = 0
            renderer.close()  # ends nothing that others use
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert renderer.print(FINE).content.startswith(b"%PDF")
    assert renderer_of(renderer) == first


def test_a_forked_process_starts_its_own_renderer_when_the_shared_one_has_ended() -> None:
    renderer = RendererProcess()
    renderer.print(FINE)
    process = renderer._process
    assert process is not None
    process.kill()
    process.wait()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            renderer.keep_after_fork()
            if renderer.print(FINE).content.startswith(b"%PDF") and renderer._process is not None:
                code = 0
            renderer.close()
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    renderer.close()


def test_who_waited_for_a_stopped_renderer_does_not_end_the_next_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    renderer = RendererProcess()
    renderer.begin()
    stopped = renderer._process
    assert stopped is not None
    stopped.send_signal(signal.SIGSTOP)
    renderer.keep_after_fork()  # as in a worker, which cannot end the renderer of all
    patience = {"first": 0.2, "second": 0.4, "third": 30.0}  # a start takes longer than 0.2 seconds
    poll = renderer_process.Connection.poll
    monkeypatch.setattr(
        renderer_process.Connection,
        "poll",
        lambda self, _seconds: poll(self, patience[threading.current_thread().name]),
    )
    said: dict[str, str] = {}

    def print_one() -> None:
        try:
            printed = renderer.print(FINE).content[:4].decode()
        except PrintingFailed as err:
            printed = str(err)
        said[threading.current_thread().name] = printed

    threads = {name: threading.Thread(target=print_one, name=name) for name in patience}
    threads["first"].start()
    threads["second"].start()
    threads["first"].join()
    threads["third"].start()
    for thread in threads.values():
        thread.join()
    renderer.close()
    stopped.kill()
    stopped.wait()
    assert said == {"first": "no answer", "second": "no answer", "third": "%PDF"}


def test_many_threads_share_one_renderer(renderer: RendererProcess) -> None:
    printed: dict[int, bytes] = {}

    def print_one(number: int) -> None:
        printed[number] = renderer.print(page(f"<p>{'x' * number}</p>")).content

    threads = [threading.Thread(target=print_one, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, content in printed.items():
        assert renderer.print(page(f"<p>{'x' * number}</p>")).content == content
    assert len(printed) == 6


def test_the_renderer_knows_no_secret_and_no_application(
    renderer: RendererProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCREENING_DATABASE_URL", "postgresql://marker:secret@localhost/x")
    # Its memory stays readable here for people who are not root, too.
    readable = "from screening.printing import renderer; renderer.forbid_dumps = int; serve("
    *python, start = renderer_process._PYTHON
    monkeypatch.setattr(
        renderer_process, "_PYTHON", (*python, start.replace("serve(", readable, 1))
    )
    another = RendererProcess()
    try:
        another.print(FINE)
        pid = renderer_of(another)
        assert b"SCREENING" not in Path(f"/proc/{pid}/environ").read_bytes()
        mapped = Path(f"/proc/{pid}/maps").read_text()
        assert "sqlalchemy" not in mapped
        assert "pango" in mapped
        # Nothing of this process is open there: only the socket of requests, and that of its child.
        files = [os.readlink(descriptor) for descriptor in Path(f"/proc/{pid}/fd").iterdir()]
        assert sum(name.startswith("socket:") for name in files) == 2, files
    finally:
        another.close()


def test_a_renderer_ends_with_the_process_that_started_it() -> None:
    renderer = RendererProcess()
    renderer.print(FINE)
    pid = renderer_of(renderer)
    child = waiting(pid)
    assert renderer._requests is not None
    renderer._requests.close()  # what the kernel does when a process is killed
    assert renderer._process is not None
    renderer._process.wait(10)
    assert not Path(f"/proc/{pid}/cmdline").exists()
    end = time.monotonic() + 5
    while Path(f"/proc/{child}/cmdline").exists() and Path(f"/proc/{child}/cmdline").read_bytes():
        assert time.monotonic() < end
        time.sleep(0.05)
    renderer.close()
