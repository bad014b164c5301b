"""Attempts that are counted in the database, by keyed hashes of names and addresses."""

from collections.abc import Mapping
from datetime import timedelta
from ipaddress import IPv6Address, ip_address

from sqlalchemy import func, select

from screening.storage.audit import Actor
from screening.storage.database import delete_in_order, take_turns
from screening.storage.tables import AttemptRow

LONGEST = timedelta(hours=1)  # for which an attempt is counted
AHEAD = timedelta(minutes=1)  # by which the clock of another machine may be fast


def network(address: str) -> str:
    """Return what counts as one address: an IPv4 address, or an IPv6 network of 64 bits.

    A single device has a whole such network and can change its address at will.
    """
    try:
        ip = ip_address(address)
    except ValueError:
        return address
    if not isinstance(ip, IPv6Address) or ip.is_loopback:
        return str(ip)
    return str(ip.ipv4_mapped or IPv6Address(int(ip) >> 64 << 64))


def count(actor: Actor, limits: Mapping[bytes, int], *, within: timedelta) -> list[int]:
    """Count an attempt under each key, in the caller's write transaction, and return its row ids.

    Where one of the limits was reached `within` this time, count nothing and return no ids. On
    PostgreSQL, too, attempts at the same time are counted one after the other.
    """
    session = actor.session
    take_turns(session)
    delete_in_order(session, AttemptRow.id, AttemptRow.at <= actor.now - LONGEST, wait=False)
    # Attempts with a later time were counted while the clock was fast.
    is_recent = AttemptRow.at.between(actor.now - within, actor.now + AHEAD)
    for key, limit in limits.items():
        counted = select(func.count()).where(AttemptRow.key == key, is_recent)
        if (session.scalar(counted) or 0) >= limit:
            return []
    rows = [AttemptRow(key=key, at=actor.now) for key in limits]
    session.add_all(rows)
    session.flush()
    return [row.id for row in rows]


def forget(actor: Actor, ids: list[int]) -> None:
    """Take back attempts that succeeded, in the caller's write transaction."""
    delete_in_order(actor.session, AttemptRow.id, AttemptRow.id.in_(ids), wait=False)
