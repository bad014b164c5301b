"""Print the summaries of several screenings as one file."""

import time
from collections.abc import Iterable

from screening.printing.joined import joined
from screening.services import review
from screening.services.printing import NotPrinted, Printer
from screening.storage.audit import Actor
from screening.storage.private_files import KeyFault
from screening.storage.screenings import NoSuchScreening

PATIENCE = 20.0  # seconds after which those that are not printed yet are left out


class NotAllPrinted(Exception):
    """Some summaries cannot be printed, or not yet. Nothing was noted as printed."""

    def __init__(self, ready: list[str], missing: list[str]) -> None:
        super().__init__(", ".join(missing))
        self.ready = ready
        self.missing = missing


def print_several(
    actor: Actor, printer: Printer, references: Iterable[str], *, title: str
) -> bytes:
    """Return the summaries as one PDF, and note each as printed. Raises NotAllPrinted."""
    until = time.monotonic() + PATIENCE
    files: dict[str, bytes] = {}
    missing = []
    for reference in references:
        try:
            if time.monotonic() > until:
                raise NotPrinted(failed=False, fault="")
            files[reference] = printer.pdf(reference)
        except (NotPrinted, NoSuchScreening, KeyFault):
            actor.session.rollback()
            missing.append(reference)
    if missing:
        raise NotAllPrinted([*files], missing)
    screenings = [review.view(actor, reference, action="printed") for reference in files]
    return joined(
        [
            (f"{screening.patient.name}, {screening.reference}", files[screening.reference])
            for screening in screenings
        ],
        title=title,
    )
