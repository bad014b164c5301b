"""The domain's rule book from the tables of one that was proven."""

from collections.abc import Mapping
from dataclasses import fields
from types import MappingProxyType
from typing import Any, TypeVar

from screening.domain import rules as domain
from screening.rulebooks import shape

RANKS = 10_000  # more than any book has rules: ranks within one question's findings
Built = TypeVar("Built")


def build(book: shape.Book, language: str, translation_status: str, **kept: Any) -> domain.RuleBook:
    """Return the rule book in the language in which the tables are. Nothing is checked here.

    `kept` is what the edition has that is not in its tables: digest, content and approvals.
    """
    facts = {one.id: _made(domain.Fact, one) for one in book.fact}
    questions = tuple(_question(one, dict(book.choice)) for one in book.question)
    asked = [item for question in questions for item in question.page]
    rank = {item.id: place * RANKS for place, item in enumerate(asked)}
    reasons = dict(book.open)
    read_by_rules: dict[str, list[domain.Fact]] = {}
    rules = []
    for number, rule in enumerate(book.rule, start=1):
        cites = _cited(rule, facts)
        for item in rule.when:
            read_by_rules.setdefault(item, []).extend(cites)
        answer = max(rule.when, key=rank.__getitem__)
        finding = _made(
            domain.Finding,
            rule,
            rule=rule.id,
            answer=answer,
            severity=domain.Severity[rule.severity.upper()],
            open=None,
            evidence=rule.evidence and _made(domain.Evidence, rule.evidence),
            cites=cites,
            rank=rank[answer] + number,
        )
        when = tuple(sorted((item, frozenset(values)) for item, values in rule.when.items()))
        rules.append(domain.Rule(when=when, finding=finding))
    open_findings = {
        (item.id, how): domain.Finding(
            rule=f"clarify-{item.id}",
            answer=item.id,
            severity=domain.Severity.CLARIFY,
            title=item.topic,
            reason=reasons[how.value],
            confirm=f"{reasons['alone']} {item.clarify}"
            if how is domain.Open.PRIVATE
            else item.clarify,
            open=how,
            evidence=None,
            cites=tuple(dict.fromkeys(read_by_rules[item.id])),
            rank=rank[item.id],
        )
        for item in asked
        if item.id in read_by_rules
        for how in domain.Open
    }
    return domain.RuleBook(
        edition=_made(domain.Edition, book.edition, **kept),
        language=language,
        translation_status=translation_status,
        medicine=_made(domain.Medicine, book.medicine),
        sources=tuple(_made(domain.Source, one) for one in book.source),
        facts=tuple(facts.values()),
        questions=questions,
        rules=tuple(rules),
        open_findings=MappingProxyType(open_findings),
        checklist=tuple(
            _made(domain.ChecklistItem, one, cites=_cited(one, facts)) for one in book.checklist
        ),
        leaflet=tuple(
            _made(domain.LeafletPart, one, cites=_cited(one, facts)) for one in book.leaflet
        ),
        not_screened=tuple(one.text for one in book.not_screened),
    )


def _made(kind: type[Built], table: shape.Table, /, **given: Any) -> Built:
    """Return one of the domain's dataclasses; what is not given stands in the table under the same name."""
    read = {one.name: getattr(table, one.name) for one in fields(kind) if one.name not in given}  # type: ignore[arg-type]
    return kind(**read, **given)


def _question(table: shape.Question, labels: Mapping[str, str]) -> domain.Question:
    follow_ups = tuple(
        _made(
            domain.FollowUp,
            one,
            parent=table.id,
            when=frozenset(one.when),
            kind=domain.Kind(one.kind),
            **_options(one, labels),
        )
        for one in table.follow_up
    )
    return _made(domain.Question, table, follow_ups=follow_ups, **_options(table, labels))


def _options(table: shape.Question | shape.FollowUp, labels: Mapping[str, str]) -> dict[str, Any]:
    own = () if isinstance(table, shape.Question) else table.options
    options = [domain.Option(id=one, label=labels[one]) for one in table.choices] or [
        _made(domain.Option, one) for one in own
    ]
    return {"options": tuple(options), "option_ids": frozenset(one.id for one in options)}


def _cited(
    table: shape.Rule | shape.ChecklistItem | shape.LeafletPart, facts: Mapping[str, domain.Fact]
) -> tuple[domain.Fact, ...]:
    return tuple(facts[one] for one in table.cites)
