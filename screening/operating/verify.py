"""Proof of what is stored: database files, keys, audit log, and every screening assessed again."""

from collections import Counter
from collections.abc import Callable, Iterator

from sqlalchemy import inspect, select
from sqlalchemy.exc import NoResultFound
from sqlalchemy.orm import Session

from screening.operating import clock
from screening.services import editions
from screening.storage import audit, drafts, outbox, screenings, search, summaries
from screening.storage import editions as stored_editions
from screening.storage.database import integrity
from screening.storage.encryption import Keys
from screening.storage.private_files import KeyFault
from screening.storage.tables import Checked, DraftRow, ScreeningRow, Sealed
from screening.storage.worklist import CHANGES


def faults_of(session: Session, keys: Keys, progress: Callable[[int, int], None]) -> Iterator[str]:
    """Yield every fault of what is stored, in words. `progress` is told the screenings done and all."""
    if lost := audit.lost(session, keys):
        yield lost
    yield from integrity(session)
    yield from audit.verify(session, keys)
    yield from stored_editions.faults(session)
    if clock.doubt(session) is not None:
        yield "the clock jumped, and nobody has confirmed it: times noted since may be wrong"
    total = screenings.count(session)
    for done, fault in enumerate(prove(session, keys), start=1):
        if fault:
            yield fault
        progress(done, total)


def prove(session: Session, keys: Keys) -> Iterator[str]:
    """Assess every stored screening again under its own edition: yields "" where it is as stored, else the fault.

    What is stored must also be what the audit log tells: nothing is missing, put back or taken
    back.
    """
    told: dict[str, Counter[str]] = {}
    for event in audit.rows(session):
        if event.action in CHANGES:
            told.setdefault(event.subject, Counter())[event.action] += 1
    for screening_id, reference in session.execute(
        select(ScreeningRow.id, ScreeningRow.reference)
    ).all():
        done = told.pop(reference, Counter())
        try:
            row = session.get_one(ScreeningRow, screening_id)
            screening = screenings.read(session, keys, row)
            summaries.prove_copies(session, keys, row.id)
            _books, assessment = editions.assess(session, keys, screening)
            stored = screenings.state(row, keys)
            again = screenings.state_of(screening, assessment)
            if stored != again:
                yield f"{row.reference}: assessed again, it is {again}; stored was {stored}"
            elif done["clarified"] + done["reviewed"] != row.entries or (
                row.status == "new"
            ) == bool(done["opened"]):
                yield f"{row.reference}: {row.status} with {row.entries} entries, but the audit log tells {dict(done)}"
            elif done["submitted"] != 1 or done["deleted"]:
                yield f"{row.reference}: it was put back or never sent, the audit log tells {dict(done)}"
            elif not search.is_indexed(session, keys, row, screening.patient, screening.replaces):
                yield f"{row.reference}: what it is searched by was changed"
            elif (
                missing := set(range(row.entries + 1))
                - summaries.numbers(session, keys, row.id)
                - set(outbox.of(session, row, outbox.SUMMARY))
            ):
                yield f"{row.reference}: printed summaries are missing: {sorted(one + 1 for one in missing)}"
            else:
                yield ""
        # SQLite may hold what is no time any more
        except (KeyFault, NoResultFound, ValueError) as err:
            yield f"{reference}: {err}"
    for reference, done in told.items():
        if done["submitted"] > done["deleted"]:
            yield f"{reference}: it was sent and is missing"
    tables: list[type[Sealed]] = [DraftRow, *Checked.__subclasses__()]
    for table in tables:
        yield from _faults_of_table(session, keys, table)


def _faults_of_table(session: Session, keys: Keys, table: type[Sealed]) -> Iterator[str]:
    """Open every row of a table: each fault in words."""
    (key,) = inspect(table).primary_key
    for row_id, name in session.execute(select(key, getattr(table, "sign_in_name", key))).all():
        try:
            row = session.get_one(table, row_id)
            if isinstance(row, DraftRow):
                drafts.check(row, keys)
            for column in table.sealed_columns():
                row.unseal(keys, column)
        except (KeyFault, NoResultFound, ValueError) as err:
            yield f"{table.__tablename__} {str(name)[:8]}: {err}"
