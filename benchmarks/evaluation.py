"""Evaluating the rule book, compared to zen-engine with the same rules as a decision table."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TypeVar

import zen

from benchmarks.timing import Side, Table, Times, fastest, take_turns
from benchmarks.usual_case import book
from screening.domain.answers import Answers, read_answers
from screening.domain.evaluate import evaluate
from screening.domain.rules import Finding, FollowUp, Kind, Open, RuleBook

CASES = 400
ROUNDS = 60
QUICK_ROUNDS = 6
PASSES = 3  # over all cases; the fastest counts
SEED = 20260302

Case = dict[str, str | None]
Input = TypeVar("Input")


def measure(quick: bool) -> Table:
    """Time both engines over all cases, after a check that they return the same findings."""
    rules = book()
    cases = random_cases(rules, CASES)
    answers = [read_answers(rules, case) for case in cases]
    table = zen.ZenEngine().create_decision(json.dumps(decision_table(rules)))
    _check_same(rules, table, cases, answers)
    ours, theirs = take_turns(
        "evaluation",
        [
            Side(name="evaluate", run=partial(_all, partial(evaluate, rules), answers)),
            Side(name="zen-engine", run=partial(_all, table.evaluate, cases)),
        ],
        rounds=QUICK_ROUNDS if quick else ROUNDS,
        warm_up=2,
    )
    return Table(
        title="Evaluating the rule book",
        head=("Evaluation", "median", "each second", "ratio to zen-engine", "to reach"),
        rows=(
            ("evaluate", *_each(ours), ours.ratio_to(theirs), "at most 0.20"),
            ("zen-engine, decision table", *_each(theirs), "1", ""),
        ),
        notes=(
            f"{len(cases)} random cases; for each both named the same findings in the same order. "
            f"{len(ours.seconds)} rounds, in turns; of {PASSES} passes over all cases the fastest "
            "counts. The middle half of the ratios is in brackets.",
        ),
    )


def random_cases(rules: RuleBook, count: int) -> list[Case]:
    """Return cases that a patient could send, some with missing answers; each run has the same."""
    chance = random.Random(SEED)
    cases = []
    for _ in range(count):
        case: Case = {}
        for question in rules.questions:
            case[question.id] = chance.choice([None, *sorted(question.option_ids)])
            for follow_up in question.follow_ups:
                if follow_up.kind is Kind.ONE and case[question.id] in follow_up.when:
                    case[follow_up.id] = chance.choice([None, *sorted(follow_up.option_ids)])
        cases.append(case)
    return cases


def decision_table(rules: RuleBook) -> dict[str, object]:
    """Return the rule book as a JSON decision model: a table that collects every matching row.

    The rows have the order in which findings are listed, so the result needs no sorting.
    """
    columns = {
        item.id: item for item in rules.asked() if (item.id, Open.MISSING) in rules.open_findings
    }
    if any(item.kind is not Kind.ONE for item in columns.values()):
        raise RuntimeError(
            "a rule reads an answer of several options; the decision table has no row for that yet"
        )

    def cells(conditions: Mapping[str, str]) -> dict[str, str]:
        """Return the conditions, with a condition that each follow-up among them was asked."""
        opened = {}
        for item_id in conditions:
            item = columns[item_id]
            if isinstance(item, FollowUp) and item.parent not in conditions:
                opened[item.parent] = _any_of(item.when)
        return {**opened, **conditions}

    rows: list[tuple[Finding, dict[str, str]]] = [
        (rule.finding, cells({item_id: _any_of(accepted) for item_id, accepted in rule.when}))
        for rule in rules.rules
    ]
    for (item_id, reason), finding in rules.open_findings.items():
        condition = "null" if reason is Open.MISSING else _any_of([reason.value])
        rows.append((finding, cells({item_id: condition})))
    rows.sort(key=lambda row: (-row[0].severity, row[0].rank))
    content = {
        "hitPolicy": "collect",
        "inputs": [{"id": item_id, "name": item_id, "field": item_id} for item_id in columns],
        "outputs": [{"id": "rule", "name": "rule", "field": "rule"}],
        "rules": [
            {
                "_id": f"row-{number}",
                **{item_id: conditions.get(item_id, "") for item_id in columns},
                "rule": json.dumps(finding.rule),
            }
            for number, (finding, conditions) in enumerate(rows)
        ],
    }
    return {
        "nodes": [
            {"id": "in", "type": "inputNode", "name": "answers"},
            {"id": "table", "type": "decisionTableNode", "name": "rules", "content": content},
            {"id": "out", "type": "outputNode", "name": "findings"},
        ],
        "edges": [
            {"id": "1", "sourceId": "in", "targetId": "table", "type": "edge"},
            {"id": "2", "sourceId": "table", "targetId": "out", "type": "edge"},
        ],
    }


def _any_of(values: Sequence[str] | frozenset[str]) -> str:
    return ", ".join(json.dumps(value) for value in sorted(values))


def _check_same(
    rules: RuleBook, table: zen.ZenDecision, cases: Sequence[Case], answers: Sequence[Answers]
) -> None:
    for case, case_answers in zip(cases, answers, strict=True):
        ours = [finding.rule for finding in evaluate(rules, case_answers).findings]
        theirs = [row["rule"] for row in table.evaluate(case)["result"]]
        if ours != theirs:
            raise RuntimeError(
                f"not the same job: for {case} ours finds {ours}, zen-engine {theirs}"
            )


def _all(job: Callable[[Input], object], cases: Sequence[Input]) -> float:
    """Return the seconds of a case, as the mean over all of them."""

    def run() -> None:
        for case in cases:
            job(case)

    return fastest(run, PASSES) / len(cases)


def _each(times: Times) -> tuple[str, str]:
    return f"{times.median * 1e6:.1f} µs", f"{1 / times.median:,.0f}"
