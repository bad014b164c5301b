"""Delivery into a folder, such as one that the clinic's record system watches."""

import errno
import os
import re
import unicodedata
from contextlib import suppress
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator

from screening.domain.unseen import without_unseen
from screening.features.deliveries.channel import Channel, DeliveryFailed, DeliveryFault, Document
from screening.settings import setting
from screening.storage.private_files import sync_folder

PARTS = ("reference", "edition", "sent", "name", "born", "visit")
# characters of the pattern, and bytes of a name or visit in it: file names have up to 255 bytes
LONGEST = 60


def _folder(folder: str) -> str:
    if not Path(folder).is_absolute():
        raise ValueError("must be a whole path, such as /srv/summaries")
    return folder


def _pattern(pattern: str) -> str:
    parts = set(re.findall(r"{(.*?)}", pattern))
    plain = re.sub(r"{.*?}", "x", pattern)
    if not parts <= set(PARTS) or set(plain) & set("{}"):
        raise ValueError("can have these parts: " + ", ".join(f"{{{part}}}" for part in PARTS))
    is_name = (
        plain.endswith(".pdf")
        and plain.isprintable()
        and not plain.startswith(".")
        and "/" not in plain
        and len(plain) <= LONGEST
    )
    if not is_name or not parts >= {"reference", "edition"}:
        raise ValueError("must be a file name with {reference} and {edition} that ends in .pdf")
    return pattern


class Folder(Channel):
    """The folder and the names of its files."""

    folder: Annotated[str, AfterValidator(_folder)] = setting(
        ..., "the folder that summaries are put into; it must be there"
    )
    file_name: Annotated[str, AfterValidator(_pattern)] = setting(
        "{reference}-{edition}.pdf",
        "how files are named; {name}, {born} and {visit} tell who it is",
    )

    def deliver(self, document: Document, *, hand_over: bool) -> None:
        """Write the PDF, whole or not at all, always under the same name. Raises DeliveryFailed."""
        folder = Path(self.folder)
        mine = f".{document.id}."
        unfinished = folder / f"{mine}{os.getpid()}"
        try:
            for left in folder.glob(f"{mine}*"):  # of a process that was killed
                left.unlink(missing_ok=True)
            try:
                with unfinished.open("xb") as file:
                    # The folder's group reads it too: a record system is another user.
                    os.fchmod(file.fileno(), 0o640)
                    file.write(document.pdf)
                    file.flush()
                    os.fsync(file.fileno())
                if hand_over:
                    unfinished.replace(folder / _named(self.file_name, document))
            finally:
                with suppress(OSError):
                    unfinished.unlink(missing_ok=True)
            sync_folder(folder)
        except OSError as err:
            no_room = err.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
            fault = DeliveryFault.NO_ROOM if no_room else DeliveryFault.NOT_WRITABLE
            raise DeliveryFailed(fault, errno.errorcode.get(err.errno or 0, "")) from err


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
    return pattern.format_map(
        {part: _plain(value) for part, value in zip(PARTS, parts, strict=True)}
    )


def _plain(value: str) -> str:
    """Return letters with their marks and digits, cut to LONGEST bytes; all else becomes `-`."""
    words = "".join(
        character if _is_part_of_word(character) else "-"
        for character in unicodedata.normalize("NFC", value)
    )
    clean = without_unseen(words).strip("-")  # an emoji leaves its joiners behind
    short = clean.encode()[:LONGEST].decode(errors="ignore")
    while short != clean and short and not clean[len(short)].isalnum() and clean[len(short)] != "-":
        short = short[:-1]  # a letter without its mark may be another name
    return short or "-"


def _is_part_of_word(character: str) -> bool:
    is_mark = unicodedata.category(character).startswith("M")
    return character.isalnum() or is_mark or character in "\u200c\u200d"
