"""The client of a worker process (`benchmarks.worker`)."""

from __future__ import annotations

import json
import subprocess
import sys
from types import TracebackType
from typing import IO, Self, cast

from benchmarks.worker import Printed
from screening.printing.renderer_process import ROOT


class RendererProcess:
    """A process that prints summaries in a variant of the worker; it ends with the `with` block."""

    def __init__(self, variant: str) -> None:
        self.variant = variant
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.worker", variant],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def print(self, number: int) -> Printed:
        """Print the usual summary with this number."""
        requests = cast("IO[str]", self._process.stdin)
        replies = cast("IO[str]", self._process.stdout)
        requests.write(f"{number}\n")
        requests.flush()
        reply = replies.readline()
        if not reply:
            raise RuntimeError(
                f"the process that prints {self.variant} ended; see its output above"
            )
        return Printed(**json.loads(reply))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
