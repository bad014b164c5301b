"""The book says what its source says, as strongly, and tells what it adds.

Each text that rests on a fact has exactly the hedges and strengths that its row in TABLE names: a
word too few fails as a word too many does. The words are those of the document, in English and in
Spanish.
"""

from __future__ import annotations

import re

import pytest

from tests.builders import book

# By a name: how English and Spanish say it.
WORDS = {
    "can": (r"\bcan\b", r"\bpuede\b|\bconsiderar\b"),  # Spanish has one word for can and may
    "may": (r"\bmay\b|\bconsider\b", r"\bpuede\b|\bconsiderar\b"),
    "might": (
        r"\bmight\b|\bcould\b|\bperhaps\b|\blikely\b|\bpossibl",
        r"podría|quizá|tal vez|posible",
    ),
    "sometimes": (r"\bsometimes\b", r"\ba veces\b"),
    "usually": (r"\busually\b", r"por lo general"),
    "mostly": (r"\bmost\b|\bmostly\b|\boften\b", r"la mayoría|a menudo"),
    "some": (r"\bsome\b", r"\balgun[oa]s\b"),
    "any": (r"\bany\b", r"\bcualquier\b"),
    "rare": (r"\brare\b|\brarely\b", r"poco frecuentes?|en pocos casos"),
    "common": (r"\bcommon\b", r"(?<!poco )\bfrecuentes\b"),
    "believed": (r"\bbelieved\b", r"\bse cree\b"),
    "thought": (r"\bthought\b|\bseems?\b", r"\bparece(?! café)"),
    "not appropriate": (r"\bnot (appropriate|right)\b", r"\bno es adecuad[ao]\b"),
    "should not": (r"\bshould not\b", r"\bno deberían?\b"),
    "must": (r"\bmust\b|\bhas to\b|\bshould\b(?! not)|\bcannot\b", r"\bdeben?\b|\bobligatori"),
    "never": (r"\bnever\b", r"\bnunca\b|\bjamás\b"),
    "always": (r"\balways\b|\ball\b", r"\bsiempre\b|\btodos\b"),
    "contraindicated": (
        r"contraindicat|\bforbidden\b|\bdangerous\b",
        r"contraindica|prohib|peligros",
    ),
    "serious": (r"\bserious\b", r"\bgraves\b"),
    "severe": (r"\bsevere\b", r"\bgrave\b"),
    "at once": (r"\bat once\b|\bright away\b", r"\bde inmediato\b"),
    "exactly": (r"\bexactly\b", r"\bexactamente\b"),
    "regular": (r"\bregular\b", r"\bperiódicos\b"),
    "effective": (r"\beffective\b|\bworks well\b", r"\beficaz\b|\bfuncione bien\b"),
    "less effective": (
        r"lower the effectiveness|work less well",
        r"reducir la eficacia|funcione peor",
    ),
    "matters": (r"\bmatters\b", r"\bimporta\b"),
    "men and women": (r"\bmen and women\b", r"hombres (y|como a) mujeres"),
    "help": (r"\bhelp (prevent|stop|the s)", r"\bayudar\b"),
    "low": (r"\blow dose\b", r"\bdosis baja\b"),
    "weaken": (r"\bweaken|\bweaker\b", r"\bdebilitar\b"),
    "risk": (r"\brisk\b", r"\briesgo\b"),
    "contributed": (r"\bcontributed to\b|\bplayed a part in\b", r"\bcontribuido a\b"),
    "long use": (r"\blong use\b", r"\buso prolongado\b"),
    "inferred": (r"\binferred from that \(F10\)", r"\bse deduce de ello \(F10\)"),
}
TABLE = """
fact.F1                  help
fact.F2                  sometimes, severe, may, help
fact.F3                  not appropriate
fact.F4                  not appropriate
fact.F5                  should not
fact.F6                  not appropriate
fact.F7                  believed
fact.F8                  usually, may, some, low
fact.F9                  regular, may, risk, serious
fact.F10                 effective, matters, men and women
fact.F11                 can, less effective
fact.F12                 risk
fact.F13                 exactly
fact.F14                 common
fact.F15                 rare, serious
fact.F16                 at once
fact.F17                 can, weaken
fact.F18                 any
fact.F19                 rare, long use, contributed
fact.F20                 rare, at once
rule.pregnancy           not appropriate
rule.pregnancy_planned   effective, matters, men and women, inferred
rule.breastfeeding       not appropriate
rule.infection           should not
rule.hypersensitivity    not appropriate
rule.iud                 can, less effective
rule.vaccines            any
checklist.blood_tests    may, regular
checklist.birth_control  effective, men and women
checklist.infection_signs
checklist.sun
checklist.long_use       rare, long use, contributed
leaflet.urgent_liver     at once
leaflet.urgent_brain     rare, at once
leaflet.what             help, sometimes, severe, may
leaflet.how_it_works     believed
leaflet.before           not appropriate, should not
leaflet.taking           usually, may, some, low, exactly
leaflet.tests            may, regular, risk, serious
leaflet.birth_control    effective, matters, men and women, can, less effective
leaflet.vaccines         any
leaflet.sun              risk
leaflet.common           common
leaflet.infection        can, weaken
leaflet.tell             rare, serious
leaflet.rare             rare, long use, contributed
"""
LANGUAGES = pytest.mark.parametrize("language", ["en", "es"])
OURS = re.compile(r"(Our advice|Nuestro consejo): .*?([.:] |[.:]?$)", re.MULTILINE)
TO_CHECK = "to be checked by the approver"
DATED = re.compile(r"\b(19|20)\d\d\b")


def rows(language: str) -> dict[str, set[str]]:
    """The names by place. Facts are in English alone; Spanish has one word for "can" and "may"."""
    lines = (line.partition(" ") for line in TABLE.strip().splitlines())
    named = {place: set(names.strip().split(", ")) - {""} for place, _, names in lines}
    if language == "en":
        return named
    either = {"can", "may"}
    return {
        place: names | either if names & either else names
        for place, names in named.items()
        if not place.startswith("fact.")
    }


def texts(language: str) -> dict[str, str]:
    """What the book says by place, as far as it rests on facts."""
    rules = book(language)
    said = {f"fact.{fact.id}": fact.says for fact in rules.facts} if language == "en" else {}
    said |= {f"rule.{rule.finding.rule}": rule.finding.reason for rule in rules.rules}
    said |= {f"checklist.{item.id}": item.text for item in rules.checklist}
    said |= {
        f"leaflet.{part.id}": "\n".join((part.title, part.text, *part.points))
        for part in rules.leaflet
    }
    return {place: OURS.sub("", text) for place, text in said.items()}


def found(text: str, language: str) -> set[str]:
    """The names of the hedges and strengths in a text."""
    place = ["en", "es"].index(language)
    return {
        name for name, patterns in WORDS.items() if re.search(patterns[place], text, re.IGNORECASE)
    }


CASES = [(language, place) for language in ("en", "es") for place in rows(language)]


@pytest.mark.parametrize(("language", "place"), CASES)
def test_a_text_has_the_hedges_and_strengths_of_the_document_and_no_others(
    language: str, place: str
) -> None:
    text = texts(language)[place]
    assert found(text, language) == rows(language)[place], text


@LANGUAGES
def test_every_text_that_rests_on_a_fact_has_a_row(language: str) -> None:
    assert set(texts(language)) == set(rows(language))


@pytest.mark.parametrize(
    ("language", "text", "names"),
    [
        ("en", "It must never be taken: contraindicated.", {"must", "never", "contraindicated"}),
        ("es", "No debe tomarse nunca: está contraindicada.", {"must", "never", "contraindicated"}),
        ("en", "Perhaps most people should.", {"might", "mostly", "must"}),
        ("es", "Quizá la mayoría debe.", {"might", "mostly", "must"}),
    ],
)
def test_words_that_no_text_has_are_found_where_they_are(
    language: str, text: str, names: set[str]
) -> None:
    assert found(text, language) == names


@LANGUAGES
def test_a_rule_names_the_source_as_the_one_that_says_so(language: str) -> None:
    beginning = {"en": "According to the source, ", "es": "Según la fuente, "}[language]
    assert [
        rule.finding.reason
        for rule in book(language).rules
        if not rule.finding.reason.startswith(beginning)
    ] == []


@LANGUAGES
def test_what_the_document_does_not_say_to_patients_is_called_our_advice(language: str) -> None:
    whole = "\n".join(f"{part.title}\n{part.text}" for part in book(language).leaflet)
    advice = [match[0] for match in OURS.finditer(whole)]
    ours = {
        "en": r"emergency|before you change|worries",
        "es": r"emergencias|cambiar nada|preocupa",
    }[language]
    assert len(advice) == len(re.findall(ours, whole)) == 4
    assert all(re.search(ours, text) for text in advice)


@LANGUAGES
def test_what_to_do_says_nothing_about_evidence(language: str) -> None:
    rules = book(language)
    findings = [*(rule.finding for rule in rules.rules), *rules.open_findings.values()]
    about_evidence = re.compile(
        r"eviden|label|source|study|studies|weak|etiquet|fuente|ficha|estudio|débil", re.IGNORECASE
    )
    assert [finding.confirm for finding in findings if about_evidence.search(finding.confirm)] == []


@LANGUAGES
def test_evidence_says_nothing_about_what_to_do(language: str) -> None:
    to_do = re.compile(
        r"(^|[.;:] )(ask|confirm|consider|discuss|establish|remove|stop|"
        r"pregunt|confirm|considerar|hablar)\b",
        re.I,
    )
    for rule in book(language).rules:
        assert rule.finding.evidence is not None
        assert to_do.search(rule.finding.evidence.note) is None, rule.finding.evidence.note


def test_a_reference_has_publisher_section_and_date_or_is_to_be_checked() -> None:
    for rule in book().rules:
        assert rule.finding.evidence is not None
        assert rule.finding.evidence.status == "draft", (
            "until a clinician of the clinic has approved it"
        )
        for reference in rule.finding.evidence.references:
            assert "," in reference, "publisher or document, and section"
            assert DATED.search(reference) or reference.endswith(TO_CHECK), reference
