"""Check the clock: after it jumped, nothing is deleted until a person confirms it."""

import socket
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from screening.storage import audit
from screening.storage.audit import Actor
from screening.storage.database import delete_in_order, write
from screening.storage.private_files import KeyFault
from screening.storage.tables import AuditRow, ClockRow

# A larger difference between the clock and the running time is a jump.
TOLERATED = timedelta(minutes=15)
LONGEST_OFF = timedelta(days=4)  # time that a machine may be off without a confirmation
# actions in the audit log
DOUBTED = "clock doubted"
CONFIRMED = "clock confirmed"
PURGED = "purged"


class ClockInDoubt(Exception):
    """The clock jumped, and nobody has confirmed it yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A machine: its name, and the seconds since its start, which nobody can set."""

    host: str
    uptime: float


def this_machine() -> Machine:
    """Return the machine that this process runs on."""
    return Machine(host=socket.gethostname()[:64], uptime=time.clock_gettime(time.CLOCK_BOOTTIME))


def check(actor: Actor, machine: Machine) -> None:
    """Compare the clock with the running time of this machine since its last check.

    After a start of the machine, compare it with the last check by any machine. Record this check.
    Raises ClockInDoubt.
    """
    with write(actor.session):
        if doubt(actor.session) is None:
            if jump := _jump(actor, machine):
                actor.note(DOUBTED, machine.host, _seconds(jump))
            else:
                _record_check(actor, machine)
    if doubt(actor.session) is not None:
        raise ClockInDoubt


def doubt(session: Session) -> AuditRow | None:
    """Return the event of a jump that nobody has confirmed yet, or None."""
    doubted = audit.last(session, DOUBTED)
    confirmed = audit.last(session, CONFIRMED)
    return None if confirmed and doubted and confirmed.number > doubted.number else doubted


def confirm(actor: Actor, machine: Machine, *, was_off: bool) -> None:
    """Confirm that the clock is right now.

    `was_off` states that the time by which it jumped has really passed.
    """
    jump = timedelta(0)
    with write(actor.session):
        if not was_off:
            with suppress(KeyFault):  # ignore a check that another program changed
                jump = _jump(actor, machine)
        delete_in_order(actor.session, ClockRow.host)
        actor.session.expire_all()
        _record_check(actor, machine)
        actor.note(CONFIRMED, machine.host, _seconds(jump))


def proven(actor: Actor, age: timedelta) -> int:
    """Return the number of the newest audit row that is proven to be of that age, or 0.

    Each purge proves the age of the rows before it. Time by which the clock jumped does not count.
    """
    query = (
        select(AuditRow)
        .where(AuditRow.action.in_((PURGED, CONFIRMED)))
        .order_by(AuditRow.number.desc())
    )
    jumped = timedelta(0)
    for row in actor.session.scalars(query).all():
        if row.action == CONFIRMED:
            jumped += timedelta(seconds=float(row.detail.split()[0]))
        elif actor.now - row.at - jumped >= age:
            return row.number
    return 0


def _jump(actor: Actor, machine: Machine) -> timedelta:
    """Return by how much the clock is wrong; zero where that is within the tolerance."""
    row = actor.session.get(ClockRow, machine.host, with_for_update=True, populate_existing=True)
    if row is not None:
        row.unseal(actor.keys, "sealed_check")
    if row is not None and machine.uptime >= row.uptime:
        jump = actor.now - row.at - timedelta(seconds=machine.uptime - row.uptime)
        return jump if abs(jump) > TOLERATED else timedelta(0)
    newest = audit.last(actor.session)
    checked_at = actor.session.scalar(select(func.max(ClockRow.at)))
    times = [at for at in (checked_at, newest.at if newest else None) if at is not None]
    gap = actor.now - max(times, default=actor.now)
    return timedelta(0) if -TOLERATED <= gap <= LONGEST_OFF else gap


def _record_check(actor: Actor, machine: Machine) -> None:
    actor.session.merge(ClockRow(host=machine.host, at=actor.now, uptime=float(machine.uptime)))
    actor.session.flush()


def _seconds(jump: timedelta) -> str:
    return f"{jump.total_seconds():+.0f} seconds"
