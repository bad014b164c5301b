"""A printed summary, compared to naive WeasyPrint, Chromium, ReportLab and Typst."""

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
from functools import partial
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
IN_A_ROW = 5  # pages, each requested after the page before it
LOOK_EVERY = 0.02  # seconds
LOOK_FOR = 2.0
NUMBER = 17


@dataclass(frozen=True, slots=True, kw_only=True)
class Rival:
    """Another program that prints the page, the variant of ours to compare, and the rounds.

    `own` runs ours where it is no variant of `benchmarks.worker`.
    """

    ours: str
    side: Side
    rounds: int
    size: Callable[[], int]
    to_reach: str = "for information"
    in_a_row: int = 1
    own: Callable[[], float] | None = None


def measure(quick: bool) -> Table:
    """Time ours and each rival in turns at the same summary, including the building of its HTML."""
    fonts.use_own_fonts()  # Chromium finds its fonts by the same configuration
    with ExitStack() as stack:
        renderers = {name: stack.enter_context(RendererProcess(name)) for name in PRINTERS}
        rows = []
        for rival in _rivals(stack, renderers):
            if rival.own is None:
                ours = _side(renderers[rival.ours], rival.ours, rival.in_a_row)
            else:
                ours = Side(name=rival.ours, run=rival.own)
            sides = (ours, rival.side)
            rounds = QUICK_ROUNDS if quick else rival.rounds
            own, other = take_turns(f"printing, {rival.side.name}", sides, rounds=rounds)
            names = (rival.ours, rival.side.name)
            medians = (milliseconds(own.median), milliseconds(other.median))
            size = f"{rival.size():,} bytes"
            memory = f"{_peak_memory(rival.side.run) / 1e6:.0f} MB"
            ratio = own.ratio_to(other)
            turns = str(len(own.seconds))
            rows.append((*names, turns, *medians, ratio, rival.to_reach, size, memory))
        complete = renderers[COMPLETE]
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
            f"Ours, complete: {own_size:,} bytes (to reach: under 60,000), "
            f"{own_memory / 1e6:.0f} MB.",
            "Memory is the peak of the proportional set size of all processes that print.",
        ),
    )


def _rivals(stack: ExitStack, renderers: dict[str, RendererProcess]) -> Iterator[Rival]:
    """Yield each rival, ready to print; the stack closes its resources."""

    def kept(ours: str, other: str, rounds: int, to_reach: str = "for information") -> Rival:
        side = _side(renderers[other], other)
        size = partial(_printed_size, renderers[other])
        return Rival(ours=ours, side=side, rounds=rounds, size=size, to_reach=to_reach)

    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    yield kept(COMPLETE, NAIVE, 40, "at most 1.50")
    yield kept(ISOLATED, IN_PROCESS, 40, "at most 1.15")
    yield kept(IN_PROCESS, WITHOUT_SUBSET, 8)
    yield kept(COMPLETE, REPORTLAB, 20)
    yield kept(COMPLETE, TYPST, 20)
    command = _command(folder)
    if CHROMIUM.exists():
        print_cold = partial(_print_by_chromium, folder)
        cold = Side(name="Chromium, a process for each page", run=partial(seconds, print_cold))
        printed = folder / "chromium.pdf"
        yield Rival(
            ours=COMPLETE,
            side=cold,
            rounds=15,
            size=lambda: printed.stat().st_size,
            to_reach="at most 0.20",
        )
        yield Rival(
            ours="`flask screen --pdf`",
            side=cold,
            rounds=15,
            size=lambda: printed.stat().st_size,
            to_reach="at most 1.00",
            own=lambda: seconds(command),
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


def _side(renderer: RendererProcess, name: str, in_a_row: int = 1) -> Side:
    """Return a side that prints several pages in a row; its time is that of a page."""

    def run() -> float:
        return sum(renderer.print(NUMBER).seconds for _ in range(in_a_row)) / in_a_row

    return Side(name=name, run=run)


def _printed_size(renderer: RendererProcess) -> int:
    return renderer.print(NUMBER).size


def _peak_memory(run: Callable[[], float]) -> int:
    """Return the peak memory of the processes that a job starts or uses, in bytes.

    Samples are taken every few milliseconds. This process and inactive processes do not count.
    """
    done = threading.Event()
    peak = 0

    def sample() -> None:
        nonlocal peak
        while not done.wait(LOOK_EVERY):
            active = (process for process in family(os.getpid()) if _has_worked(process, before))
            peak = max(peak, sum(map(_memory, active)))

    before = {process: _processor_ticks(process) for process in family(os.getpid())}
    sampling = threading.Thread(target=sample)
    sampling.start()
    end = time.monotonic() + LOOK_FOR
    while time.monotonic() < end:
        run()
    done.set()
    sampling.join()
    return peak


def _has_worked(process: int, before: dict[int, int]) -> bool:
    return process != os.getpid() and _processor_ticks(process) > before.get(process, 0)


def _processor_ticks(process: int) -> int:
    """Return the processor time of a process so far, in ticks; 0 where it has ended."""
    try:
        stat = Path(f"/proc/{process}/stat").read_text(encoding="utf-8")
    except OSError:
        return 0
    fields = stat.rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def _memory(process: int) -> int:
    """Return the proportional set size of a process, in bytes; 0 where it has ended."""
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)


def _html() -> str:
    """Return the page with its style sheet inside, as a browser needs it."""
    html = summary_html(usual_summary(NUMBER), paper=PAPER)
    return html.replace("</head>", f"<style>{usual_style()}</style></head>")


def _print_by_chromium(folder: Path) -> None:
    """Start a process with a new profile for a PDF."""
    source = folder / "summary.html"
    target = folder / "chromium.pdf"
    target.unlink(missing_ok=True)
    source.write_text(_html(), encoding="utf-8")
    with tempfile.TemporaryDirectory(dir=folder, ignore_cleanup_errors=True) as profile:
        options = [f"--user-data-dir={profile}", f"--print-to-pdf={target}"]
        command = [str(CHROMIUM), *CHROMIUM_ARGS, *options, source.as_uri()]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode or not target.exists():
        raise RuntimeError(f"Chromium printed nothing: {result.stderr}")


@contextmanager
def _open_chromium() -> Iterator[Callable[[], bytes]]:
    """Yield a function that prints in a page of a browser that stays open."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(**launch_options())
        page = browser.new_page()

        def print_page() -> bytes:
            page.set_content(_html())
            return page.pdf(prefer_css_page_size=True, print_background=True, tagged=True)

        yield print_page
        browser.close()


def _command(folder: Path) -> Callable[[], None]:
    """Return a function that runs `flask screen --pdf` on a file of answers."""
    case_file = folder / "answers.json"
    target = folder / "command.pdf"
    patient = json.loads(records.encode(usual_patient(NUMBER)))
    case = {"patient": patient, "answers": usual_answers(NUMBER)}
    case_file.write_text(json.dumps(case), encoding="utf-8")
    flask = [sys.executable, "-m", "flask", "--app", "wsgi"]
    command = [*flask, "screen", str(case_file), "--pdf", str(target)]
    environment = os.environ | {"SCREENING_INSTANCE": str(folder / "instance")}

    def run() -> None:
        target.unlink(missing_ok=True)
        result = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
        if result.returncode or not target.exists():
            raise RuntimeError(f"flask screen printed nothing: {result.stderr}")

    return run
