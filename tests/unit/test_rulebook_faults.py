"""A damaged rule book is refused with every fault at once, each with its file, place and remedy."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from screening.rulebooks.load import UNREADABLE, InvalidRuleBook, load, load_content
from screening.rulebooks.reading import RuleBookFault
from screening.rulebooks.translation import wording_hash
from tests.unit.small_book import ENGLISH, SPANISH, books

EN = ENGLISH.name
ES = SPANISH.name
IUD = 'when = { iud = ["yes"] }'
PLANNED = 'when = { pregnancy_planned = ["yes"] }'
EDITION = "\n\n[medicine]"
TEXT = 'kind = "text"\n  ask = "Which vaccines?"'
SECTION = 'section = "Side effects"\nsays = "Nausea'
NAMED = "question.vaccines.follow_up.vaccines_which"

Damage = tuple[str, str, str]  # the file, a text that stands in it once, what it becomes


def damaged(folder: Path, *damages: Damage) -> Path:
    """A copy of the small book's files with each damage done."""
    for file in (ENGLISH, SPANISH):
        shutil.copy(file, folder)
    for file, old, new in damages:
        text = (folder / file).read_text(encoding="utf-8", errors="surrogateescape")
        assert text.count(old) == 1, (
            f"{file} has {old!r} {text.count(old)} times: correct this test"
        )
        (folder / file).write_bytes(text.replace(old, new).encode(errors="surrogateescape"))
    return folder / EN


def faults_of(path: Path) -> list[RuleBookFault]:
    with pytest.raises(InvalidRuleBook) as caught:
        load(path)
    assert str(caught.value) == "\n".join(map(str, caught.value.faults))
    assert len(set(caught.value.faults)) == len(caught.value.faults)
    return caught.value.faults


# What is wrong; the damage; the fault's file, place, problem and remedy (the beginnings of the last
# two).
TABLE: list[tuple[str, Damage, str, str, str, str]] = [
    ("version that no address or file name can hold", (EN, 'version = "', 'version = "a\\"b'),
     EN, "edition.version", "'a\"b1.0' is not a version", "use at most 40 letters, digits, blanks"),
    ("nested too deeply", (EN, "[edition]", "[" * 100_000),
     EN, "the file", "", "correct it there"),
    ("unknown id in when", (EN, IUD, 'when = { coil = ["yes"] }'),
     EN, "rule.iud.when.coil", "is not a question or follow-up",
     "use one of: pregnancy, pregnancy_planned, inf"),
    ("unknown value in when", (EN, IUD, 'when = { iud = ["yep"] }'),
     EN, "rule.iud.when.iud", "'yep' is not known", "use some of: no, private, unsure, yes"),
    ("no value in when", (EN, IUD, "when = { iud = [] }"),
     EN, "rule.iud.when.iud", "is not a list of words", "write key = ["),
    ("nothing in when", (EN, IUD, "when = {}"),
     EN, "rule.iud.when", "names no question", "name at least one question"),
    ("rule reading unsure", (EN, IUD, 'when = { iud = ["yes", "unsure"] }'),
     EN, "rule.iud.when.iud", "reads an open answer", "remove unsure and private"),
    ("rule reading private", (EN, IUD, 'when = { iud = ["private"] }'),
     EN, "rule.iud.when.iud", "reads an open answer", "remove unsure and private"),
    ("rule that can never fire",
     (EN, PLANNED, 'when = { pregnancy = ["yes"], pregnancy_planned = ["yes"] }'),
     EN, "rule.pregnancy_planned.when.pregnancy_planned",
     "can never fire: it is only asked when pregnancy is no",
     "correct the values of pregnancy or remove the rule"),
    ("rule reading own words", (EN, IUD, 'when = { iud = ["yes"], vaccines_which = ["flu"] }'),
     EN, "rule.iud.when.vaccines_which", "is answered in own words",
     "rules can read only answers that are chosen"),
    ("question that cannot stay open",
     (EN, 'choices = ["yes", "no", "unsure", "private"]\nvalid_for_hours = 48',
      'choices = ["yes", "no"]\nvalid_for_hours = 48'),
     EN, "question.infection.choices", "leaves no way to leave it open",
     "offer unsure and private too"),
    ("rule with the id of an open question", (EN, 'id = "iud"\nwhen', 'id = "clarify-iud"\nwhen'),
     EN, "rule.clarify-iud.id", "begins like the id of an open question", "choose another id"),
    ("more than a translation",
     (ES, 'text = "¿Está embarazada?"', 'text = "¿Está embarazada?", note = "x"'),
     ES, "question.pregnancy.ask.note", "is not known here", "remove it"),
    ("question no rule reads", (EN, 'when = { vaccines = ["yes"] }', IUD),
     EN, "question.vaccines", "is read by no rule", "add a rule for it or remove the question"),
    ("fact nobody cites", (EN, 'cites = ["F14"]', 'cites = ["F5"]'),
     EN, "fact.F14", "is cited nowhere",
     "cite it in a rule, the checklist or the leaflet, or remove it"),
    ("cites unknown fact", (EN, 'cites = ["F14"]', 'cites = ["F14", "F99"]'),
     EN, "leaflet.common.cites", "'F99' is not known", "use some of: F1, F10"),
    ("cites a fact twice", (EN, 'cites = ["F14"]', 'cites = ["F14", "F14"]'),
     EN, "leaflet.common.cites", "'F14' stands there twice", "remove one of them"),
    ("duplicate question id", (EN, 'id = "vaccines"\nask', 'id = "iud"\nask'),
     EN, "question.iud.id", "is used twice", "give each question an id of its own"),
    ("follow-up with a question's id", (EN, 'id = "iud_type"', 'id = "infection"'),
     EN, "question.iud.follow_up.infection.id", "'infection' is asked twice",
     "give each question and follow-up"),
    ("duplicate rule id", (EN, 'id = "vaccines"\nwhen', 'id = "iud"\nwhen'),
     EN, "rule.iud.id", "is used twice", "give each rule an id of its own"),
    ("duplicate fact id", (EN, 'id = "F1"\n', 'id = "F3"\n'),
     EN, "fact.F3.id", "is used twice", "give each fact an id of its own"),
    ("not an id", (EN, 'id = "iud_type"', 'id = "iud type"'),
     EN, "question.iud.follow_up.iud type.id", "'iud type' is not an id",
     "use a letter, then letters, digits"),
    ("section the source does not have", (EN, SECTION, SECTION.replace("Side effects", "Dose")),
     EN, "fact.F14.section", "'Dose' is not known",
     "use one of: Overview, How do I take it?, Side effects"),
    ("missing key", (EN, 'topic = "IUD use"\n', ""),
     EN, "question.iud.topic", "is missing", "add it"),
    ("missing table", (EN, "[edition]", "[editions]"),
     EN, "edition", "is missing or not a table", "write it as [edition]"),
    ("unknown table", (EN, "[edition]", "[editions]"),
     EN, "editions", "is not known here", "remove it or correct its name"),
    ("unknown key", (EN, 'topic = "IUD use"', 'topic = "IUD use"\ntopik = "IUD"'),
     EN, "question.iud.topik", "is not known here", "remove it or correct its name"),
    ("empty wording", (EN, 'title = "IUD use reported"', 'title = " "'),
     EN, "rule.iud.title", "is empty or not a text", "write words between quotes"),
    ("number for wording", (EN, 'title = "IUD use reported"', "title = 5"),
     EN, "rule.iud.title", "is empty or not a text", "write words between quotes"),
    ("text for a number", (EN, "valid_for_hours = 2160", 'valid_for_hours = "2160"'),
     EN, "question.iud.valid_for_hours", "'2160' is not a whole number of at least 1",
     "write one, such as"),
    ("number too small", (EN, "valid_for_hours = 2160", "valid_for_hours = 0"),
     EN, "question.iud.valid_for_hours", "0 is not a whole number of at least 1",
     "write one, such as"),
    ("text for a flag",
     (EN, 'id = "urgent_liver"\nurgent = true', 'id = "urgent_liver"\nurgent = "yes"'),
     EN, "leaflet.urgent_liver.urgent", "'yes' is neither true nor false", "write true or false"),
    ("text for a list", (EN, 'cites = ["F14"]', 'cites = "F14"'),
     EN, "leaflet.common.cites", "is not a list of words", "write key = ["),
    ("table for an array", (EN, "[[source]]", "[source]"),
     EN, "source", "is not an array of tables", "write it as [[source]]"),
    ("bad severity",
     (EN, 'severity = "caution"\ntitle = "IUD', 'severity = "severe"\ntitle = "IUD'),
     EN, "rule.iud.severity", "'severe' is not known", "use one of: contraindication, caution"),
    ("clarify as a severity",
     (EN, 'severity = "caution"\ntitle = "IUD', 'severity = "clarify"\ntitle = "IUD'),
     EN, "rule.iud.severity", "'clarify' is not known", "use one of: contraindication, caution"),
    ("approved in the file", (EN, EDITION, '\nstatus = "approved"\n\n[medicine]'),
     EN, "edition.status", "is not written here",
     "remove it: approvals are given on the page Rule book"),
    ("options for own words",
     (EN, 'ask = "Which vaccines?"', 'ask = "Which vaccines?"\nchoices = ["yes", "no"]'),
     EN, f"{NAMED}.options", "do not fit kind 'text'",
     "give options to `one` and `several`, none to `text`"),
    ("no options to choose from", (EN, TEXT, TEXT.replace("text", "one")),
     EN, f"{NAMED}.options", "do not fit kind 'one'",
     "give options to `one` and `several`, none to `text`"),
    ("unknown kind", (EN, TEXT, TEXT.replace("text", "date")),
     EN, f"{NAMED}.kind", "'date' is not known", "use one of: one, several, text"),
    ("unknown choice opens",
     (EN, 'when = ["yes"]\n  kind = "one"', 'when = ["often"]\n  kind = "one"'),
     EN, "question.iud.follow_up.iud_type.when", "'often' is not known",
     "use some of: no, private, unsure, yes"),
    ("follow-up read by a rule without clarify",
     (EN, '  clarify = "Establish whether a pregnancy is planned."\n', ""),
     EN, "question.pregnancy.follow_up.pregnancy_planned.clarify",
     "is empty although a rule reads the answer",
     "say what the prescriber is to establish when it is open"),
    ("missing translation", (ES, 'title = { of = "0bd61ec5", text = "Efectos frecuentes" }\n', ""),
     ES, "leaflet.common.title", "is not translated", 'write { of = "0bd61ec5", text = "..." }'),
    ("empty translation", (ES, 'text = "Efectos frecuentes"', 'text = " "'),
     ES, "leaflet.common.title", "is empty", 'write { of = "0bd61ec5", text = "..." }'),
    ("stale translation", (EN, 'ask = "Which kind is it?"', 'ask = "What kind is it?"'),
     ES, "question.iud.follow_up.iud_type.ask",
     "translates another English text than 'What kind is it?'",
     f'correct it: of = "{wording_hash("What kind is it?")}"'),
    ("translation of nothing",
     (ES, "[leaflet.common]", '[leaflet.teeth]\ntitle = { text = "x" }\n\n[leaflet.common]'),
     ES, "leaflet.teeth.title", "is not in the English rule book", "remove it"),
    ("bare text for a translation", (ES, "[leaflet.common]", '[leaflet.common]\ntext2 = "x"'),
     ES, "leaflet.common.text2", "is not a translation", "write { of ="),
    ("translation without a status", (ES, '[translation]\nstatus = "draft"\n', ""),
     ES, "translation", "is missing or not a table", "write it as [translation]"),
    ("bad TOML", (EN, "[edition]", "[edition"),
     EN, "the file", "Expected ']' at the end of a table declaration (at line 6", UNREADABLE),
    ("bad TOML in a translation", (ES, "[leaflet.common]", "[leaflet.common"),
     ES, "the file", "Expected ']'", UNREADABLE),
    ("not UTF-8", (EN, '"IUD use"', '"IUD use \udcff"'),
     EN, "the file", "'utf-8' codec can't decode byte 0xff", UNREADABLE),
]  # fmt: skip


@pytest.mark.parametrize(
    ("damage", "file", "place", "problem", "remedy"),
    [pytest.param(*row, id=what) for what, *row in TABLE],
)
def test_a_fault_names_the_file_the_place_and_the_remedy(
    tmp_path: Path, damage: Damage, file: str, place: str, problem: str, remedy: str
) -> None:
    faults = faults_of(damaged(tmp_path, damage))
    same_place = [fault for fault in faults if (fault.file, fault.place) == (file, place)]
    assert any(
        fault.problem.startswith(problem) and fault.remedy.startswith(remedy)
        for fault in same_place
    ), faults


def test_undamaged_copies_load(tmp_path: Path) -> None:
    assert load(damaged(tmp_path)) == books()


def test_a_translation_that_nobody_needs_may_be_incomplete(tmp_path: Path) -> None:
    row = next(row for row in TABLE if row[0] == "missing translation")
    assert list(load(damaged(tmp_path, row[1]), ["en"])) == ["en"]
    assert list(load_content(load(tmp_path / EN, ["en"])["en"].edition.content)) == ["en"]
    (tmp_path / ES).write_text("not = [TOML", encoding="utf-8")
    assert list(load(tmp_path / EN, ["en"])) == ["en"]


def test_a_file_that_is_not_there_is_a_fault(tmp_path: Path) -> None:
    (fault,) = faults_of(tmp_path / "nothing.toml")
    assert (fault.file, fault.place, fault.remedy) == ("nothing.toml", "the file", UNREADABLE)


def test_a_fault_reads_as_one_line() -> None:
    fault = RuleBookFault("book.toml", "rule.iud.title", "is missing", "add it")
    assert str(fault) == "book.toml: rule.iud.title: is missing; add it"


def test_ten_faults_are_reported_at_once(tmp_path: Path) -> None:
    ten = {
        *(
            "unknown value in when",
            "rule that can never fire",
            "cites unknown fact",
            "duplicate fact id",
            "not an id",
        ),
        *(
            "missing key",
            "approved in the file",
            "text for a flag",
            "options for own words",
            "missing translation",
        ),
    }
    rows = [row for row in TABLE if row[0] in ten]
    faults = faults_of(damaged(tmp_path, *(row[1] for row in rows)))
    assert len(rows) == 10
    for _, _, file, place, problem, _ in rows:
        assert any(
            (fault.file, fault.place) == (file, place) and fault.problem.startswith(problem)
            for fault in faults
        ), place
