"""Each rule of the shipped book as a table: when it applies, and what an open answer does."""

from __future__ import annotations

from typing import Any

import pytest

from screening.domain.evaluate import evaluate
from screening.domain.rules import Severity
from tests.builders import all_no, answers_of, book

KINDS = {"fires", "stays quiet", "unsure", "private", "missing"}

# Rule, kind of row, the answers that differ from "no" to everything (None: not answered), all
# findings in order.
ROWS: list[tuple[str, str, dict[str, str | None], list[str]]] = [
    ("pregnancy", "fires", {"pregnancy": "yes"}, ["pregnancy"]),
    ("pregnancy", "stays quiet", {"pregnancy": "no"}, []),
    ("pregnancy", "unsure", {"pregnancy": "unsure"}, ["clarify-pregnancy"]),
    ("pregnancy", "private", {"pregnancy": "private"}, ["clarify-pregnancy"]),
    ("pregnancy", "missing", {"pregnancy": None}, ["clarify-pregnancy"]),
    ("pregnancy_planned", "fires", {"pregnancy_planned": "yes"}, ["pregnancy_planned"]),
    ("pregnancy_planned", "stays quiet", {"pregnancy_planned": "no"}, []),
    ("pregnancy_planned", "stays quiet", {"pregnancy": "yes"}, ["pregnancy"]),
    ("pregnancy_planned", "unsure", {"pregnancy_planned": "unsure"}, ["clarify-pregnancy_planned"]),
    ("pregnancy_planned", "unsure", {"pregnancy": "unsure"}, ["clarify-pregnancy"]),
    (
        "pregnancy_planned",
        "private",
        {"pregnancy_planned": "private"},
        ["clarify-pregnancy_planned"],
    ),
    ("pregnancy_planned", "private", {"pregnancy": "private"}, ["clarify-pregnancy"]),
    ("pregnancy_planned", "missing", {"pregnancy_planned": None}, ["clarify-pregnancy_planned"]),
    ("pregnancy_planned", "missing", {"pregnancy": None}, ["clarify-pregnancy"]),
    ("breastfeeding", "fires", {"breastfeeding": "yes"}, ["breastfeeding"]),
    ("breastfeeding", "stays quiet", {"breastfeeding": "no"}, []),
    ("breastfeeding", "unsure", {"breastfeeding": "unsure"}, ["clarify-breastfeeding"]),
    ("breastfeeding", "private", {"breastfeeding": "private"}, ["clarify-breastfeeding"]),
    ("breastfeeding", "missing", {"breastfeeding": None}, ["clarify-breastfeeding"]),
    ("infection", "fires", {"infection": "yes"}, ["infection"]),
    ("infection", "stays quiet", {"infection": "no"}, []),
    ("infection", "unsure", {"infection": "unsure"}, ["clarify-infection"]),
    ("infection", "private", {"infection": "private"}, ["clarify-infection"]),
    ("infection", "missing", {"infection": None}, ["clarify-infection"]),
    ("hypersensitivity", "fires", {"hypersensitivity": "yes"}, ["hypersensitivity"]),
    ("hypersensitivity", "stays quiet", {"hypersensitivity": "no"}, []),
    ("hypersensitivity", "unsure", {"hypersensitivity": "unsure"}, ["clarify-hypersensitivity"]),
    ("hypersensitivity", "private", {"hypersensitivity": "private"}, ["clarify-hypersensitivity"]),
    ("hypersensitivity", "missing", {"hypersensitivity": None}, ["clarify-hypersensitivity"]),
    ("iud", "fires", {"iud": "yes"}, ["iud"]),
    ("iud", "fires", {"iud": "yes", "iud_type": "unsure"}, ["iud"]),
    ("iud", "stays quiet", {"iud": "no"}, []),
    ("iud", "unsure", {"iud": "unsure"}, ["clarify-iud"]),
    ("iud", "private", {"iud": "private"}, ["clarify-iud"]),
    ("iud", "missing", {"iud": None}, ["clarify-iud"]),
    ("vaccines", "fires", {"vaccines": "yes"}, ["vaccines"]),
    ("vaccines", "stays quiet", {"vaccines": "no"}, []),
    ("vaccines", "unsure", {"vaccines": "unsure"}, ["clarify-vaccines"]),
    ("vaccines", "private", {"vaccines": "private"}, ["clarify-vaccines"]),
    ("vaccines", "missing", {"vaccines": None}, ["clarify-vaccines"]),
]

# Rule, severity, the facts it rests on, the beginning of how far other references agree ("" where
# nothing is noted).
FINDINGS = [
    ("pregnancy", Severity.CONTRAINDICATION, ["F3"], "Sources disagree"),
    ("pregnancy_planned", Severity.CAUTION, ["F10"], "Sources disagree"),
    ("breastfeeding", Severity.CONTRAINDICATION, ["F4"], "Sources disagree"),
    ("infection", Severity.CONTRAINDICATION, ["F5", "F17"], "Sources differ in strength"),
    ("hypersensitivity", Severity.CONTRAINDICATION, ["F6"], "Sources agree"),
    ("iud", Severity.CAUTION, ["F11"], "Weak and contested"),
    ("vaccines", Severity.CAUTION, ["F18"], "Depends on the type of vaccine"),
]


def findings_of(**changes: Any) -> list[str]:
    return [
        finding.rule
        for finding in evaluate(book(), answers_of(book(), **all_no(**changes))).findings
    ]


@pytest.mark.parametrize(("rule", "kind", "changes", "findings"), ROWS)
def test_rule(rule: str, kind: str, changes: dict[str, str | None], findings: list[str]) -> None:
    assert (rule in findings) is (kind == "fires"), "the row does not say what its kind says"
    assert findings_of(**changes) == findings


def test_every_rule_has_a_row_of_every_kind() -> None:
    kinds = {
        rule.finding.rule: {kind for name, kind, _, _ in ROWS if name == rule.finding.rule}
        for rule in book().rules
    }
    assert kinds == dict.fromkeys(kinds, KINDS)
    assert {name for name, *_ in ROWS} == set(kinds), (
        "a row is about a rule that the book does not have"
    )


@pytest.mark.parametrize(
    ("rule", "severity", "facts", "agreement"), FINDINGS, ids=[row[0] for row in FINDINGS]
)
def test_rule_has_the_severity_and_the_facts_of_the_source(
    rule: str, severity: Severity, facts: list[str], agreement: str
) -> None:
    finding = next(shipped.finding for shipped in book().rules if shipped.finding.rule == rule)
    assert finding.severity is severity
    assert [fact.id for fact in finding.cites] == facts
    assert (finding.evidence.agreement if finding.evidence else "") == agreement


def test_every_rule_has_a_severity_stated_here() -> None:
    assert [rule.finding.rule for rule in book().rules] == [name for name, *_ in FINDINGS]


def test_severity_comes_before_the_order_of_the_questions() -> None:
    changes = {
        "pregnancy_planned": "yes",
        "breastfeeding": "unsure",
        "iud": "yes",
        "hypersensitivity": "yes",
    }
    assert findings_of(**changes, vaccines="private", infection="yes") == [
        "infection",
        "hypersensitivity",
        "clarify-breastfeeding",
        "clarify-vaccines",
        "pregnancy_planned",
        "iud",
    ]
