"""Paired timing: the sides take turns, so that whatever slows the machine down slows all of them alike."""

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
    """One way of doing the job; `run` does it once and returns the seconds it took."""

    name: str
    run: Callable[[], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """The seconds of one side, one for each round."""

    name: str
    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """The median, in seconds."""
        return median(self.seconds)

    def ratio_to(self, other: Times) -> str:
        """This side's time as a part of the other's: the median over the rounds, and the middle half of them."""
        ratios = [own / theirs for own, theirs in zip(self.seconds, other.seconds, strict=True)]
        if len(ratios) < FEWEST_FOR_QUARTILES:
            return f"{median(ratios):.2f}"
        low, middle, high = quantiles(ratios, n=4, method="inclusive")
        return f"{middle:.2f} ({low:.2f} to {high:.2f})"


Clock = Callable[[], float]


def seconds(job: Callable[[], object], clock: Clock = time.perf_counter) -> float:
    """Return how long one call takes; with `time.thread_time` as the clock, of the processor."""
    begun = clock()
    job()
    return clock() - begun


def fastest(job: Callable[[], object], times: int, clock: Clock = time.perf_counter) -> float:
    """Return how long the fastest of several calls in a row takes: no other program interrupted it."""
    return min(seconds(job, clock) for _ in range(times))


def take_turns(
    label: str, sides: Sequence[Side], *, rounds: int, warm_up: int = 1
) -> tuple[Times, ...]:
    """Run every side once in each round, in the order given, after `warm_up` rounds that do not count."""
    progress = Progress(label, (warm_up + rounds) * len(sides))
    taken: list[list[float]] = []
    for number in range(warm_up + rounds):
        one_round = []
        for side in sides:
            one_round.append(side.run())
            progress.advance()
        if number >= warm_up:
            taken.append(one_round)
    columns = zip(*taken, strict=True)
    return tuple(
        Times(name=side.name, seconds=column) for side, column in zip(sides, columns, strict=True)
    )


class Progress:
    """A counter on stderr: one changing line on a terminal, every fifth part of the way elsewhere."""

    def __init__(self, label: str, total: int) -> None:
        self._label = label
        self._total = total
        self._done = 0
        self._step = 1 if sys.stderr.isatty() else max(1, total // 5)
        self._lock = threading.Lock()

    def advance(self) -> None:
        """Count one more, from any thread."""
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
    """One measure's result as Markdown, ready for a terminal and for the documentation."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        widths = [max(map(len, column)) for column in zip(self.head, *self.rows, strict=True)]
        lines = [
            self._line(self.head, widths),
            f"|{'-' * (widths[0] + 2)}|{'|'.join('-' * (width + 1) + ':' for width in widths[1:])}|",
        ]
        lines += [self._line(row, widths) for row in self.rows]
        notes = [f"\n{note}" for note in self.notes]
        return "\n".join([f"### {self.title}", "", *lines, *notes])

    @staticmethod
    def _line(cells: tuple[str, ...], widths: list[int]) -> str:
        first, *others = zip(cells, widths, strict=True)
        return f"| {' | '.join([first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)])} |"


def milliseconds(value: float) -> str:
    """Seconds as printed in milliseconds, with about three figures."""
    thousandth = value * 1000
    return f"{thousandth:.0f} ms" if thousandth >= 100 else f"{thousandth:.3g} ms"
