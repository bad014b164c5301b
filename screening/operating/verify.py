"""Prove database files, keys and audit log, and assess every stored screening again."""

from collections import Counter
from collections.abc import Callable, Iterator

from sqlalchemy import inspect, select
from sqlalchemy.exc import NoResultFound
from sqlalchemy.orm import Session

from screening.operating import clock
from screening.services import editions
from screening.storage import audit, drafts, links, outbox, screenings, search, summaries
from screening.storage import editions as stored_editions
from screening.storage.database import integrity
from screening.storage.encryption import Keys
from screening.storage.links import LINKED, PARTED
from screening.storage.private_files import KeyFault
from screening.storage.tables import Checked, DraftRow, ScreeningRow, Sealed
from screening.storage.worklist import CHANGES


def faults_of(
    session: Session, keys: Keys, progress: Callable[[int, int], None], *, head_folder: str
) -> Iterator[str]:
    """Yield every fault in words. `progress` takes the numbers of screenings done and in all.

    `head_folder` is the folder elsewhere in which the end of the audit log is noted, or "".
    """
    if lost := audit.lost(session, keys, head_folder):
        yield lost
    yield from integrity(session)
    yield from audit.verify(session, keys)
    yield from audit.checksum_faults(session, keys)
    yield from stored_editions.faults(session)
    if clock.doubt(session) is not None:
        yield "the clock jumped, and nobody has confirmed it: times noted since may be wrong"
    total = screenings.count(session)
    for done, fault in enumerate(prove(session, keys), start=1):
        if fault:
            yield fault
        progress(done, total)


def prove(session: Session, keys: Keys) -> Iterator[str]:
    """Assess every stored screening again under its own edition, and yield its fault, or "".

    Screenings must also agree with the audit log: none is missing, none was put back to an earlier
    state, and no deleted one is there again. Then yield the faults of the other tables.
    """
    events: dict[str, Counter[str]] = {}
    decided: dict[str, bool] = {}
    for event in audit.rows(session):
        if event.action in CHANGES:
            events.setdefault(event.subject, Counter())[event.action] += 1
        elif event.action in (LINKED, PARTED):
            decided[event.subject] = event.action == LINKED
    query = select(ScreeningRow.id, ScreeningRow.reference)
    for screening_id, reference in session.execute(query).all():
        counts = events.pop(reference, Counter())
        try:
            fault = _fault_of(session, keys, session.get_one(ScreeningRow, screening_id), counts)
        # ValueError: SQLite may store a text that is no time.
        except (KeyFault, NoResultFound, ValueError) as err:
            fault = str(err)
        yield f"{reference}: {fault}" if fault else ""
    for reference, counts in events.items():
        if counts["submitted"] > counts["deleted"]:
            yield f"{reference}: it was sent and is missing"
    yield from links.faults(session, decided)
    tables: list[type[Sealed]] = [DraftRow, *Checked.__subclasses__()]
    for table in tables:
        yield from _faults_of_table(session, keys, table)


def _fault_of(session: Session, keys: Keys, row: ScreeningRow, counts: Counter[str]) -> str:
    """Return the fault of one screening, or "". `counts` are its events in the audit log."""
    screening = screenings.read(session, keys, row)
    summaries.prove_copies(session, keys, row.id)
    _books, assessment = editions.assess(session, keys, screening)
    stored = screenings.state(row, keys)
    again = screenings.state_of(screening, assessment)
    if stored != again:
        return f"assessed again, it is {again}; stored was {stored}"
    noted = f"the audit log has {dict(counts)}"
    has_all_entries = counts["clarified"] + counts["reviewed"] == row.entries
    if not has_all_entries or (row.status == "new") == bool(counts["opened"]):
        return f"{row.status} with {row.entries} entries, but {noted}"
    if counts["submitted"] != 1 or counts["deleted"]:
        return f"it was put back or never sent, {noted}"
    if not search.is_indexed(session, keys, row, screening.patient, screening.replaces):
        return "what it is searched by was changed"
    waiting = outbox.of(session, row, outbox.SUMMARY)
    printed = summaries.numbers(session, keys, row.id) | set(waiting)
    if missing := set(range(row.entries + 1)) - printed:
        return f"printed summaries are missing: {sorted(number + 1 for number in missing)}"
    return ""


def _faults_of_table(session: Session, keys: Keys, table: type[Sealed]) -> Iterator[str]:
    """Open every row of a table, and yield each fault in words."""
    (key,) = inspect(table).primary_key
    for row_id, name in session.execute(select(key, getattr(table, "sign_in_name", key))).all():
        try:
            row = session.get_one(table, row_id)
            if isinstance(row, DraftRow):
                drafts.check(row, keys)
            row.prove(keys)
        except (KeyFault, NoResultFound, ValueError) as err:
            yield f"{table.__tablename__} {str(name)[:8]}: {err}"
