"""Apply a rule book to answers. Pure: the same book and answers always give the same assessment."""

from screening.domain.answers import Answers, Value
from screening.domain.assessment import Assessment
from screening.domain.rules import Finding, FollowUp, Open, Question, RuleBook


def evaluate(book: RuleBook, answers: Answers) -> Assessment:
    """The assessment of `answers` under `book`.

    A rule applies when every answer it names has an accepted value. A question (or follow-up that applies) which rules
    read, and whose answer is unsure, private, missing or not one the book knows, gives a CLARIFY finding: open is never
    "no". A follow-up whose parent's answer does not open it is not asked and counts for nothing.
    """
    values: dict[str, Value] = {}
    findings: list[Finding] = []
    for question in book.questions:
        _take(book, question, answers.value(question.id), values, findings)
        for follow_up in question.follow_ups:
            if values.get(question.id) in follow_up.when:
                _take(book, follow_up, answers.value(follow_up.id), values, findings)
    findings.extend(
        rule.finding
        for rule in book.rules
        if all(_accepts(accepted, values.get(asked)) for asked, accepted in rule.when)
    )
    findings.sort(key=_order)
    return Assessment(digest=book.edition.digest, answers=answers, findings=tuple(findings))


def _take(
    book: RuleBook, asked: Question | FollowUp, value: Value | None, values: dict[str, Value], findings: list[Finding]
) -> None:
    """Note the value of a question that is asked, and the finding that it is open where rules read it."""
    if value is not None:
        values[asked.id] = value
    unanswered = _open(asked, value)
    if unanswered is not None:
        finding = book.open_findings.get((asked.id, unanswered))
        if finding is not None:
            findings.append(finding)


def _open(asked: Question | FollowUp, value: Value | None) -> Open | None:
    """How the question is still open, or None when it was answered."""
    for how in (Open.PRIVATE, Open.UNSURE):
        if value == how or (isinstance(value, tuple) and how in value):
            return how
    if not value or (asked.options and not _accepts(asked.option_ids, value)):
        return Open.MISSING
    return None


def _accepts(accepted: frozenset[str], value: Value | None) -> bool:
    """Whether the value, or any of several values, is one of those accepted."""
    if isinstance(value, str):
        return value in accepted
    return value is not None and not accepted.isdisjoint(value)


def _order(finding: Finding) -> tuple[int, int]:
    return (-finding.severity, finding.rank)
