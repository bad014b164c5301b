"""Paired timing: all sides run in turns, so that other load on the machine affects each of them."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median, quantiles

FEWEST_FOR_QUARTILES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """A job to compare; `run` does it once and returns the seconds that it took."""

    name: str
    run: Callable[[], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """The seconds of a side, a value for each round."""

    name: str
    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """Return the median, in seconds."""
        return median(self.seconds)

    def ratio_to(self, other: Times) -> str:
        """Return this side's time divided by the other's: the median and quartiles over rounds."""
        ratios = [ours / theirs for ours, theirs in zip(self.seconds, other.seconds, strict=True)]
        if len(ratios) < FEWEST_FOR_QUARTILES:
            return f"{median(ratios):.2f}"
        low, middle, high = quantiles(ratios, n=4, method="inclusive")
        return f"{middle:.2f} ({low:.2f} to {high:.2f})"


Clock = Callable[[], float]


def seconds(job: Callable[[], object], clock: Clock = time.perf_counter) -> float:
    """Return the seconds of a call, with `time.thread_time` as the clock those of the processor."""
    begun = clock()
    job()
    return clock() - begun


def fastest(job: Callable[[], object], times: int, clock: Clock = time.perf_counter) -> float:
    """Return the seconds of the fastest of several calls: no other program interrupted it."""
    return min(seconds(job, clock) for _ in range(times))


def take_turns(
    label: str, sides: Sequence[Side], *, rounds: int, warm_up: int = 1
) -> tuple[Times, ...]:
    """Run every side once in each round, after `warm_up` rounds that do not count."""
    progress = Progress(label, (warm_up + rounds) * len(sides))
    table: list[list[float]] = []
    for number in range(warm_up + rounds):
        durations = []
        for side in sides:
            durations.append(side.run())
            progress.advance()
        if number >= warm_up:
            table.append(durations)
    columns = zip(*table, strict=True)
    return tuple(
        Times(name=side.name, seconds=column) for side, column in zip(sides, columns, strict=True)
    )


class Progress:
    """A counter on stderr: updated in place on a terminal, otherwise printed at each fifth."""

    def __init__(self, label: str, total: int) -> None:
        self._label = label
        self._total = total
        self._done = 0
        self._step = 1 if sys.stderr.isatty() else max(1, total // 5)
        self._lock = threading.Lock()

    def advance(self) -> None:
        """Count a step, from any thread."""
        with self._lock:
            self._done += 1
            last = self._done == self._total
            if self._done % self._step and not last:
                return
            begin, end = ("\r", "\n" if last else "") if sys.stderr.isatty() else ("", "\n")
            print(
                f"{begin}{self._label}: {self._done}/{self._total}",
                end=end,
                file=sys.stderr,
                flush=True,
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """The result of a benchmark as Markdown, for a terminal and for the documentation."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        widths = [max(map(len, column)) for column in zip(self.head, *self.rows, strict=True)]
        rules = ["-" * (widths[0] + 2), *("-" * (width + 1) + ":" for width in widths[1:])]
        rows = [self._row(cells, widths) for cells in self.rows]
        notes = [f"\n{note}" for note in self.notes]
        head = [self._row(self.head, widths), f"|{'|'.join(rules)}|"]
        return "\n".join([f"### {self.title}", "", *head, *rows, *notes])

    @staticmethod
    def _row(cells: tuple[str, ...], widths: list[int]) -> str:
        padded = [cell.rjust(width) for cell, width in zip(cells, widths, strict=True)]
        padded[0] = cells[0].ljust(widths[0])
        return f"| {' | '.join(padded)} |"


def milliseconds(value: float) -> str:
    """Format seconds in milliseconds, with about three digits."""
    thousandth = value * 1000
    return f"{thousandth:.0f} ms" if thousandth >= 100 else f"{thousandth:.3g} ms"
