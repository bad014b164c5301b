"""Do the jobs of the outbox, one by one.

A failed job is noted there and tried again later.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from sqlalchemy.orm import Session

from screening.printing.renderer_process import PrintingFailed
from screening.printing.signature import CannotSign
from screening.storage import outbox
from screening.storage.audit import Actor
from screening.storage.database import write
from screening.storage.private_files import KeyFault


class JobFailed(Exception):
    """Raised where a job failed, or where nobody knows whether it failed.

    `fault` is one of `ExtensionPoints.reasons`; `detail` is a code or a file, nothing personal.
    """

    def __init__(self, fault: str, detail: str = "") -> None:
        super().__init__(f"{fault} {detail}".strip())
        self.fault = fault
        self.detail = detail


def work(
    session: Session,
    kind: str,
    do: Callable[[outbox.Job], None],
    *,
    now: datetime,
    screening_id: str = "",
    attempts: int = outbox.ATTEMPTS,
) -> bool:
    """Do the job of a kind (of a screening) that has been due for longest; False if none is due.

    `do` removes the job from the outbox when it is done. A failure is noted there, and the job is
    tried again until there were that many `attempts`.
    """
    if not outbox.is_due(session, kind, now=now):
        return False
    with write(session):
        job = outbox.take(session, kind, now=now, screening_id=screening_id, attempts=attempts)
    if job is None:
        return False
    try:
        do(job)
    except Exception as err:  # noqa: BLE001 - whatever it is, the job must be seen and tried again
        said = isinstance(err, PrintingFailed | CannotSign | JobFailed | KeyFault)
        with write(session):
            fault = str(err) if said else type(err).__name__
            outbox.put_off(session, job, fault, now=datetime.now(UTC))
    return True


def retry(actor: Actor, references: Sequence[str] = (), *, kind: str = "") -> int:
    """Make failed jobs due now, all or those asked for. Return how many there were."""
    with write(actor.session):
        jobs = outbox.retry(actor.session, references, kind=kind, now=actor.now)
        actor.note("retried", detail=f"{jobs} jobs")
    return jobs
