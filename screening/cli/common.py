"""What all commands share.

Exit codes: 0 done, 1 the input or the installation is at fault, 2 wrong usage.
"""

import getpass
import os
import stat
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from io import TextIOWrapper
from pathlib import Path
from typing import Any, NoReturn

import click
from flask.cli import AppGroup
from sqlalchemy.exc import DatabaseError

from screening.extensions import db
from screening.installation import installation
from screening.operating.backup import CannotCopy
from screening.operating.own_lines import lines_of_ours
from screening.operating.readiness import START_FAULTS, not_reachable
from screening.printing.signature import CannotSign
from screening.reports.spreadsheet import write_row
from screening.services.people import NotAccepted
from screening.settings import as_called
from screening.storage.audit import Act
from screening.storage.database import check_keys, check_release

READABLE = click.Path(exists=True, dir_okay=False, path_type=Path)
WRITABLE = click.Path(dir_okay=False, path_type=Path)


def fail(*lines: str) -> NoReturn:
    """Print to stderr and end with exit code 1."""
    for line in lines:
        click.echo(as_called(line), err=True)
    raise SystemExit(1)


class InWords(click.Command):
    """A command of which no fault ends in a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run it. What it prints is UTF-8, whatever the machine's locale.

        Faults of an installation, and what is not accepted, are told in words; the exit code is 1
        then. Of any other exception its kind and place are told: its words may quote what a patient
        typed.
        """
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, TextIOWrapper):
                stream.reconfigure(encoding="utf-8")
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise  # click ends these itself
        except (*START_FAULTS, CannotCopy, CannotSign, NotAccepted) as err:
            fail(str(err))
        except DatabaseError as err:
            fail(str(not_reachable(err)))
        except OSError as err:
            fail(f"{err.filename or 'A file'} cannot be used: {err.strerror or type(err).__name__}")
        except Exception as err:  # noqa: BLE001 - a damaged row can raise anything
            fail(
                f"{type(err).__name__} at {lines_of_ours(err)[-1]}; run: flask doctor; flask verify"
            )


class Commands(AppGroup):
    """Commands that run within the application, and groups of them."""

    command_class = InWords

    def group(  # type: ignore[override]
        self, *names: Any, **options: Any
    ) -> Callable[[Callable[..., Any]], click.Group]:
        """Begin a group of such commands; AppGroup would make it one of others."""
        return super().group(*names, **{"cls": Commands, **options})


commands = Commands()


@contextmanager
def on_a_ready_installation() -> Iterator[None]:
    """Go on only where the keys are those of the database, and its tables those of this release.

    As a decorator of a command it stands below those of click.
    """
    check_keys(db.session, installation().keys)
    check_release(db.session)
    yield


def acting() -> Act:
    """What whoever runs the command does now."""
    by = f"command ({getpass.getuser()})"
    return Act(session=db.session, keys=installation().keys, now=datetime.now(UTC), by=by)


def print_table(rows: Iterable[Iterable[object]], *, is_log: bool = False) -> None:
    """Print rows as CSV; into a file, with the mark by which a spreadsheet knows UTF-8."""
    with suppress(OSError):  # not a file at all
        if stat.S_ISREG(os.fstat(sys.stdout.fileno()).st_mode):
            sys.stdout.write("\ufeff")
    for row in rows:
        write_row(sys.stdout, row, is_log=is_log)


@contextmanager
def progress(label: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar on stderr; the function it gives is told how much is done, and how much there is."""
    with click.progressbar(length=1, label=label, file=sys.stderr) as bar:

        def tell(done: int, total: int) -> None:
            bar.length = max(total, 1)
            bar.update(done - bar.pos)

        yield tell
        bar.update((bar.length or 1) - bar.pos)


def write_file(path: Path, content: bytes) -> None:
    """Write health data to a file that nobody else can read. Ends the command where it cannot."""
    try:
        path.touch(mode=0o600)
        path.chmod(0o600)
        path.write_bytes(content)
    except OSError as err:
        fail(f"{path} cannot be written: {err.strerror}")
    click.echo(f"Wrote {path} ({len(content)} bytes)", err=True)
