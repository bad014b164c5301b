"""Parts that the commands share: how they fail, act, print and write.

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
from screening.installation import current_installation
from screening.operating.backup import CannotCopy
from screening.operating.own_lines import lines_of_ours
from screening.operating.readiness import START_FAULTS, not_reachable
from screening.printing.signature import CannotSign
from screening.reports.spreadsheet import write_row
from screening.services.people import NotAccepted
from screening.settings import as_called
from screening.storage.audit import Actor
from screening.storage.database import check_keys, check_release

READABLE = click.Path(exists=True, dir_okay=False, path_type=Path)
WRITABLE = click.Path(dir_okay=False, path_type=Path)


def fail(*lines: str) -> NoReturn:
    """Print the lines to stderr and end with exit code 1."""
    for line in lines:
        click.echo(as_called(line), err=True)
    raise SystemExit(1)


class InWords(click.Command):
    """A command that prints a message for every exception, and never a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command. Its output is UTF-8 in every locale.

        Our own exceptions are printed with their message, others with class and place: their
        message may quote what a patient typed. The exit code is 1 then.
        """
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, TextIOWrapper):
                stream.reconfigure(encoding="utf-8")
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise  # click handles these
        except (*START_FAULTS, CannotCopy, CannotSign, NotAccepted) as err:
            fail(str(err))
        except DatabaseError as err:
            fail(str(not_reachable(err)))
        except OSError as err:
            fail(f"{err.filename or 'A file'} cannot be used: {err.strerror or type(err).__name__}")
        except Exception as err:  # noqa: BLE001 - a damaged row can raise anything
            place = lines_of_ours(err)[-1]
            fail(f"{type(err).__name__} at {place}; run: flask doctor; flask verify")


class Commands(AppGroup):
    """Commands that run in the application context, and groups of them."""

    command_class = InWords

    def group(  # type: ignore[override]
        self, *names: Any, **options: Any
    ) -> Callable[[Callable[..., Any]], click.Group]:
        """Return a decorator for a group of such commands; AppGroup would make others."""
        return super().group(*names, **{"cls": Commands, **options})


commands = Commands()


@contextmanager
def on_a_ready_installation() -> Iterator[None]:
    """Raise KeyFault or DatabaseNotReady unless keys, database and release fit.

    As a decorator of a command it is placed below those of click.
    """
    check_keys(db.session, current_installation().keys)
    check_release(db.session)
    yield


def current_actor() -> Actor:
    """Return the person who runs the command as the actor."""
    by = f"command ({getpass.getuser()})"
    return Actor(session=db.session, keys=current_installation().keys, now=datetime.now(UTC), by=by)


def print_table(rows: Iterable[Iterable[object]], *, is_log: bool = False) -> None:
    """Print rows as CSV. A file begins with a byte order mark, for spreadsheets."""
    with suppress(OSError):  # standard output is no file
        if stat.S_ISREG(os.fstat(sys.stdout.fileno()).st_mode):
            sys.stdout.write("\ufeff")
    for row in rows:
        write_row(sys.stdout, row, is_log=is_log)


@contextmanager
def progress(label: str) -> Iterator[Callable[[int, int], None]]:
    """Show a progress bar on stderr; yield a function that takes how many are done, of how many."""
    with click.progressbar(length=1, label=label, file=sys.stderr) as bar:

        def update(done: int, total: int) -> None:
            bar.length = max(total, 1)
            bar.update(done - bar.pos)

        yield update
        bar.update((bar.length or 1) - bar.pos)


def write_file(path: Path, content: bytes) -> None:
    """Write health data to a file that only its owner can read, or end the command."""
    try:
        path.touch(mode=0o600)
        path.chmod(0o600)
        path.write_bytes(content)
    except OSError as err:
        fail(f"{path} cannot be written: {err.strerror}")
    click.echo(f"Wrote {path} ({len(content)} bytes)", err=True)
