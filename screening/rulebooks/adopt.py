"""The clinic's own rule book: a copy of the packaged one in its instance folder, which upgrades leave alone."""

import shutil
from pathlib import Path

from screening.domain.rules import BASE_LANGUAGE
from screening.rulebooks.load import AZATHIOPRINE, InvalidRuleBook, load

BASIS = "adopted-from"  # folder with the packaged rule book as it was adopted, or last compared


def adopt(folder: Path) -> list[Path]:
    """Copy the packaged rule book with its translations into the folder.

    Return the files. Raises FileExistsError.
    """
    folder.mkdir(mode=0o700, parents=True)
    own = [Path(shutil.copy(file, folder)) for file in _packaged()]
    note_basis(folder)
    return own


def note_basis(folder: Path) -> None:
    """Keep the packaged rule book as it is now: what a later release changes is told by comparing with it."""
    basis = folder / BASIS
    shutil.rmtree(basis, ignore_errors=True)
    basis.mkdir(mode=0o700)
    for file in _packaged():
        shutil.copy(file, basis)
        if file.suffix == ".json":  # editors check by what this release reads
            shutil.copy(file, folder)


def basis(folder: Path) -> Path:
    """Return the file of the packaged rule book as it was adopted."""
    return folder / BASIS / AZATHIOPRINE.name


def is_packaged_newer(folder: Path) -> bool:
    """Whether the packaged rule book changed since it was adopted, or this release cannot read that one."""
    try:
        return basis(folder).exists() and _digest(basis(folder)) != _digest(AZATHIOPRINE)
    except (OSError, InvalidRuleBook):
        return True


def _digest(file: Path) -> str:
    return load(file, ())[BASE_LANGUAGE].edition.digest


def _packaged() -> list[Path]:
    return sorted(AZATHIOPRINE.parent.glob(f"{AZATHIOPRINE.stem}.*"))
