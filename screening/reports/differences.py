"""The answers that differ between two summaries of one patient."""

from collections.abc import Iterator
from dataclasses import dataclass

from screening.reports.summary import AnswerRow, Summary


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A question with its rows in the earlier and in the later summary.

    None stands for a question that was not asked, or does not apply.
    """

    number: str
    earlier: AnswerRow | None
    later: AnswerRow | None
    differs: bool

    @property
    def asked(self) -> tuple[str, ...]:
        """Return the wording of the question, or both wordings where they differ."""
        return tuple(dict.fromkeys(row.asked for row in (self.earlier, self.later) if row))


def differences(earlier: Summary, later: Summary) -> Iterator[Difference]:
    """Yield the questions whose answer or wording differs, or whose earlier answer was clarified.

    No answer and "not sure" are answers of their own, and differ from "no".
    """
    before = {row.id: row for row in earlier.answers}
    after = {row.id: row for row in later.answers}
    for id in dict.fromkeys((*after, *before)):
        was = before.get(id)
        now = after.get(id)
        differs = was is None or now is None or _said(was) != _said(now)
        if differs or (was and was.established):
            row = now or was
            number = row.number if row else ""
            yield Difference(number=number, earlier=was, later=now, differs=differs)


def _said(row: AnswerRow) -> tuple[str, str, bool]:
    return row.asked, row.answer, row.is_open
