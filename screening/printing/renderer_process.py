"""The renderer's process: it gets pages and returns PDFs. A page that ends it harms no other page."""

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
KEPT = ("PATH", "HOME", "XDG_CACHE_HOME", "TMPDIR")
PATIENCE = SECONDS + 5  # seconds; the renderer's own limits come first
_START = """
import sys
sys.path.append(sys.argv[1])
from screening.printing.renderer import serve
serve(*map(int, sys.argv[2:]))
"""
# nothing from the working folder or the user's own packages
_PYTHON = (sys.executable, "-P", "-s", "-c", _START)
_beginning = threading.Lock()  # two threads at once must not make two


class PrintingFailed(Exception):
    """A page could not be printed. Says why, in words that tell nothing about the page."""


class Printed(NamedTuple):
    """The PDF's bytes, and the characters that have no glyph."""

    content: bytes
    missing: frozenset[str]


class RendererProcess:
    """One renderer, started when it is first needed and again after it ended.

    For any number of threads.

    A page may take that many `seconds`, and bytes of `memory` (address space).
    """

    def __init__(self, *, seconds: int = SECONDS, memory: int = MEMORY) -> None:
        self._numbers = count(1)
        self._limits = (str(seconds), str(memory))
        self._lock = threading.Lock()
        self._connection: Connection | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def print(self, page: Page) -> Printed:
        """The page as a PDF. Raises PrintingFailed."""
        if not self._lock.acquire(timeout=PATIENCE):
            raise PrintingFailed("busy")
        try:
            self._begin()
            reply = self._exchange(page)
            if reply["error"]:
                raise PrintingFailed(reply["error"])
        except (EOFError, OSError) as err:
            raise PrintingFailed(self._why()) from err
        except BaseException:
            # The next page begins another renderer: this one may not have started as it should,
            # and an answer that nobody waits for any more must not be taken for the next one.
            self.close()
            raise
        finally:
            self._lock.release()
        return Printed(base64.b64decode(reply["content"]), frozenset(reply["missing"]))

    def begin(self) -> None:
        """Start the renderer, if it is not there, so that it loads while the page is prepared."""
        with self._lock:
            self._begin()

    def forget(self) -> None:
        """Leave the renderer to the process that this one was forked from."""
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
            # Nothing of the environment but where its files are: there may be secrets in it.
            kept = {name: value for name, value in os.environ.items() if name in KEPT}
            self._process = subprocess.Popen(  # noqa: S603 - all of it is ours
                [*_PYTHON, str(ROOT), str(theirs.fileno()), *self._limits],
                env=kept,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,  # WeasyPrint's warnings may repeat what a patient wrote
                pass_fds=(theirs.fileno(),),
                process_group=0,  # with its child; Ctrl-C and a hang-up are not for them
            )
        self._connection = Connection(ours.detach())

    def _exchange(self, page: Page) -> dict[str, Any]:
        """Send a page and wait for its answer, for as long as PATIENCE.

        Raises EOFError, OSError.
        """
        connection = self._connection
        process = self._process
        number = next(self._numbers)
        assert connection is not None  # noqa: S101
        assert process is not None  # noqa: S101
        watch = threading.Timer(PATIENCE, _kill, (process,))
        watch.start()
        try:
            connection.send_bytes(json.dumps({"number": number, "page": page}).encode())
            answer: dict[str, Any] = json.loads(connection.recv_bytes())
        finally:
            watch.cancel()
        if answer["number"] != number:
            raise RuntimeError("the renderer answered another page")
        return answer

    def _why(self) -> str:
        """End the renderer, which does not answer any more, and say why that is."""
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
        """End the renderer, whatever it is doing; the next page begins another."""
        if self._connection is not None:
            self._connection.close()
        if self._process is not None:
            _kill(self._process)
            self._process.wait()
        self._connection = self._process = None


def current_renderer() -> RendererProcess:
    """Return the renderer of this process."""
    with _beginning:
        return _renderer()


@cache
def _renderer() -> RendererProcess:
    made = RendererProcess()
    atexit.register(made.close)

    def begin_anew() -> None:
        # A process forked from this one begins with a renderer of its own: a connection is not for two.
        atexit.unregister(made.close)
        made.forget()
        _renderer.cache_clear()

    os.register_at_fork(after_in_child=begin_anew)
    return made


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kill a renderer with its child, if it is still there: they are a group of their own."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
