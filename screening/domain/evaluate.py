"""Apply a rule book to answers. Pure: the same book and answers always give the same assessment."""

from screening.domain.answers import Answers
from screening.domain.assessment import Assessment
from screening.domain.rules import Finding, FollowUp, Open, Question, RuleBook

LEFT_OPEN = (Open.PRIVATE, Open.UNSURE)  # by choice; where both were chosen, the first holds


def evaluate(book: RuleBook, answers: Answers) -> Assessment:
    """The assessment of `answers` under `book`.

    A rule applies when every answer it names has an accepted value. A question (or follow-up that
    applies) which rules read, and whose answer is unsure, private, missing or not one the book
    knows, gives a CLARIFY finding: open is never "no". A follow-up whose parent's answer does not
    open it is not asked and counts for nothing.
    """
    chosen: dict[str, tuple[str, ...]] = {}
    findings: list[Finding] = []
    for item in book.asked():
        if answers.applies(item):
            value = answers.value(item.id) or ()
            chosen[item.id] = (value,) if isinstance(value, str) else value
            how = _open(item, chosen[item.id])
            if how is not None and (finding := book.open_findings.get((item.id, how))) is not None:
                findings.append(finding)
    findings.extend(
        rule.finding
        for rule in book.rules
        if not any(accepted.isdisjoint(chosen.get(asked, ())) for asked, accepted in rule.when)
    )
    findings.sort(key=lambda one: (-one.severity, one.rank))
    return Assessment(digest=book.edition.digest, answers=answers, findings=tuple(findings))


def _open(asked: Question | FollowUp, chosen: tuple[str, ...]) -> Open | None:
    """How the question is still open, or None when it was answered."""
    for how in LEFT_OPEN:
        if how in chosen:
            return how
    if not chosen or (asked.options and asked.option_ids.isdisjoint(chosen)):
        return Open.MISSING
    return None
