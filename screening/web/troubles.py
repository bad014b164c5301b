"""What the inbox tells of summaries that could not be printed or delivered.

Its words are in `inbox.html`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from screening.delivery.channel import Channel
from screening.settings import as_called
from screening.storage import outbox

SHOWN = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """The same thing that went wrong with several summaries.

    `channel` is where they were to go, or empty where they could not be printed; `is_known` tells
    whether the settings still have it. `fault` is why, in one word, or empty where nobody has
    tried; `detail` is for whoever mends it.
    """

    kind: str
    channel: str
    is_known: bool
    fault: str
    detail: str
    failed: bool
    references: list[str]


def found(
    jobs: Sequence[tuple[str, str, bool, str]], channels: Mapping[str, Channel]
) -> Iterator[Trouble]:
    """Group jobs that somebody should look at (`outbox.troubled`) by what went wrong."""
    alike: dict[tuple[str, str, bool], dict[str, None]] = {}
    for kind, fault, failed, reference in jobs:
        # How printing failed matters to whoever mends it; to all others it is one and the same.
        alike.setdefault((kind, fault and kind if kind == outbox.SUMMARY else fault, failed), {})[
            reference
        ] = None
    for (kind, fault, failed), references in alike.items():
        word, _blank, detail = fault.partition(" ")
        channel = "" if kind == outbox.SUMMARY else kind.removeprefix(outbox.TO)
        is_known = not channel or channel in channels
        if not is_known:
            detail = as_called(f"flask delivery drop {channel}")
        yield Trouble(
            kind=kind,
            channel=channel,
            is_known=is_known,
            fault=word,
            detail=detail,
            failed=failed,
            references=list(references),
        )
