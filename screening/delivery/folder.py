"""Into a folder, such as one that the clinic's record system watches: whole or not at all."""

import errno
import os
import unicodedata
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from screening.delivery.channel import DeliveryFailed, Document, Fault, Options
from screening.settings import setting, text

PARTS = ("reference", "edition", "sent", "name", "born", "visit")
LONGEST = 180  # bytes of a file name


def _folder(raw: object) -> str:
    if not Path(text(raw)).is_absolute():
        raise ValueError("must be a whole path, such as /srv/summaries")
    return text(raw)


def _pattern(raw: object) -> str:
    try:
        made = text(raw).format_map(dict.fromkeys(PARTS, "x"))
    except (KeyError, ValueError, IndexError, AttributeError) as err:
        raise ValueError("can have these parts: " + ", ".join(f"{{{part}}}" for part in PARTS)) from err
    if "/" in made or not made.endswith(".pdf") or made.startswith(".") or "{reference}" not in text(raw):
        raise ValueError("must be a file name with {reference} that ends in .pdf")
    return text(raw)


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder(Options):
    """Where to, and how files are named."""

    folder: str = setting(_folder, "the folder that summaries are put into; it must be there")
    file_name: str = setting(
        _pattern, "how files are named; {name}, {born} and {visit} tell who it is", "{reference}-{edition}.pdf"
    )


def deliver(options: Folder, document: Document) -> None:
    """Put the PDF there, with a name that is always the same for it. Raises DeliveryFailed."""
    folder, mine = Path(options.folder), f".{document.id}."
    unfinished = folder / f"{mine}{os.getpid()}"
    try:
        for left in folder.glob(f"{mine}*"):  # of somebody who was stopped in the middle
            left.unlink(missing_ok=True)
        try:
            # Open for whom the folder's owner wants: a record system is another user.
            with unfinished.open("xb") as file:
                file.write(document.pdf)
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(folder / _named(options.file_name, document))
        finally:
            with suppress(OSError):
                unfinished.unlink(missing_ok=True)
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as err:
        no_room = err.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        raise DeliveryFailed(
            Fault.NO_ROOM if no_room else Fault.NOT_WRITABLE, errno.errorcode.get(err.errno or 0, "")
        ) from err


def _named(pattern: str, document: Document) -> str:
    screening = document.screening
    patient = screening.patient
    parts = (
        screening.reference,
        str(document.number + 1),
        f"{screening.submitted_at:%Y%m%d}",
        patient.name,
        patient.birth_date.isoformat(),
        patient.visit,
    )
    name = pattern.format_map({part: _plain(value) for part, value in zip(PARTS, parts, strict=True)})
    return name.removesuffix(".pdf").encode()[:LONGEST].decode(errors="ignore") + ".pdf"


def _plain(value: str) -> str:
    """Letters and digits of any script; all else as `-`."""
    letters = unicodedata.normalize("NFC", value)
    return "".join(one if one.isalnum() else "-" for one in letters).strip("-") or "-"
