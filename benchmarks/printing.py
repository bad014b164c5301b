"""One printed summary, next to WeasyPrint used naively, Chromium, ReportLab and Typst."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import sync_playwright

from benchmarks.press import RendererProcess
from benchmarks.timing import Side, Table, milliseconds, seconds, take_turns
from benchmarks.usual_case import PAPER, usual_answers, usual_patient, usual_style, usual_summary
from benchmarks.worker import (
    COMPLETE,
    IN_PROCESS,
    ISOLATED,
    NAIVE,
    PRINTERS,
    REPORTLAB,
    TYPST,
    WITHOUT_SUBSET,
    family,
)
from screening.printing import fonts
from screening.printing.pdf import summary_html
from screening.printing.renderer_process import ROOT
from screening.storage import records
from tests.browser.server import CHROMIUM, CHROMIUM_ARGS, launch_options

QUICK_ROUNDS = 3
IN_A_ROW = 5  # pages, each asked for when the one before is there
LOOK_EVERY = 0.02  # seconds
LOOK_FOR = 2.0
NUMBER = 17


@dataclass(frozen=True, slots=True, kw_only=True)
class Rival:
    """Another way to print the same page, which of ours it is next to, and how often the two take turns."""

    ours: str
    side: Side
    rounds: int
    size: Callable[[], int]
    to_reach: str = "for information"
    in_a_row: int = 1


def measure(quick: bool) -> Table:
    """Ours and each other way take turns at the same summary; building its HTML counts for all of them."""
    fonts.use_own_fonts()  # for Chromium too: it finds its fonts in the same way
    with ExitStack() as stack:
        presses = {name: stack.enter_context(RendererProcess(name)) for name in PRINTERS}
        rows = []
        for rival in _rivals(stack, presses):
            own, other = take_turns(
                f"printing, {rival.side.name}",
                (_side(presses[rival.ours], rival.ours, rival.in_a_row), rival.side),
                rounds=QUICK_ROUNDS if quick else rival.rounds,
            )
            medians = (milliseconds(own.median), milliseconds(other.median))
            size = f"{rival.size():,} bytes"
            memory = f"{_peak_memory(rival.side.run) / 1e6:.0f} MB"
            turns = str(len(own.seconds))
            rows.append(
                (
                    rival.ours,
                    rival.side.name,
                    turns,
                    *medians,
                    own.ratio_to(other),
                    rival.to_reach,
                    size,
                    memory,
                )
            )
        complete = presses[COMPLETE]
        own_size = complete.print(NUMBER).size
        own_memory = _peak_memory(lambda: complete.print(NUMBER).seconds)
    return Table(
        title="One printed summary",
        head=(
            "Ours",
            "next to",
            "rounds",
            "ours",
            "the other",
            "ours / other",
            "to reach",
            "its size",
            "its memory",
        ),
        rows=tuple(rows),
        notes=(
            "The middle half of the ratios is in brackets.",
            f"Ours, complete: {own_size:,} bytes (to reach: under 60,000), {own_memory / 1e6:.0f} MB.",
            "Memory is the most that all processes of one way held together (proportional set size) meanwhile.",
        ),
    )


def _rivals(stack: ExitStack, presses: dict[str, RendererProcess]) -> Iterator[Rival]:
    """Each other way, ready to print; what it opened is closed with the stack."""

    def kept(ours: str, other: str, rounds: int, to_reach: str = "for information") -> Rival:
        press = presses[other]
        return Rival(
            ours=ours,
            side=_side(press, other),
            rounds=rounds,
            size=lambda: press.print(NUMBER).size,
            to_reach=to_reach,
        )

    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    yield kept(COMPLETE, NAIVE, 40, "at most 1.50")
    yield kept(ISOLATED, IN_PROCESS, 40, "at most 1.15")
    yield kept(IN_PROCESS, WITHOUT_SUBSET, 8)
    yield kept(COMPLETE, REPORTLAB, 20)
    yield kept(COMPLETE, TYPST, 20)
    if CHROMIUM.exists():
        cold = Side(
            name="Chromium, a process for each page",
            run=lambda: seconds(lambda: _print_by_chromium(folder)),
        )
        printed = folder / "chromium.pdf"
        yield Rival(
            ours=COMPLETE,
            side=cold,
            rounds=15,
            size=lambda: printed.stat().st_size,
            to_reach="at most 0.20",
        )
        print_warm = stack.enter_context(_open_chromium())
        warm = Side(name="Chromium, kept open", run=lambda: seconds(print_warm))
        yield Rival(ours=COMPLETE, side=warm, rounds=15, size=lambda: len(print_warm()))
        warm = Side(
            name=f"Chromium, kept open, {IN_A_ROW} pages in a row",
            run=lambda: sum(seconds(print_warm) for _ in range(IN_A_ROW)) / IN_A_ROW,
        )
        yield Rival(
            ours=COMPLETE,
            side=warm,
            rounds=10,
            size=lambda: len(print_warm()),
            to_reach="at most 1.20",
            in_a_row=IN_A_ROW,
        )
    command, target = _command(folder)
    cold = Side(name="`flask screen`, a process for each page", run=lambda: seconds(command))
    yield Rival(ours=COMPLETE, side=cold, rounds=8, size=lambda: target.stat().st_size)


def _side(press: RendererProcess, name: str, in_a_row: int = 1) -> Side:
    """Printing so many pages in a row; a run tells the seconds of one."""
    return Side(
        name=name,
        run=lambda: sum(press.print(NUMBER).seconds for _ in range(in_a_row)) / in_a_row,
    )


def _peak_memory(run: Callable[[], float]) -> int:
    """The most that the processes begun or used by this job held together, in bytes, looked at every few milliseconds.

    What this process itself holds is left out, and so are processes that do nothing meanwhile.
    """
    done = threading.Event()
    peak = 0

    def look() -> None:
        nonlocal peak
        while not done.wait(LOOK_EVERY):
            peak = max(
                peak, sum(_memory(one) for one in family(os.getpid()) if _has_worked(one, before))
            )

    before = {one: _worked(one) for one in family(os.getpid())}
    looking = threading.Thread(target=look)
    looking.start()
    end = time.monotonic() + LOOK_FOR
    while time.monotonic() < end:
        run()
    done.set()
    looking.join()
    return peak


def _has_worked(process: int, before: dict[int, int]) -> bool:
    return process != os.getpid() and _worked(process) > before.get(process, 0)


def _worked(process: int) -> int:
    """The processor time of a process so far, in ticks; 0 where it has ended."""
    try:
        fields = (
            Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        )
        return int(fields[11]) + int(fields[12])
    except OSError:
        return 0


def _memory(process: int) -> int:
    """What a process holds, its part of what it shares with others included, in bytes; 0 where it has ended."""
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)


def _html() -> str:
    """The same page with its style sheet inside, as a browser needs it."""
    html = summary_html(usual_summary(NUMBER), paper=PAPER)
    return html.replace("</head>", f"<style>{usual_style()}</style></head>")


def _print_by_chromium(folder: Path) -> None:
    """One process and one new profile for one PDF."""
    source = folder / "summary.html"
    target = folder / "chromium.pdf"
    target.unlink(missing_ok=True)
    source.write_text(_html(), encoding="utf-8")
    with tempfile.TemporaryDirectory(dir=folder, ignore_cleanup_errors=True) as profile:
        done = subprocess.run(
            [
                CHROMIUM,
                *CHROMIUM_ARGS,
                f"--user-data-dir={profile}",
                f"--print-to-pdf={target}",
                source.as_uri(),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode or not target.exists():
        raise RuntimeError(f"Chromium printed nothing: {done.stderr}")


@contextmanager
def _open_chromium() -> Iterator[Callable[[], bytes]]:
    """A function that prints in one page of a browser that stays open."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(**launch_options())
        page = browser.new_page()

        def print_page() -> bytes:
            page.set_content(_html())
            return page.pdf(prefer_css_page_size=True, print_background=True, tagged=True)

        yield print_page
        browser.close()


def _command(folder: Path) -> tuple[Callable[[], None], Path]:
    """A new process of ours for one PDF, and the PDF: the whole command, from a file of answers."""
    case = folder / "answers.json"
    target = folder / "command.pdf"
    patient = json.loads(records.encode(usual_patient(NUMBER)))
    case.write_text(
        json.dumps({"patient": patient, "answers": usual_answers(NUMBER)}), encoding="utf-8"
    )
    command = [
        sys.executable,
        "-m",
        "flask",
        "--app",
        "wsgi",
        "screen",
        str(case),
        "--pdf",
        str(target),
    ]
    environment = os.environ | {"SCREENING_INSTANCE": str(folder / "instance")}

    def run() -> None:
        target.unlink(missing_ok=True)
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode or not target.exists():
            raise RuntimeError(f"flask screen printed nothing: {done.stderr}")

    return run, target
