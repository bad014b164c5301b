"""The press: pages go to the renderer's process, PDFs come back. A page that breaks it breaks nothing else."""

import base64
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

from screening.reports.renderer import BY_SIGNAL, MEMORY, SECONDS, Page

ROOT = Path(__file__).parent.parent.parent
KEPT = ("PATH", "HOME", "XDG_CACHE_HOME", "TMPDIR")
PATIENCE = SECONDS + 5  # seconds; the renderer's own limits come first
# The package without its __init__: the renderer needs neither the application nor the memory that it takes.
_START = """
import sys, types
screening = types.ModuleType("screening")
screening.__path__ = [sys.argv[1]]
sys.modules["screening"] = screening
from screening.reports.renderer import serve
serve(*map(int, sys.argv[2:]))
"""


class PrintingFailed(Exception):
    """A page could not be printed. Says by what it ended, in a word that tells nothing about the page."""


class CannotPrint(PrintingFailed):
    """Something that printing needs is not installed. Says which command installs it."""


class Printed(NamedTuple):
    """The PDF's bytes, and the characters that have no glyph."""

    content: bytes
    missing: frozenset[str]


class Press:
    """One renderer, started when it is first needed and again after it ended. For any number of threads.

    It begins with a `sample`. A page may take that many `seconds`, and bytes of `memory` (address space).
    """

    def __init__(self, sample: Page, *, seconds: int = SECONDS, memory: int = MEMORY) -> None:
        self._sample = json.dumps(sample).encode()
        self._limits = (str(seconds), str(memory))
        self._lock = threading.Lock()
        self._line: Connection | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def print(self, page: Page) -> Printed:
        """The page as a PDF. Raises PrintingFailed."""
        request = json.dumps(page).encode()
        with self._lock:
            try:
                line = self._line or self._start()
                line.send_bytes(request)
                reply = _answer(line)
            except (EOFError, OSError, TimeoutError) as err:
                raise PrintingFailed(self._why()) from err
        if reply["error"]:
            raise PrintingFailed(reply["error"])
        return Printed(base64.b64decode(reply["content"]), frozenset(reply["missing"]))

    def close(self) -> None:
        """End the renderer, whatever it is doing: this process is about to end."""
        self._end(kill=True)

    def _start(self) -> Connection:
        ours, theirs = socket.socketpair()
        with theirs:
            # Nothing of the environment but where its files are: there may be secrets in it.
            kept = {name: value for name, value in os.environ.items() if name in KEPT}
            self._process = subprocess.Popen(  # noqa: S603 - all of it is ours
                [sys.executable, "-c", _START, str(ROOT / "screening"), str(theirs.fileno()), *self._limits],
                env=kept,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,  # WeasyPrint's warnings may repeat what a patient wrote
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )
        self._line = Connection(ours.detach())
        self._line.send_bytes(self._sample)
        if error := _answer(self._line)["error"]:
            self._end()
            raise CannotPrint(error)
        return self._line

    def _why(self) -> str:
        """End the renderer, which does not answer any more, and say why that is."""
        code = None
        if self._process is not None:
            with suppress(subprocess.TimeoutExpired):
                code = self._process.wait(1)
        self._end(kill=True)
        if code is None:
            return "no answer"
        number = -code if code < 0 else code - BY_SIGNAL
        return signal.Signals(number).name if number in set(signal.Signals) else f"exit code {code}"

    def _end(self, *, kill: bool = False) -> None:
        if self._line is not None:
            self._line.close()
        if self._process is not None:
            if kill:
                self._process.kill()
            self._process.wait()
        self._line = self._process = None


def _answer(line: Connection) -> dict[str, Any]:
    if not line.poll(PATIENCE):
        raise TimeoutError
    answer: dict[str, Any] = json.loads(line.recv_bytes())
    return answer
