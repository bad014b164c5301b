"""One printed summary, next to WeasyPrint used naively and to Chromium."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import sync_playwright

from benchmarks.press import Press
from benchmarks.timing import Side, Table, milliseconds, seconds, take_turns
from benchmarks.usual_case import PAPER, usual_answers, usual_patient, usual_summary
from benchmarks.worker import NAIVE, OURS, VARIANTS, WITHOUT_SUBSET
from screening.reports import fonts
from screening.reports.pdf import ROOT, STYLE, summary_html
from screening.storage import records

CHROMIUM = Path("/usr/bin/chromium")
QUICK_ROUNDS = 3
# As one would script it, and without a word to the network.
CHROMIUM_OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND",
)
NUMBER = 17


@dataclass(frozen=True, slots=True, kw_only=True)
class Rival:
    """Another way to print the same page, and how often the two take turns."""

    side: Side
    rounds: int
    to_reach: str = "for information"


def measure(quick: bool) -> Table:
    """Ours and each other way take turns at the same summary; building its HTML counts for all of them."""
    fonts.use_own_fonts()  # for Chromium too: it finds its fonts in the same way
    with ExitStack() as stack:
        presses = {name: stack.enter_context(Press(name)) for name in VARIANTS}
        ours = _side(presses[OURS], "ours")
        notes = _notes(presses)
        rows = []
        for rival in _rivals(stack, presses):
            own, other = take_turns(
                f"printing, {rival.side.name}", (ours, rival.side), rounds=QUICK_ROUNDS if quick else rival.rounds
            )
            medians = (milliseconds(own.median), milliseconds(other.median))
            rows.append((rival.side.name, str(len(own.seconds)), *medians, own.ratio_to(other), rival.to_reach))
    return Table(
        title="One printed summary",
        head=("Ours next to", "rounds", "ours, median", "the other, median", "ours / other", "to reach"),
        rows=tuple(rows),
        notes=("The middle half of the ratios is in brackets.", *notes),
    )


def _rivals(stack: ExitStack, presses: dict[str, Press]) -> Iterator[Rival]:
    """Each other way, ready to print; what it opened is closed with the stack."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    naive = _side(presses[NAIVE], "WeasyPrint, all made anew for each page")
    yield Rival(side=naive, rounds=40, to_reach="at most 0.90")
    without = _side(presses[WITHOUT_SUBSET], "ours without libharfbuzz-subset")
    yield Rival(side=without, rounds=8)
    if CHROMIUM.exists():
        cold = Side(name="Chromium, a process for each page", run=lambda: seconds(lambda: _print_by_chromium(folder)))
        yield Rival(side=cold, rounds=15, to_reach="at most 0.20")
        print_warm = stack.enter_context(_open_chromium())
        yield Rival(side=Side(name="Chromium, kept open", run=lambda: seconds(print_warm)), rounds=15)
    command = _command(folder)
    yield Rival(side=Side(name="`flask screen`, a process for each page", run=lambda: seconds(command)), rounds=8)


def _side(press: Press, name: str) -> Side:
    return Side(name=name, run=lambda: press.print(NUMBER).seconds)


def _notes(presses: dict[str, Press]) -> list[str]:
    """Whether ours and the naive way do the same job, to the byte."""
    own, naive = presses[OURS].print(NUMBER), presses[NAIVE].print(NUMBER)
    if own.digest == naive.digest:
        return [f"Ours and the naive way print the same {own.size:,} bytes."]
    return [
        f"Not the same job: ours prints {own.size:,} bytes and the naive way {naive.size:,}. "
        "Give the naive way the options that screening/reports/pdf.py uses."
    ]


def _html() -> str:
    """The same page with its style sheet inside, as a browser needs it."""
    html = summary_html(usual_summary(NUMBER), paper=PAPER)
    return html.replace("</head>", f"<style>{STYLE.read_text(encoding='utf-8')}</style></head>")


def _print_by_chromium(folder: Path) -> None:
    """One process and one new profile for one PDF."""
    source, target = folder / "summary.html", folder / "chromium.pdf"
    target.unlink(missing_ok=True)
    source.write_text(_html(), encoding="utf-8")
    with tempfile.TemporaryDirectory(dir=folder, ignore_cleanup_errors=True) as profile:
        done = subprocess.run(
            [
                CHROMIUM,
                *CHROMIUM_OPTIONS,
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
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(CHROMIUM_OPTIONS))
        page = browser.new_page()

        def print_page() -> bytes:
            page.set_content(_html())
            return page.pdf(prefer_css_page_size=True, print_background=True, tagged=True)

        yield print_page
        browser.close()


def _command(folder: Path) -> Callable[[], None]:
    """A new process of ours for one PDF: the whole command, from a file of answers."""
    case, target = folder / "answers.json", folder / "command.pdf"
    patient = json.loads(records.encode(usual_patient(NUMBER)))
    case.write_text(json.dumps({"patient": patient, "answers": usual_answers(NUMBER)}), encoding="utf-8")
    command = [sys.executable, "-m", "flask", "--app", "wsgi", "screen", str(case), "--pdf", str(target)]
    environment = os.environ | {"SCREENING_INSTANCE": str(folder / "instance")}

    def run() -> None:
        target.unlink(missing_ok=True)
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        if done.returncode or not target.exists():
            raise RuntimeError(f"flask screen printed nothing: {done.stderr}")

    return run
