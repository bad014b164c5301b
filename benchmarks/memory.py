"""Memory over many summaries, signed, from a child process, compared to naive WeasyPrint."""

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
    """Print summaries by both variants at the same time; list the resident memory at the marks."""
    pages = QUICK_PAGES if quick else PAGES
    naive_pages = QUICK_NAIVE_PAGES if quick else NAIVE_PAGES
    marks = QUICK_MARKS if quick else MARKS
    progress = Progress("memory", pages + naive_pages)
    with ThreadPoolExecutor(2) as threads:
        ours = threads.submit(_resident, COMPLETE, pages, progress)
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
            ("ours", *_row(ours.result(), marks), f"under 10 % at page {pages:,}"),
            ("WeasyPrint, all made anew", *_row(naive.result(), marks), ""),
        ),
        notes=(
            "Growth is from the second mark, when all is loaded, to the last page printed.",
            f"All {pages:,} were printed; a lost page would have ended this benchmark.",
        ),
    )


def _resident(variant: str, pages: int, progress: Progress) -> list[int]:
    """Return the resident memory after each page, in bytes."""
    resident = []
    with RendererProcess(variant) as renderer:
        for number in range(1, pages + 1):
            resident.append(renderer.print(number).resident)
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
