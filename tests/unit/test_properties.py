"""What must hold for every way of filling in the questionnaire, tried on generated ones."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from screening.domain.answers import Answer, Answers, read_answers
from screening.domain.assessment import Assessment
from screening.domain.evaluate import evaluate
from screening.domain.rules import Open, Severity
from screening.rulebooks.load import load_content
from tests.builders import answers_of
from tests.unit.small_book import book, books

# The same cases on every run: a failure is about the change at hand, not about luck.
every_case = settings(deadline=None, derandomize=True, max_examples=150)

CHOICES = ("yes", "no", "unsure", "private")
READ_BY_RULES = ("pregnancy", "pregnancy_planned", "infection", "iud", "vaccines")
WHEN_YES = {
    "pregnancy": Severity.CONTRAINDICATION,
    "pregnancy_planned": Severity.CAUTION,
    "infection": Severity.CONTRAINDICATION,
    "iud": Severity.CAUTION,
    "vaccines": Severity.CAUTION,
}
WORDS = st.text("abc ñé\u0645\u0631 12.", max_size=12)
DETAILS: dict[str, st.SearchStrategy[Any]] = {
    "infection_symptoms": st.lists(st.sampled_from(["fever", "chills", "aches", "other"])),
    "infection_since": WORDS,
    "iud_type": st.sampled_from(["copper", "hormonal", "unsure"]),
    "vaccines_which": WORDS,
}
OPENED_BY = {
    "pregnancy_planned": ("pregnancy", {"no"}),
    "infection_symptoms": ("infection", {"yes", "unsure"}),
    "infection_since": ("infection", {"yes", "unsure"}),
    "iud_type": ("iud", {"yes"}),
    "vaccines_which": ("vaccines", {"yes"}),
}


def without_closed(values: dict[str, Any]) -> dict[str, Any]:
    """The values a page can send: follow-ups only where the choice above them opens them."""
    return {
        asked: value
        for asked, value in values.items()
        if asked not in OPENED_BY or values.get(OPENED_BY[asked][0]) in OPENED_BY[asked][1]
    }


filled_in = st.fixed_dictionaries(
    {}, optional={**{asked: st.sampled_from(CHOICES) for asked in READ_BY_RULES}, **DETAILS}
).map(without_closed)


def assess(values: dict[str, Any], language: str = "en") -> Assessment:
    return evaluate(book(language), read_answers(book(language), without_closed(values)))


def ids(assessment: Assessment) -> list[str]:
    return [finding.rule for finding in assessment.findings]


def extra(asked: str, value: str | tuple[str, ...]) -> Answer:
    """An answer as an earlier state of the form could have left it, whether or not it applies."""
    return Answer(id=asked, value=value, asked="", shown="", language="en")


@every_case
@given(filled_in, st.sampled_from(READ_BY_RULES))
def test_an_adverse_answer_in_place_of_no_never_lowers_the_outcome(
    values: dict[str, Any], asked: str
) -> None:
    values = values | ({"pregnancy": "no"} if asked == "pregnancy_planned" else {})
    assert assess(values | {asked: "yes"}).outcome >= assess(values | {asked: "no"}).outcome


@every_case
@given(filled_in, st.sampled_from(READ_BY_RULES))
def test_an_adverse_answer_is_always_found_whatever_else_is_answered(
    values: dict[str, Any], asked: str
) -> None:
    values = values | ({"pregnancy": "no"} if asked == "pregnancy_planned" else {})
    adverse = assess(values | {asked: "yes"})
    assert asked in ids(adverse)
    assert adverse.outcome >= WHEN_YES[asked]


@every_case
@given(
    filled_in,
    st.sampled_from([asked for asked, at in WHEN_YES.items() if at is Severity.CONTRAINDICATION]),
)
def test_reporting_a_contraindication_never_lowers_the_outcome_whatever_was_said_before(
    values: dict[str, Any], asked: str
) -> None:
    assert assess(values | {asked: "yes"}).outcome >= assess(values).outcome


@every_case
@given(filled_in, st.sampled_from(READ_BY_RULES), st.sampled_from(["unsure", "private", None]))
def test_unknown_never_counts_as_no(
    values: dict[str, Any], asked: str, unknown: str | None
) -> None:
    values = values | ({"pregnancy": "no"} if asked == "pregnancy_planned" else {})
    opened = assess(values | {asked: unknown})
    assert opened.outcome >= Severity.CLARIFY
    assert f"clarify-{asked}" in ids(opened)
    assert opened.outcome >= assess(values | {asked: "no"}).outcome


@every_case
@given(filled_in, st.randoms(use_true_random=False))
def test_the_order_of_answers_never_matters(values: dict[str, Any], random: Any) -> None:
    shuffled = list(values.items())
    random.shuffle(shuffled)
    answers = read_answers(book(), values)
    again = read_answers(book(), dict(shuffled))
    as_stored = list(answers.given)
    random.shuffle(as_stored)
    assert answers == again == Answers(given=tuple(as_stored))
    assert (
        evaluate(book(), answers)
        == evaluate(book(), again)
        == evaluate(book(), Answers(given=tuple(as_stored)))
    )


@every_case
@given(filled_in)
def test_findings_stand_by_severity_then_in_the_order_asked(values: dict[str, Any]) -> None:
    asked = [item.id for item in book().asked()]
    findings = assess(values).findings
    assert list(findings) == sorted(
        findings, key=lambda finding: (-finding.severity, asked.index(finding.answer))
    )


@every_case
@given(filled_in)
def test_every_finding_cites_a_fact_and_names_an_answer(values: dict[str, Any]) -> None:
    for finding in assess(values).findings:
        assert finding.cites
        assert set(finding.cites) <= set(book().facts)
        assert finding.answer in READ_BY_RULES
        assert finding.title
        assert finding.reason
        assert finding.confirm


@every_case
@given(filled_in)
def test_the_assessment_is_the_same_in_every_language_but_for_its_words(
    values: dict[str, Any],
) -> None:
    english = assess(values)
    assert len(books()) > 1
    for language in books():
        assessment = assess(values, language)
        assert ids(assessment) == ids(english)
        assert [finding.severity for finding in assessment.findings] == [
            finding.severity for finding in english.findings
        ]
        assert assessment.digest == english.digest


@every_case
@given(filled_in)
def test_an_edition_kept_in_storage_gives_the_same_assessment(values: dict[str, Any]) -> None:
    kept = load_content(book().edition.content)["en"]
    assert evaluate(kept, read_answers(kept, values)) == assess(values)


@every_case
@given(filled_in, st.data())
def test_a_follow_up_that_does_not_apply_never_changes_the_findings(
    values: dict[str, Any], data: st.DataObject
) -> None:
    closed = [
        asked
        for asked, (above, opened_by) in OPENED_BY.items()
        if values.get(above) not in opened_by
    ]
    answers = read_answers(book(), values)
    left_over = []
    for asked in data.draw(st.lists(st.sampled_from(closed), unique=True)) if closed else []:
        value = data.draw(DETAILS.get(asked, st.sampled_from(CHOICES)))
        left_over.append(extra(asked, tuple(value) if isinstance(value, list) else value))
    with_left_over = Answers(given=(*answers.given, *left_over))
    assert evaluate(book(), with_left_over).findings == evaluate(book(), answers).findings


@every_case
@given(filled_in)
def test_a_follow_up_that_no_rule_reads_never_changes_the_findings(values: dict[str, Any]) -> None:
    bare = {asked: value for asked, value in values.items() if asked not in DETAILS}
    assert assess(values).findings == assess(bare).findings


@every_case
@given(
    st.dictionaries(
        st.sampled_from(READ_BY_RULES), st.sampled_from(["maybe", "YES", " yes", "0"]), min_size=1
    )
)
def test_a_value_the_book_does_not_know_is_open_and_never_counts_as_no(
    unknown: dict[str, str],
) -> None:
    values = {**dict.fromkeys(READ_BY_RULES, "no"), **unknown}
    known = answers_of(
        book(), **without_closed({asked: values[asked] for asked in values if asked not in unknown})
    )
    findings = evaluate(
        book(), Answers(given=(*known.given, *map(extra, unknown, unknown.values())))
    ).findings
    asked = {item for item in unknown if item != "pregnancy_planned" or "pregnancy" not in unknown}
    assert {finding.rule for finding in findings} == {f"clarify-{item}" for item in asked}
    assert book().open_findings[min(asked), Open.MISSING] in findings
