"""The clinic's own rule book: a copy of the packaged one, which upgrades do not change."""

import shutil
from pathlib import Path

from screening.domain.rules import BASE_LANGUAGE
from screening.rulebooks.load import AZATHIOPRINE, InvalidRuleBook, load

BASIS = "adopted-from"  # folder of the packaged rule book as it was adopted or last compared


def adopt(folder: Path) -> list[Path]:
    """Copy the packaged rule book with its translations into a new folder, and return the files.

    Raises FileExistsError.
    """
    folder.mkdir(mode=0o700, parents=True)
    copies = [Path(shutil.copy(file, folder)) for file in _packaged()]
    note_basis(folder)
    return copies


def note_basis(folder: Path) -> None:
    """Store the packaged rule book as it is now, so that later releases can be compared with it."""
    basis = folder / BASIS
    shutil.rmtree(basis, ignore_errors=True)
    basis.mkdir(mode=0o700)
    for file in _packaged():
        shutil.copy(file, basis)
        if file.suffix == ".json":  # editors use the schema of this release
            shutil.copy(file, folder)


def basis(folder: Path) -> Path:
    """Return the file of the packaged rule book as it was adopted."""
    return folder / BASIS / AZATHIOPRINE.name


def is_packaged_newer(folder: Path) -> bool:
    """Return whether the packaged book differs from the adopted copy, or that is unreadable."""
    try:
        return basis(folder).exists() and _digest(basis(folder)) != _digest(AZATHIOPRINE)
    except (OSError, InvalidRuleBook):
        return True


def _digest(file: Path) -> str:
    return load(file, ())[BASE_LANGUAGE].edition.digest


def _packaged() -> list[Path]:
    return sorted(AZATHIOPRINE.parent.glob(f"{AZATHIOPRINE.stem}.*"))
