"""An edition is the same in every release: its digest, its content, and how that is read."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from screening.domain.rules import Approval, Edition, Open, RuleBook, Severity
from screening.rulebooks.load import load, load_content

ENGLISH = """
[edition]
id = "tiny"
version = "1"

[medicine]
name = "tinylol"
brand = "Tiny"
atc = "X01"
cites = ["F1"]

[[source]]
id = "leaflet"
title = "Leaflet"
publisher = "Publisher"
sections = ["Whole"]

[[fact]]
id = "F1"
source = "leaflet"
section = "Whole"
says = "Not with a fever above 38 °C."

[choice]
yes = "Yes"
no = "No"
unsure = "Not sure"
private = "In private"

[open]
unsure = "Unsure."
private = "Wants to talk."
alone = "Alone:"
missing = "No answer."

[[question]]
id = "fever"
ask = "Do you have a fever?"
why = "It matters."
topic = "Fever"
clarify = "Ask about fever."
choices = ["yes", "no", "unsure", "private"]
valid_for_hours = 24

  [[question.follow_up]]
  id = "height"
  when = ["yes"]
  kind = "one"
  ask = "How high?"
  topic = "Height"
  options = [{ id = "high", label = "High" }]

[[rule]]
id = "fever"
when = { fever = ["yes"] }
severity = "caution"
title = "Fever"
reason = "Says the source."
confirm = "Measure it."
cites = ["F1"]

[[checklist]]
id = "measure"
text = "Measure"
cites = ["F1"]

[[leaflet]]
id = "tell"
title = "Tell us"
points = ["a fever", "chills"]
cites = ["F1"]

[[not_screened]]
id = "age"
text = "age"
"""
KEPT = (  # as the first commit that reads such a file kept it: never to be changed
    '{"en":{"checklist":[{"cites":["F1"],"id":"measure","text":"Measure"}],'
    '"choice":{"no":"No","private":"In private","unsure":"Not sure","yes":"Yes"},'
    '"edition":{"id":"tiny","version":"1"},'
    '"fact":[{"id":"F1","says":"Not with a fever above 38 \\u00b0C.","section":"Whole",'
    '"source":"leaflet"}],'
    '"leaflet":[{"cites":["F1"],"id":"tell","points":["a fever","chills"],"title":"Tell us"}],'
    '"medicine":{"atc":"X01","brand":"Tiny","cites":["F1"],"name":"tinylol"},'
    '"not_screened":[{"id":"age","text":"age"}],'
    '"open":{"alone":"Alone:","missing":"No answer.","private":"Wants to talk.",'
    '"unsure":"Unsure."},'
    '"question":[{"ask":"Do you have a fever?","choices":["yes","no","unsure","private"],'
    '"clarify":"Ask about fever.","follow_up":[{"ask":"How high?","id":"height","kind":"one",'
    '"options":[{"id":"high","label":"High"}],"topic":"Height","when":["yes"]}],"id":"fever",'
    '"topic":"Fever","valid_for_hours":24,"why":"It matters."}],'
    '"rule":[{"cites":["F1"],"confirm":"Measure it.","id":"fever","reason":"Says the source.",'
    '"severity":"caution","title":"Fever","when":{"fever":["yes"]}}],'
    '"source":[{"id":"leaflet","publisher":"Publisher","sections":["Whole"],"title":"Leaflet"}]}}'
)
DIGEST = "0dc1085e2bce1b23554bef06067d40395b2395dead40a84f78ce95055ce64b6d"
# As early releases kept it, who approved it included: never to be changed.
EARLY = KEPT.replace(
    '"edition":{"id":"tiny","version":"1"}',
    '"edition":{"approved_by":"Dr Okafor","approved_on":"2026-01-31","id":"tiny",'
    '"status":"approved","version":"1"}',
)
EARLY_DIGEST = "02a82671e7391014902e65d3cc931201b31f5b4415b13073b2bbc2c6fb3073f6"


def tiny(folder: Path) -> RuleBook:
    (folder / "tiny.toml").write_text(ENGLISH, encoding="utf-8")
    return load(folder / "tiny.toml")["en"]


def test_a_file_gives_the_content_and_the_digest_that_it_gave_before(tmp_path: Path) -> None:
    edition = tiny(tmp_path).edition
    assert edition.content == KEPT
    assert edition.digest == DIGEST


def test_content_that_was_kept_before_is_read_as_the_file_is(tmp_path: Path) -> None:
    book = load_content(KEPT)["en"]
    assert book == tiny(tmp_path)
    assert book.edition == Edition(
        id="tiny", version="1", digest=DIGEST, content=KEPT, approvals=()
    )


def test_an_early_edition_is_read_with_who_approved_it(tmp_path: Path) -> None:
    edition = load_content(EARLY)["en"].edition
    (approval,) = edition.approvals
    assert approval == Approval(by="Dr Okafor", role="", on=date(2026, 1, 31), review_by=None)
    assert edition.digest == EARLY_DIGEST
    assert edition.overdue_since(date(2099, 1, 1)) is None
    assert (
        load_content(EARLY.replace('approved","version', 'draft","version'))["en"].edition.approvals
        == ()
    )


def test_what_may_be_left_out_of_kept_content_is_empty() -> None:
    book = load_content(KEPT)["en"]
    (question,) = book.questions
    (height,) = question.follow_ups
    (source,) = book.sources
    (part,) = book.leaflet
    empty = (
        question.hint,
        question.unanswered,
        height.hint,
        height.unanswered,
        height.clarify,
        source.note,
        part.text,
    )
    assert set(empty) == {""}
    assert not part.urgent
    assert book.rules[0].finding.evidence is None


def test_a_finding_of_kept_content_says_what_it_said_before() -> None:
    book = load_content(KEPT)["en"]
    (rule,) = book.rules
    assert rule.when == (("fever", frozenset({"yes"})),)
    assert (rule.finding.severity, rule.finding.title, rule.finding.answer) == (
        Severity.CAUTION,
        "Fever",
        "fever",
    )
    assert [(finding.reason, finding.confirm) for finding in book.open_findings.values()] == [
        ("Unsure.", "Ask about fever."),
        ("Wants to talk.", "Alone: Ask about fever."),
        ("No answer.", "Ask about fever."),
    ]
    assert set(book.open_findings) == {("fever", how) for how in Open}
