"""Build the domain's rule book from the tables of one that was proven."""

from collections.abc import Mapping
from dataclasses import fields
from types import MappingProxyType
from typing import Any, TypeVar

from screening.domain import rules as domain
from screening.rulebooks import shape

RANKS = 10_000  # more than any book has rules: ranks within one question's findings
Value = TypeVar("Value")


def build(
    book: shape.Book, language: str, translation_status: str, **outside: Any
) -> domain.RuleBook:
    """Return the rule book in the language of the tables. Nothing is checked here.

    `outside` are the values of the edition outside of its tables: digest, content and approvals.
    """
    facts = {table.id: _value(domain.Fact, table) for table in book.fact}
    questions = tuple(_question(table, dict(book.choice)) for table in book.question)
    items = [item for question in questions for item in question.page]
    rank = {item.id: index * RANKS for index, item in enumerate(items)}
    reasons = dict(book.open)
    alone = f"{reasons['alone']} "
    read_by_rules: dict[str, list[domain.Fact]] = {}
    rules = []
    for number, rule in enumerate(book.rule, start=1):
        cites = _cited(rule, facts)
        for item_id in rule.when:
            read_by_rules.setdefault(item_id, []).extend(cites)
        answer = max(rule.when, key=rank.__getitem__)
        finding = _value(
            domain.Finding,
            rule,
            rule=rule.id,
            answer=answer,
            severity=domain.Severity[rule.severity.upper()],
            open=None,
            evidence=rule.evidence and _value(domain.Evidence, rule.evidence),
            cites=cites,
            rank=rank[answer] + number,
        )
        when = tuple(sorted((item_id, frozenset(values)) for item_id, values in rule.when.items()))
        rules.append(domain.Rule(when=when, finding=finding))
    open_findings = {
        (item.id, how): domain.Finding(
            rule=f"clarify-{item.id}",
            answer=item.id,
            severity=domain.Severity.CLARIFY,
            title=item.topic,
            reason=reasons[how.value],
            confirm=alone + item.clarify if how is domain.Open.PRIVATE else item.clarify,
            open=how,
            evidence=None,
            cites=tuple(dict.fromkeys(read_by_rules[item.id])),
            rank=rank[item.id],
        )
        for item in items
        if item.id in read_by_rules
        for how in domain.Open
    }
    return domain.RuleBook(
        edition=_value(domain.Edition, book.edition, **outside),
        language=language,
        translation_status=translation_status,
        medicine=_value(domain.Medicine, book.medicine),
        sources=tuple(_value(domain.Source, table) for table in book.source),
        facts=tuple(facts.values()),
        questions=questions,
        rules=tuple(rules),
        open_findings=MappingProxyType(open_findings),
        checklist=tuple(
            _value(domain.ChecklistItem, table, cites=_cited(table, facts))
            for table in book.checklist
        ),
        leaflet=tuple(
            _value(domain.LeafletPart, table, cites=_cited(table, facts)) for table in book.leaflet
        ),
        not_screened=tuple(table.text for table in book.not_screened),
    )


def _value(kind: type[Value], table: shape.Table, /, **values: Any) -> Value:
    """Return a value of the domain: fields not in `values` are those of the table."""
    names = {field.name for field in fields(kind)} - values.keys()  # type: ignore[arg-type]
    return kind(**{name: getattr(table, name) for name in names}, **values)


def _question(table: shape.Question, labels: Mapping[str, str]) -> domain.Question:
    follow_ups = tuple(
        _value(
            domain.FollowUp,
            follow_up,
            parent=table.id,
            when=frozenset(follow_up.when),
            kind=domain.Kind(follow_up.kind),
            **_options(follow_up, labels),
        )
        for follow_up in table.follow_up
    )
    return _value(domain.Question, table, follow_ups=follow_ups, **_options(table, labels))


def _options(table: shape.Question | shape.FollowUp, labels: Mapping[str, str]) -> dict[str, Any]:
    own_options = () if isinstance(table, shape.Question) else table.options
    options = [domain.Option(id=choice, label=labels[choice]) for choice in table.choices]
    options += [_value(domain.Option, option) for option in own_options if not table.choices]
    return {"options": tuple(options), "option_ids": frozenset(option.id for option in options)}


def _cited(
    table: shape.Rule | shape.ChecklistItem | shape.LeafletPart, facts: Mapping[str, domain.Fact]
) -> tuple[domain.Fact, ...]:
    return tuple(facts[fact_id] for fact_id in table.cites)
