"""The renderer's process takes pages and returns PDFs. A page that ends it harms no other page."""

import atexit
import base64
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
from contextlib import suppress
from functools import cache
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

from screening.printing.page import MEMORY, SECONDS, Page

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

    Processes that are forked after its start use it too. A page may take that many `seconds`, and
    bytes of `memory` (address space).
    """

    def __init__(self, *, seconds: int = SECONDS, memory: int = MEMORY) -> None:
        self._limits = (str(seconds), str(memory))
        self._lock = threading.RLock()
        self._requests: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def print(self, page: Page) -> Printed:
        """Return the page as a PDF. Raises PrintingFailed."""
        try:
            reply = self._exchange(page)
        except (EOFError, ConnectionError) as err:
            raise PrintingFailed("the renderer has ended") from err
        except OSError as err:
            raise PrintingFailed("no answer") from err
        if reply["error"]:
            raise PrintingFailed(reply["error"])
        return Printed(base64.b64decode(reply["content"]), frozenset(reply["missing"]))

    def begin(self) -> None:
        """Start the renderer unless it runs, so that it loads while the page is prepared."""
        with self._lock:
            self._begin()

    def _begin(self) -> socket.socket:
        if self._requests is not None:
            return self._requests
        # Each message arrives whole, also where several processes send.
        ours, theirs = socket.socketpair(type=socket.SOCK_SEQPACKET)
        ours.settimeout(PATIENCE)
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
        self._requests = ours
        return ours

    def _exchange(self, page: Page) -> dict[str, Any]:
        """Send a page over a socket of its own and wait at most PATIENCE for its answer.

        Raises EOFError, OSError.
        """
        ours, theirs = socket.socketpair()
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", PATIENCE, 0))
        with Connection(ours.detach()) as connection:
            with theirs:
                requests = self._request(theirs)
            try:
                connection.send_bytes(json.dumps(page).encode())
                if not connection.poll(PATIENCE):
                    raise TimeoutError
                answer: dict[str, Any] = json.loads(connection.recv_bytes())
            except (TimeoutError, BlockingIOError):
                with self._lock:
                    if self._requests is requests:  # else another one prints for others by now
                        self.close()
                raise
        return answer

    def _request(self, page: socket.socket) -> socket.socket:
        """Give the renderer the socket of a page; start another renderer if it has ended.

        Return over which socket it was given.
        """
        with self._lock:
            try:
                socket.send_fds(self._begin(), [b"."], [page.fileno()])
            except OSError:  # it was killed while nobody needed it, or takes no page any more
                self.close()
                socket.send_fds(self._begin(), [b"."], [page.fileno()])
            return self._begin()

    def keep_after_fork(self) -> None:
        """Go on in this forked process with the renderer, which its parent ends."""
        self._process = None
        self._lock = threading.RLock()

    def close(self) -> None:
        """End the renderer, even while it prints; the next page starts a new one."""
        with self._lock:
            if self._requests is not None:
                self._requests.close()
            if self._process is not None:
                with suppress(ProcessLookupError):
                    os.killpg(self._process.pid, signal.SIGKILL)  # it and its child
                self._process.wait()
            self._requests = self._process = None


def current_renderer() -> RendererProcess:
    """Return the renderer of this process."""
    with _creation:
        return _renderer()


@cache
def _renderer() -> RendererProcess:
    renderer = RendererProcess()
    atexit.register(renderer.close)
    os.register_at_fork(after_in_child=renderer.keep_after_fork)
    return renderer
