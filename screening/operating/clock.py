"""Whether the clock can be trusted: by a clock that jumped, nothing is deleted until somebody confirms it."""

import socket
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from screening.storage import audit
from screening.storage.audit import Act
from screening.storage.database import write
from screening.storage.private_files import KeyFault
from screening.storage.tables import AuditRow, ClockRow

# between two looks of one machine at its clock, which follow within a minute
TOLERATED = timedelta(minutes=15)
LONGEST_OFF = timedelta(days=4)  # for which a machine may be off without anybody being asked
DOUBTED = "clock doubted"  # as the audit log has them
CONFIRMED = "clock confirmed"
PURGED = "purged"


class ClockInDoubt(Exception):
    """The clock jumped, and nobody has confirmed it yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A machine by its name, and for how many seconds it has been running, which nobody can set."""

    host: str
    uptime: float


def this_machine() -> Machine:
    """The machine that this process runs on."""
    return Machine(host=socket.gethostname()[:64], uptime=time.clock_gettime(time.CLOCK_BOOTTIME))


def check(act: Act, machine: Machine) -> None:
    """Compare the clock with the time that this machine has been running since the last look, and note this look.

    After a start of the machine, compare it with the last look of any machine. Raises ClockInDoubt.
    """
    with write(act.session):
        if doubt(act.session) is None:
            if jump := _jump(act, machine):
                act.note(DOUBTED, machine.host, _seconds(jump))
            else:
                _note_look(act, machine)
    if doubt(act.session) is not None:
        raise ClockInDoubt


def doubt(session: Session) -> AuditRow | None:
    """The event that tells of a jump which nobody has confirmed yet, or None."""
    doubted = audit.last(session, DOUBTED)
    confirmed = audit.last(session, CONFIRMED)
    return None if confirmed and doubted and confirmed.number > doubted.number else doubted


def confirm(act: Act, machine: Machine, *, was_off: bool) -> None:
    """Trust the clock as it is now.

    `was_off` says that the time by which it jumped has really passed.
    """
    jump = timedelta(0)
    with write(act.session):
        if not was_off:
            with suppress(KeyFault):  # a look that was changed behind the program counts no more
                jump = _jump(act, machine)
        act.session.execute(delete(ClockRow))
        act.session.expire_all()
        _note_look(act, machine)
        act.note(CONFIRMED, machine.host, _seconds(jump))


def proven(act: Act, age: timedelta) -> int:
    """The number of the newest audit row that is proven to be of that age, or 0.

    Each purge proves how old what came before it is. Time by which the clock jumped has not passed.
    """
    query = (
        select(AuditRow)
        .where(AuditRow.action.in_((PURGED, CONFIRMED)))
        .order_by(AuditRow.number.desc())
    )
    jumped = timedelta(0)
    for row in act.session.scalars(query).all():
        if row.action == CONFIRMED:
            jumped += timedelta(seconds=float(row.detail.split()[0]))
        elif act.now - row.at - jumped >= age:
            return row.number
    return 0


def _jump(act: Act, machine: Machine) -> timedelta:
    """By how much the clock is away from where it should be; zero where that can be."""
    row = act.session.get(ClockRow, machine.host, with_for_update=True, populate_existing=True)
    if row is not None:
        row.unseal(act.keys, "sealed_check")
    if row is not None and machine.uptime >= row.uptime:
        jump = act.now - row.at - timedelta(seconds=machine.uptime - row.uptime)
        return jump if abs(jump) > TOLERATED else timedelta(0)
    newest = audit.last(act.session)
    looked_at = act.session.scalar(select(func.max(ClockRow.at)))
    known = [at for at in (looked_at, newest.at if newest else None) if at is not None]
    gap = act.now - max(known, default=act.now)
    return timedelta(0) if -TOLERATED <= gap <= LONGEST_OFF else gap


def _note_look(act: Act, machine: Machine) -> None:
    act.session.merge(ClockRow(host=machine.host, at=act.now, uptime=float(machine.uptime)))
    act.session.flush()


def _seconds(jump: timedelta) -> str:
    return f"{jump.total_seconds():+.0f} seconds"
