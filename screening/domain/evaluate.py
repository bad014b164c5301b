"""Apply a rule book to answers: the same book and answers always give the same assessment."""

from screening.domain.answers import Answers
from screening.domain.assessment import Assessment
from screening.domain.rules import Finding, FollowUp, Open, Question, RuleBook

LEFT_OPEN = (Open.PRIVATE, Open.UNSURE)  # by choice; where both were chosen, the first counts


def evaluate(book: RuleBook, answers: Answers) -> Assessment:
    """Return the assessment of `answers` under `book`.

    A rule applies when every answer it names has an accepted value. A question that rules read
    gives a CLARIFY finding when its answer is unsure, private, missing or unknown to the book: open
    is never "no". The same holds for a follow-up, unless the answer to its parent question does
    not open it: then it is not asked and is ignored.
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
        if not any(accepted.isdisjoint(chosen.get(item_id, ())) for item_id, accepted in rule.when)
    )
    findings.sort(key=lambda finding: (-finding.severity, finding.rank))
    return Assessment(digest=book.edition.digest, answers=answers, findings=tuple(findings))


def _open(item: Question | FollowUp, chosen: tuple[str, ...]) -> Open | None:
    """Return how the question or follow-up is still open, or None when it was answered."""
    for how in LEFT_OPEN:
        if how in chosen:
            return how
    if not chosen or (item.options and item.option_ids.isdisjoint(chosen)):
        return Open.MISSING
    return None
