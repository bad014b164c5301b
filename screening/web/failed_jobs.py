"""Jobs of the outbox that failed or are late, for the inbox; `inbox.html` has the words."""

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass

from screening.storage import outbox

SHOWN = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedJobs:
    """Jobs of one kind that failed for the same reason.

    `is_known` tells whether this installation does such jobs. `fault` is the reason in one word, or
    empty where there was no attempt yet; `detail` is for the person who repairs it. `failed` tells
    that there are no more attempts.
    """

    kind: str
    is_known: bool
    fault: str
    detail: str
    failed: bool
    references: list[str]


def grouped(
    jobs: Sequence[tuple[str, str, bool, str]], known: Container[str]
) -> Iterator[FailedJobs]:
    """Group jobs that need attention by kind and reason; `known` are the kinds done here."""
    alike: dict[tuple[str, str, bool], dict[str, None]] = {}
    for kind, fault, failed, reference in jobs:
        # Failures of printing are one group: only the person who repairs it needs the cause.
        alike.setdefault((kind, fault and kind if kind == outbox.SUMMARY else fault, failed), {})[
            reference
        ] = None
    for (kind, fault, failed), references in alike.items():
        word, _blank, detail = fault.partition(" ")
        yield FailedJobs(
            kind=kind,
            is_known=kind in known,
            fault=word,
            detail=detail,
            failed=failed,
            references=list(references),
        )
