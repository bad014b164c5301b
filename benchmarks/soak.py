"""Memory, descriptors and threads of all processes of a server over thousands of journeys."""

from __future__ import annotations

import http.client
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from benchmarks.installed import installed
from benchmarks.serving import ANSWER_SECONDS, Served, serve
from benchmarks.timing import Progress, Table
from screening.installation import current_installation
from tests.faults.browsing import Patient, Prescriber, entries_seen
from tests.faults.serving import Clinic, children

JOURNEYS = 3_000
QUICK_JOURNEYS = 100
PARTS = 10  # the first of them warms up
OPENED = 10  # each tenth screening is opened and decided on
AT_ONCE = 4  # patients
WORKERS = 2
REST = 3.0  # seconds after the last summary was printed
TO_REACH = "at most +10 %"


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What the processes of a server hold: proportional memory in bytes, descriptors, threads."""

    memory: int
    descriptors: int
    threads: int
    processes: int

    @classmethod
    def by(cls, process: int) -> Held:
        """Return what a process and all that it has started hold."""
        processes = [process]
        for parent in processes:
            processes += children(parent)
        folders = [Path(f"/proc/{each}") for each in processes]
        memory = [_number(folder / "smaps_rollup", "Pss:") * 1024 for folder in folders]
        return cls(
            memory=sum(memory),
            descriptors=sum(len(list((folder / "fd").iterdir())) for folder in folders),
            threads=sum(_number(folder / "status", "Threads:") for folder in folders),
            processes=len(processes),
        )


class PatientElsewhere(Patient):
    """A patient with an address of their own: the forms begun from one address are limited."""

    def __init__(self, url: str, number: int) -> None:
        super().__init__(url, f"{number}")
        self.source = f"127.1.{number // 250}.{number % 250 + 1}"

    def _connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(
            self.address, timeout=ANSWER_SECONDS, source_address=(self.source, 0)
        )


def measure(quick: bool) -> Table:
    """Send questionnaires, open and decide on some; list what is held after each part."""
    journeys = QUICK_JOURNEYS if quick else JOURNEYS
    progress = Progress("soak", journeys)
    size = journeys // PARTS
    held: list[tuple[int, Held]] = []
    begun = time.perf_counter()
    with installed() as app, serve(app, workers=WORKERS) as server:
        clinic = Clinic(
            instance=current_installation(app).settings.instance,
            database_url="",
            url=f"http://127.0.0.1:{server.port}",
        )
        prescriber = Prescriber.added_to(clinic)
        for first in range(0, size * PARTS, size):
            with ThreadPoolExecutor(AT_ONCE) as patients:
                numbers = range(first, first + size)
                travel = (patients.submit(_send, clinic, number, progress) for number in numbers)
                references = [sent.result() for sent in list(travel)]
            for reference in references[::OPENED]:
                _decide(prescriber, reference)
            held.append((first + size, _at_rest(clinic, server)))
        minutes = (time.perf_counter() - begun) / 60
    before = held[0][1]
    return Table(
        title="Soak",
        head=("After", "memory", "change", "descriptors", "threads", "processes", "to reach"),
        rows=tuple(
            (
                f"{count:,} journeys",
                f"{after.memory / 1e6:.0f} MB",
                f"{after.memory / before.memory - 1:+.1%}".replace("%", " %"),
                str(after.descriptors),
                str(after.threads),
                str(after.processes),
                TO_REACH if count == size * PARTS else "",
            )
            for count, after in held
        ),
        notes=(
            f"{size * PARTS:,} patients filled in and sent in {minutes:.0f} minutes over HTTP, "
            f"{AT_ONCE} at once; each {OPENED}th screening was opened and decided on, and its PDF "
            f"read. gunicorn with {WORKERS} workers, all processes together; memory is "
            "proportional (Pss). The first part warms up.",
        ),
    )


def _send(clinic: Clinic, number: int, progress: Progress) -> str:
    patient = PatientElsewhere(clinic.url, number)
    patient.fill_in()
    reference = patient.send()
    progress.advance()
    return reference


def _decide(prescriber: Prescriber, reference: str) -> None:
    page = prescriber.screening(reference)
    path = f"/clinic/screenings/{reference}"
    prescriber.decide(reference, "soak", seen=entries_seen(page)).leading_to(path)
    request = prescriber.asking(f"{path}/summary.pdf")
    content = b""
    while not content.startswith(b"%PDF"):  # a page meanwhile, if others wait to be printed
        content = _answer(prescriber.address, request)


def _answer(address: str, request: bytes) -> bytes:
    """Return the content of an answer, which may be no text."""
    method, path, _version, *lines = request.decode().split(None, 3)
    headers = dict(line.split(": ", 1) for line in lines[0].splitlines() if ": " in line)
    with closing(http.client.HTTPConnection(address, timeout=ANSWER_SECONDS)) as connection:
        connection.request(method, path, headers=headers)
        return connection.getresponse().read()


def _at_rest(clinic: Clinic, server: Served) -> Held:
    """Return what the server holds when it has nothing to do."""
    while clinic.rows("SELECT 1 FROM outbox LIMIT 1"):
        time.sleep(1)
    time.sleep(REST)
    return Held.by(server.process)


def _number(file: Path, name: str) -> int:
    lines = file.read_text(encoding="ascii").splitlines()
    return int(next(line for line in lines if line.startswith(name)).split()[1])
