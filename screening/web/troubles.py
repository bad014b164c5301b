"""What the inbox says about summaries that could not be printed or delivered."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from flask_babel import gettext as _
from flask_babel import ngettext

from screening.delivery.channel import REASONS, Channel, Fault
from screening.settings import as_called
from screening.storage import outbox

SHOWN = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """The same thing that went wrong with several summaries.

    `detail` is a code for whoever mends it, `again` what happens next; empty where pressing a button is of no use.
    """

    kind: str
    title: str
    reason: str
    detail: str
    again: str
    references: list[str]

    @property
    def shown(self) -> list[str]:
        """The first of them."""
        return self.references[:SHOWN]

    @property
    def more(self) -> int:
        """How many are not shown."""
        return len(self.references) - len(self.shown)


def found(jobs: Sequence[tuple[str, str, bool, str]], channels: Mapping[str, Channel]) -> list[Trouble]:
    """The troubles behind these jobs (`outbox.troubled`), in words."""
    alike: dict[tuple[str, str, bool], dict[str, None]] = {}
    for kind, fault, failed, reference in jobs:
        # How printing failed matters to whoever mends it; to all others it is one and the same.
        alike.setdefault((kind, fault and kind if kind == outbox.SUMMARY else fault, failed), {})[reference] = None
    more = _("There are more.") if len(jobs) >= outbox.MOST_SHOWN else ""
    return [_trouble(*key, list(references), channels, more) for key, references in alike.items()]


def _trouble(
    kind: str, fault: str, failed: bool, references: list[str], channels: Mapping[str, Channel], more: str
) -> Trouble:
    word, _blank, detail = fault.partition(" ")
    name, count = kind.removeprefix(outbox.TO), len(references)
    if kind == outbox.SUMMARY:
        title = ngettext(
            "The PDF of %(num)s screening could not be made.",
            "The PDFs of %(num)s screenings could not be made.",
            count,
        )
        reason, detail = _("Nothing is lost: the screening pages show the same information."), ""
    else:
        title = ngettext(
            "%(num)s summary was not delivered to “%(name)s”.",
            "%(num)s summaries were not delivered to “%(name)s”.",
            count,
            name=name,
        )
        reason = _(REASONS[Fault(word)]) if word in REASONS else _("Something went wrong.") + f" ({word})"
    again = _("It will not be retried automatically.") if failed else _("It will be retried automatically.")
    if kind != outbox.SUMMARY and name not in channels:
        reason = _("This channel is no longer in the settings. To discard what is waiting for it, an admin runs:")
        detail, again = as_called(f"flask delivery drop {name}"), ""
    elif not fault:
        reason, again = _("It is waiting: the server that should process it is not running."), ""
    title = f"{title} {more}".strip()
    return Trouble(kind=kind, title=title, reason=reason, detail=detail, again=again, references=references)
