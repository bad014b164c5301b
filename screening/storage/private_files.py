"""Files that only their owner may read: keys, passwords, exports of health data."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO


class KeyFault(Exception):
    """A key is missing, unreadable, exposed or the wrong one, or sealed data was changed.

    The message states what to do.
    """


def write_private(path: Path, text: str, *, instead: bool = False) -> None:
    """Create a file with mode 0600 and this text, flushed to disk when this returns.

    `instead` replaces an existing file in one step. Raises FileExistsError without it.
    """
    # The name is always the same, so that a killed run leaves no second copy.
    unfinished = path.with_name(f"{path.name}.unfinished")
    unfinished.unlink(missing_ok=True)
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    if instead:
        unfinished.replace(path)
    else:
        try:
            os.link(unfinished, path)  # atomic; fails where the file exists
        finally:
            unfinished.unlink()
    sync_folder(path.parent)


@contextmanager
def new_file(path: Path, *, encoding: str) -> Iterator[TextIO]:
    """Open a new file that only its owner can read; it exists complete at the end, or not at all.

    Raises FileExistsError.
    """
    # An empty file reserves the name.
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    unfinished = path.with_name(f"{path.name}.unfinished")
    try:
        unfinished.unlink(missing_ok=True)
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding=encoding, newline="") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        path.unlink()
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Flush the names of the files in a folder to disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_private(path: Path, advice: str = "It is only for cookies") -> str:
    """Return the text of a file that only its owner may read.

    Raises KeyFault, with `advice` where the file is missing.
    """
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & 0o077:
            raise KeyFault(f"{path} can be read by others (mode {mode:04o}); run: chmod 600 {path}")
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as err:
        raise KeyFault(f"{path} is missing. {advice}: run `flask init`") from err
    except (OSError, UnicodeDecodeError) as err:
        raise KeyFault(
            f"{path} cannot be read ({err}); give it to the user who runs this: chown"
        ) from err
