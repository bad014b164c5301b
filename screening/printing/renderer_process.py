"""The renderer's process takes pages and returns PDFs. A page that ends it harms no other page."""

import atexit
import base64
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from functools import cache
from itertools import count
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

from screening.printing.renderer import BY_SIGNAL, MEMORY, SECONDS, Page

ROOT = Path(__file__).parent.parent.parent
INHERITED = ("PATH", "HOME", "XDG_CACHE_HOME", "TMPDIR")
PATIENCE = SECONDS + 5  # seconds; longer than the renderer's own limit
_START = """
import sys
sys.path.append(sys.argv[1])
from screening.printing.renderer import serve
serve(*map(int, sys.argv[2:]))
"""
# no modules from the working folder or from the user's own packages
_PYTHON = (sys.executable, "-P", "-s", "-c", _START)
_creation = threading.Lock()  # two threads at once must not create two renderers


class PrintingFailed(Exception):
    """A page could not be printed. The message gives a reason that reveals nothing of the page."""


class Printed(NamedTuple):
    """The bytes of a PDF, and the characters that have no glyph."""

    content: bytes
    missing: frozenset[str]


class RendererProcess:
    """One renderer for any number of threads, started when first needed and again after it ended.

    A page may take that many `seconds`, and bytes of `memory` (address space).
    """

    def __init__(self, *, seconds: int = SECONDS, memory: int = MEMORY) -> None:
        self._numbers = count(1)
        self._limits = (str(seconds), str(memory))
        self._lock = threading.Lock()
        self._connection: Connection | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def print(self, page: Page) -> Printed:
        """Return the page as a PDF. Raises PrintingFailed."""
        if not self._lock.acquire(timeout=PATIENCE):
            raise PrintingFailed("busy")
        try:
            self._begin()
            reply = self._exchange(page)
            if reply["error"]:
                raise PrintingFailed(reply["error"])
        except (EOFError, OSError) as err:
            raise PrintingFailed(self._end_and_explain()) from err
        except BaseException:
            # The next page starts a new renderer: this one may not have started properly, and a
            # late answer must not be taken for the answer to the next page.
            self.close()
            raise
        finally:
            self._lock.release()
        return Printed(base64.b64decode(reply["content"]), frozenset(reply["missing"]))

    def begin(self) -> None:
        """Start the renderer unless it runs, so that it loads while the page is prepared."""
        with self._lock:
            self._begin()

    def forget(self) -> None:
        """Leave the renderer to the parent of this forked process."""
        if self._connection is not None:
            self._connection.close()
        self._connection = self._process = None

    def _begin(self) -> None:
        if self._process is not None and self._process.poll() is not None:
            self.close()  # it was killed while nobody needed it
        if self._connection is not None:
            return
        ours, theirs = socket.socketpair()
        with theirs:
            # The environment may hold secrets: the renderer inherits paths only.
            paths = {name: value for name, value in os.environ.items() if name in INHERITED}
            self._process = subprocess.Popen(  # noqa: S603 - all of it is ours
                [*_PYTHON, str(ROOT), str(theirs.fileno()), *self._limits],
                env=paths,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,  # WeasyPrint's warnings may repeat what a patient wrote
                pass_fds=(theirs.fileno(),),
                process_group=0,  # its own, with its child: Ctrl-C and a hang-up do not reach it
            )
        self._connection = Connection(ours.detach())

    def _exchange(self, page: Page) -> dict[str, Any]:
        """Send a page and wait at most PATIENCE for its answer.

        Raises EOFError, OSError.
        """
        connection = self._connection
        process = self._process
        number = next(self._numbers)
        assert connection is not None  # noqa: S101
        assert process is not None  # noqa: S101
        watchdog = threading.Timer(PATIENCE, _kill, (process,))
        watchdog.start()
        try:
            connection.send_bytes(json.dumps({"number": number, "page": page}).encode())
            answer: dict[str, Any] = json.loads(connection.recv_bytes())
        finally:
            watchdog.cancel()
        if answer["number"] != number:
            raise RuntimeError("the renderer answered another page")
        return answer

    def _end_and_explain(self) -> str:
        """End the renderer, which has stopped answering, and return the reason."""
        code = None
        if self._process is not None:
            with suppress(subprocess.TimeoutExpired):
                code = self._process.wait(1)
        self.close()
        if code is None:
            return "no answer"
        number = -code if code < 0 else code - BY_SIGNAL
        return signal.Signals(number).name if number in set(signal.Signals) else f"exit code {code}"

    def close(self) -> None:
        """End the renderer, even while it prints; the next page starts a new one."""
        if self._connection is not None:
            self._connection.close()
        if self._process is not None:
            _kill(self._process)
            self._process.wait()
        self._connection = self._process = None


def current_renderer() -> RendererProcess:
    """Return the renderer of this process."""
    with _creation:
        return _renderer()


@cache
def _renderer() -> RendererProcess:
    renderer = RendererProcess()
    atexit.register(renderer.close)

    def forget_in_child() -> None:
        # Two processes cannot share a connection: a forked process starts its own renderer.
        atexit.unregister(renderer.close)
        renderer.forget()
        _renderer.cache_clear()

    os.register_at_fork(after_in_child=forget_in_child)
    return renderer


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kill the process group of a renderer and its child, if it still exists."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
