"""Two editions compared, and the table of one edition: as every combination of answers tells."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from itertools import combinations, product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from screening.cli.rulebook import combinations as combinations_of
from screening.domain.answers import Answer, Answers
from screening.domain.comparison import (
    AskedChange,
    asked_changed,
    compare,
    outcomes_changed,
    texts_changed,
    word_by_word,
)
from screening.domain.conditions import NOTHING, Condition, truth_table
from screening.domain.evaluate import evaluate
from screening.domain.rules import Finding, FollowUp, Kind, Question, RuleBook, Severity
from screening.rulebooks.load import load_content
from tests.builders import a_rule
from tests.unit.small_book import all_no, book, book_with, books
from tests.unit.test_editions import KEPT

Content = dict[str, Any]
Chosen = Mapping[str, frozenset[str]]
DECIDED = ("yes", "no")
OPEN = ("unsure", "private")


@st.composite
def generated_books(draw: st.DrawFn) -> RuleBook:
    """Draw a book of one or two questions with at most one follow-up, and one to three rules."""
    content = json.loads(KEPT)["en"]
    options: dict[str, list[str]] = {}
    opened: dict[str, tuple[str, list[str]]] = {}
    content["question"] = []
    content["rule"] = []
    for asked in draw(st.sampled_from([("a", "b"), ("b", "a"), ("a", "c"), ("b",)])):
        options[asked] = [*draw(st.lists(st.sampled_from(DECIDED), min_size=1, unique=True)), *OPEN]
        follow_ups = []
        if draw(st.booleans()):
            name = f"{asked}1"
            kind = draw(st.sampled_from(["one", "several", "several", "text"]))
            chosen = st.lists(
                st.sampled_from(["p", "q", "r", "unsure"]), min_size=1, max_size=3, unique=True
            )
            inner = draw(chosen) if kind != "text" else []
            when = draw(
                st.lists(st.sampled_from(options[asked]), min_size=1, max_size=3, unique=True)
            )
            labelled = (
                {"options": [{"id": option, "label": option.upper()} for option in inner]}
                if inner
                else {}
            )
            words = {"ask": "?", "topic": name.upper(), "clarify": "Ask."}
            follow_ups.append({"id": name, "kind": kind, "when": when, **words, **labelled})
            if set(inner) - set(OPEN):
                options[name] = inner
                opened[name] = (asked, when)
        question = {
            "ask": "?",
            "why": "!",
            "topic": asked.upper(),
            "clarify": "Ask.",
            "valid_for_hours": 1,
        }
        more = {"follow_up": follow_ups} if follow_ups else {}
        content["question"].append({"id": asked, "choices": options[asked], **question, **more})
    read = [[question["id"]] for question in content["question"]]  # each question is read by a rule
    read += draw(
        st.lists(
            st.lists(st.sampled_from(sorted(options)), min_size=1, max_size=3, unique=True),
            max_size=4,
        )
    )
    for number, names in enumerate(read):
        when = {
            asked: draw(some_of([value for value in options[asked] if value not in OPEN]))
            for asked in names
        }
        if any(
            name in opened
            and opened[name][0] in when
            and not set(when[opened[name][0]]) & set(opened[name][1])
            for name in when
        ):
            continue  # could never apply
        severity = draw(st.sampled_from(["caution", "contraindication"]))
        content["rule"].append(
            a_rule(id=f"rule{number}", when=when, severity=severity, cites=["F1"])
        )
    return load_content(json.dumps({"en": content}))["en"]


def some_of(values: list[str]) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(values), min_size=1, max_size=len(values), unique=True)


def everything(*rule_books: RuleBook) -> Iterator[Chosen]:
    """Every combination of the answers that can be chosen in any of the books.

    Answers to follow-ups that are not open are among them.
    """
    items: dict[str, list[Question | FollowUp]] = {}
    for item in (item for rules in rule_books for item in rules.asked()):
        items.setdefault(item.id, []).append(item)
    ways: list[list[frozenset[str]]] = []
    for versions in items.values():
        options = sorted({option.id for version in versions for option in version.options})
        most = 1 if all(version.kind is Kind.ONE for version in versions) else len(options)
        ways.append(
            [
                frozenset(chosen)
                for size in range(most + 1)
                for chosen in combinations(options, size)
            ]
        )
    for combination in product(*ways):
        yield dict(zip(items, combination, strict=True))


def found(rules: RuleBook, chosen: Chosen) -> set[tuple[str, Severity]]:
    questions = {question.id for question in rules.questions}
    given = (
        Answer(
            id=asked,
            value=min(values) if asked in questions else tuple(values),
            asked="",
            shown="",
            language="en",
        )
        for asked, values in chosen.items()
        if values
    )
    return keys(evaluate(rules, Answers(given=tuple(given))).findings)


def keys(findings: tuple[Finding, ...]) -> set[tuple[str, Severity]]:
    return {(finding.rule, finding.severity) for finding in findings}


def holds(condition: Condition, chosen: Chosen) -> bool:
    return all(
        not limit.none & chosen[asked]
        and all(values & (chosen[asked] or {NOTHING}) for values in limit.some)
        for asked, limit in condition.items()
    )


def agrees_with_every_combination(old: RuleBook, new: RuleBook) -> None:
    changes = outcomes_changed(old, new)
    for chosen in everything(old, new):
        was = found(old, chosen)
        now = found(new, chosen)
        holding = [change for change in changes if holds(change.condition, chosen)]
        gone = {
            (finding.rule, before)
            for change in holding
            for finding, before, _ in change.findings
            if before
        }
        come = {
            (finding.rule, after)
            for change in holding
            for finding, _, after in change.findings
            if after
        }
        assert (gone, come) == (was - now, now - was), chosen
        for change in holding:
            assert change.was is None or change.was <= max(
                [severity for _, severity in was], default=Severity.NONE
            )
            assert change.now is None or change.now <= max(
                [severity for _, severity in now], default=Severity.NONE
            )
    for change in changes:
        assert any(holds(change.condition, chosen) for chosen in everything(old, new)), change


def table_agrees_with(rules: RuleBook, combinations_: Iterator[Chosen]) -> None:
    rows, joined = truth_table(rules)
    for chosen in combinations_:
        in_table = {
            key
            for lead in (*rows, *joined)
            if holds(lead.condition, chosen)
            for key in keys(lead.findings)
        }
        assert in_table == found(rules, chosen), chosen


every_book = partial(settings, deadline=None, derandomize=True)


@every_book(max_examples=30)
@given(generated_books(), generated_books())
def test_changed_outcomes_are_exactly_those_of_every_combination(
    old: RuleBook, new: RuleBook
) -> None:
    agrees_with_every_combination(old, new)


@pytest.mark.audit
@every_book(max_examples=1000)
@given(generated_books(), generated_books())
def test_changed_outcomes_are_exactly_those_of_every_combination_of_many_books(
    old: RuleBook, new: RuleBook
) -> None:
    agrees_with_every_combination(old, new)


@every_book(max_examples=60)
@given(generated_books())
def test_the_table_says_exactly_what_every_combination_gives(rules: RuleBook) -> None:
    table_agrees_with(rules, everything(rules))


def test_the_table_of_a_book_with_every_kind_of_rule_says_what_each_combination_gives() -> None:
    _, joined = truth_table(book())
    assert [[finding.rule for finding in lead.findings] for lead in joined] == [
        ["iud_and_pregnancy_planned"]
    ]
    asked = [item.id for item in book().asked()]
    every = [*combinations_of(book())]
    every += [{**all_no(), left_out: ""} for left_out in all_no()]
    table_agrees_with(
        book(),
        ({item: frozenset(values.get(item, "").split()) for item in asked} for values in every),
    )


def outcomes(
    old: RuleBook, new: RuleBook
) -> list[tuple[list[Any], Severity | None, Severity | None, list[str], list[str]]]:
    return [
        (
            [(limit.topic, limit.some, limit.none) for limit in change.limits],
            change.was,
            change.now,
            [finding.rule for finding, before, _ in change.findings if before],
            [finding.rule for finding, _, after in change.findings if after],
        )
        for change in outcomes_changed(old, new)
    ]


def rule(content: Content, name: str) -> Content:
    return next(rule for rule in content["rule"] if rule["id"] == name)


def test_another_severity_is_one_line() -> None:
    milder = book_with(lambda content: rule(content, "infection").update(severity="caution"))
    said = [("Active infection", (("Yes",),), ())]
    change = Severity.CONTRAINDICATION, Severity.CAUTION, ["infection"], ["infection"]
    assert outcomes(book(), milder) == [(said, *change)]


def test_a_rule_that_joins_two_questions_is_one_line_of_both() -> None:
    joined = book_with(
        lambda content: content["rule"].append(
            a_rule(when={"iud": ["yes"], "vaccines": ["yes"]}, severity="contraindication")
        )
    )
    said = [("IUD use", (("Yes",),), ()), ("Planned vaccines", (("Yes",),), ())]
    assert outcomes(book(), joined) == [
        (said, Severity.CAUTION, Severity.CONTRAINDICATION, [], ["extra"])
    ]


def test_a_rule_that_is_narrower_tells_where_it_no_longer_applies() -> None:
    def narrower(content: Content) -> None:
        rule(content, "infection")["when"]["infection_symptoms"] = ["fever", "chills"]
        content["question"][1]["follow_up"][0]["clarify"] = "Establish the signs."

    signs = ("Fever", "Chills", "Aches", "Something else")
    yes = ("Active infection", (("Yes",),), ())
    opened = ("Active infection", (("Yes", "I am not sure"),), ())
    assert outcomes(book(), book_with(narrower)) == [
        (
            [yes, ("Signs of infection", (), signs[:2])],
            Severity.CONTRAINDICATION,
            Severity.NONE,
            ["infection"],
            [],
        ),
        (
            [opened, ("Signs of infection", ((NOTHING,),), ())],
            Severity.NONE,
            Severity.CLARIFY,
            [],
            ["clarify-infection_symptoms"],
        ),
    ]


def test_where_a_rule_reads_other_answers_no_condition_is_part_of_another() -> None:
    moved = book_with(
        lambda content: rule(content, "iud").update(when={"infection": ["yes"], "iud": ["no"]})
    )
    ill = ("Active infection", (("Yes",),), ())
    no = ("IUD use", (("No",),), ())
    yes = ("IUD use", (("Yes",),), ())
    assert outcomes(book(), moved) == [
        ([yes], Severity.CAUTION, Severity.NONE, ["iud"], []),
        ([ill, no], Severity.CONTRAINDICATION, Severity.CONTRAINDICATION, [], ["iud"]),
    ]


def test_not_sure_means_the_same_in_an_edition_that_does_not_offer_it() -> None:
    def change(content: Content, *more: Content) -> None:
        symptoms = content["question"][1]["follow_up"][0]
        symptoms["clarify"] = "Establish the signs."
        symptoms["options"].extend(more)
        content["rule"].append(a_rule(when={"infection_symptoms": ["fever"]}))

    unsure = {"id": "unsure", "label": "I am not sure"}
    offering = book_with(lambda content: change(content, unsure))
    assert (
        outcomes_changed(offering, book_with(change))
        == outcomes_changed(book_with(change), offering)
        == ()
    )


def test_a_new_question_was_not_asked() -> None:
    def change(content: Content) -> None:
        question = {
            "id": "smoking",
            "topic": "Smoking",
            "ask": "Do you smoke?",
            "why": "It matters.",
            "clarify": "Ask.",
        }
        content["question"].append(
            {**question, "choices": ["yes", "no", "unsure", "private"], "valid_for_hours": 24}
        )
        content["rule"].append(a_rule(when={"smoking": ["yes"]}))

    new = book_with(change)
    open_ = ("I am not sure", "I would rather tell staff in private", NOTHING)
    assert outcomes(book(), new) == [
        ([("Smoking", (open_,), ())], None, Severity.CLARIFY, [], ["clarify-smoking"]),
        ([("Smoking", (("Yes",),), ())], None, Severity.CAUTION, [], ["extra"]),
    ]
    assert outcomes(new, book())[0][1:3] == (Severity.CLARIFY, None)
    assert asked_changed(book(), new) == (AskedChange(topic="Smoking", option="", added=True),)
    assert asked_changed(new, book()) == (AskedChange(topic="Smoking", option="", added=False),)


def test_a_new_option_was_not_asked_either() -> None:
    def change(content: Content) -> None:
        content["question"][2]["follow_up"][0]["options"].append(
            {"id": "none", "label": "None of these"}
        )
        content["question"][2]["follow_up"][0]["clarify"] = "Establish the type."
        content["rule"].append(a_rule(when={"iud_type": ["none"]}))

    assert asked_changed(book(), book_with(change)) == (
        AskedChange(topic="Type of IUD", option="None of these", added=True),
    )
    (changed,) = [
        outcome
        for outcome in outcomes_changed(book(), book_with(change))
        if outcome.limits[-1].some == (("None of these",),)
    ]
    assert (changed.was, changed.now) == (None, Severity.CAUTION)


def test_many_options_that_are_ticked_do_not_take_long() -> None:
    def change(content: Content, *, less: int) -> None:
        symptoms = content["question"][1]["follow_up"][0]
        symptoms["clarify"] = "Establish the signs."
        symptoms["options"] = [{"id": f"o{number}", "label": str(number)} for number in range(60)]
        for number in range(60 - less):
            content["rule"].append(
                a_rule(id=f"r{number}", when={"infection_symptoms": [f"o{number}"]})
            )

    many = book_with(partial(change, less=0))
    fewer = book_with(partial(change, less=1))
    (changed,) = outcomes_changed(many, fewer)
    assert changed.limits[-1].some == (("59",),)
    assert len(truth_table(many)[0]) > 60


# ----------------------------------------------------------------------------------------- texts


def text_of(rules: RuleBook, other: RuleBook) -> list[tuple[str, str | None, str | None]]:
    return [
        (text.place, text.old, text.new) for text in texts_changed({"en": rules}, {"en": other})
    ]


def english() -> RuleBook:
    return book_with(lambda content: None)


def test_a_changed_text_is_told_by_place_and_word() -> None:
    def change(content: Content) -> None:
        content["question"][1]["ask"] = "Do you have a bad infection today?"

    (changed,) = texts_changed({"en": english()}, {"en": book_with(change)})
    assert (changed.place, changed.language) == ("question.infection.ask", "en")
    assert changed.pieces == (
        ("same", "Do you have "),
        ("old", "an"),
        ("new", "a bad"),
        ("same", " infection "),
        ("old", "now"),
        ("new", "today"),
        ("same", "?"),
    )


def test_numbers_lists_and_order_are_told_too() -> None:
    def change(content: Content) -> None:
        content["question"][1]["valid_for_hours"] = 24
        content["rule"][0]["cites"] = ["F3", "F5"]
        content["rule"].reverse()

    order = "pregnancy; pregnancy_planned; infection; iud; vaccines; iud_and_pregnancy_planned"
    assert text_of(english(), book_with(change)) == [
        ("question.infection.valid_for_hours", "48", "24"),
        ("rule", order, "; ".join(reversed(order.split("; ")))),
        ("rule.pregnancy.cites", "F3", "F3; F5"),
    ]


def test_what_is_added_or_removed_has_no_other_text() -> None:
    added = book_with(lambda content: content["rule"].append(a_rule(when={"iud": ["no"]})))
    assert ("rule.extra.title", None, "Extra") in text_of(english(), added)
    assert ("rule.extra.title", "Extra", None) in text_of(added, english())


def test_a_translation_is_compared_in_its_own_words() -> None:
    content = json.loads(book().edition.content)
    content["es"]["leaflet"]["common"]["points"]["1"]["text"] = "dolor de estómago"
    content["es"]["translation"]["status"] = "reviewed"
    changed = texts_changed(books(), load_content(json.dumps(content)))
    assert [(text.language, text.place) for text in changed] == [
        ("es", "leaflet.common.points"),
        ("es", "translation.status"),
    ]
    assert ("new", "dolor de estómago") in changed[0].pieces


def test_a_language_that_only_one_edition_has_is_one_change() -> None:
    (changed,) = texts_changed(books(), {"en": english()})
    assert (changed.language, changed.place, changed.new) == ("es", "translation", None)


@pytest.mark.parametrize(
    ("old", "new", "pieces"),
    [
        (
            "你有感染吗",
            "你有发烧吗",
            [("same", "你有"), ("old", "感染"), ("new", "发烧"), ("same", "吗")],
        ),
        ("คุณมีไข้ไหม", "คุณมีไอไหม", [("same", "คุณมีไ"), ("old", "ข้"), ("new", "อ"), ("same", "ไหม")]),
        (
            "क्या बुखार है",
            "क्या दर्द है",
            [("same", "क्या "), ("old", "बुखार"), ("new", "दर्द"), ("same", " है")],
        ),
    ],
)
def test_words_are_told_apart_in_languages_without_spaces(
    old: str, new: str, pieces: list[tuple[str, str]]
) -> None:
    assert list(word_by_word(old, new)) == pieces


@every_book(max_examples=100)
@given(st.text(max_size=30), st.text(max_size=30))
def test_the_pieces_make_both_texts_again(old: str, new: str) -> None:
    pieces = list(word_by_word(old, new))
    assert "".join(text for where, text in pieces if where != "new") == old
    assert "".join(text for where, text in pieces if where != "old") == new


@every_book(max_examples=60)
@given(generated_books(), generated_books())
def test_no_difference_of_two_editions_is_left_out_of_the_texts(
    old: RuleBook, new: RuleBook
) -> None:
    changed = texts_changed({"en": old}, {"en": new})
    assert bool(changed) == (old.edition.digest != new.edition.digest)
    assert (
        compare({"en": old}, {"en": old}).texts
        == outcomes_changed(old, old)
        == asked_changed(old, old)
        == ()
    )


def test_tables_without_an_id_are_told_by_their_number() -> None:
    def with_references(publisher: str) -> Mapping[str, RuleBook]:
        """A content that the loader of another release may read."""
        content = json.loads(book().edition.content)
        content["en"]["rule"][0]["evidence"]["references"] = [
            {"publisher": "FDA"},
            {"publisher": publisher},
        ]
        translated = {
            str(number): {"publisher": {"of": "0", "text": f"{publisher}{number}"}}
            for number in (1, 2)
        }
        content["es"]["rule"]["pregnancy"]["evidence"]["references"] = translated
        return {"en": replace(book(), edition=replace(book().edition, content=json.dumps(content)))}

    changed = texts_changed(with_references("NHS"), with_references("EMA"))
    assert [(text.language, text.place, text.new) for text in changed] == [
        ("en", "rule.pregnancy.evidence.references.2.publisher", "EMA"),
        ("es", "rule.pregnancy.evidence.references.1.publisher", "EMA1"),
        ("es", "rule.pregnancy.evidence.references.2.publisher", "EMA2"),
    ]


def test_changes_stand_in_the_order_of_reading() -> None:
    def change(content: Content) -> None:
        content["checklist"][0]["text"] = "Consider a blood count"
        content["question"][1]["topic"] = "Infection"
        content["edition"]["version"] = "2099.1"
        content["rule"][0]["title"] = "Pregnant"

    places = [place for place, _, _ in text_of(english(), book_with(change))]
    assert places == [
        "edition.version",
        "question.infection.topic",
        "rule.pregnancy.title",
        "checklist.birth_control.text",
    ]
