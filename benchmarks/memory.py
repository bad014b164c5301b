"""Memory over many printed summaries, each signed and in a child process, next to WeasyPrint used naively."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from benchmarks.press import RendererProcess
from benchmarks.timing import Progress, Table
from benchmarks.worker import COMPLETE, NAIVE

PAGES = 5_000
NAIVE_PAGES = 300
MARKS = (1, 100, 300, 5_000)
QUICK_PAGES = 60
QUICK_NAIVE_PAGES = 40
QUICK_MARKS = (1, 20, 40, 60)


def measure(quick: bool) -> Table:
    """Print that many different summaries in both ways at once, and note the resident memory at the marks."""
    pages, naive_pages = (QUICK_PAGES, QUICK_NAIVE_PAGES) if quick else (PAGES, NAIVE_PAGES)
    marks = QUICK_MARKS if quick else MARKS
    progress = Progress("memory", pages + naive_pages)
    with ThreadPoolExecutor(2) as threads:
        own = threads.submit(_resident, COMPLETE, pages, progress)
        naive = threads.submit(_resident, NAIVE, naive_pages, progress)
    return Table(
        title="Memory",
        head=(
            "Resident memory after",
            *(f"page {mark:,}" for mark in marks),
            f"growth from page {marks[1]:,}",
            "for each 100 pages",
            "to reach",
        ),
        rows=(
            ("ours", *_row(own.result(), marks), f"under 10 % at page {pages:,}"),
            ("WeasyPrint, all made anew", *_row(naive.result(), marks), ""),
        ),
        notes=(
            "Growth is from the second mark to the last page printed: by then all is loaded that ever will be.",
            f"All {pages:,} were printed; one that was lost would have ended this measure.",
        ),
    )


def _resident(variant: str, pages: int, progress: Progress) -> list[int]:
    """The resident memory in bytes after each page."""
    resident = []
    with RendererProcess(variant) as press:
        for number in range(1, pages + 1):
            resident.append(press.print(number).resident)
            progress.advance()
    return resident


def _row(resident: list[int], marks: tuple[int, ...]) -> tuple[str, ...]:
    begun = resident[marks[1] - 1]
    last = resident[-1]
    every_hundred = (last - begun) / (len(resident) - marks[1]) * 100
    return (
        *(_megabytes(resident[mark - 1]) if mark <= len(resident) else "–" for mark in marks),
        f"{(last - begun) / begun:+.1%}".replace("%", " %"),
        _megabytes(every_hundred, "+.2f"),
    )


def _megabytes(count: float, form: str = ".0f") -> str:
    return f"{format(count / 1e6, form)} MB"
