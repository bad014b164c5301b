"""Assessment -> the summary's sections in their order. Pure; the words are the clinic's language."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from gettext import NullTranslations
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date

from screening.domain.answers import shown
from screening.domain.assessment import Assessment, Screening
from screening.domain.rules import Fact, Finding, FollowUp, Kind, Question, RuleBook, Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Whose summary this is, as it is printed."""

    name: str
    birth_date: str
    visit: str
    submitted: str
    reference: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingEntry:
    """One finding, numbered from 1. `confirm` is what to establish in the room."""

    number: int
    rule: str
    severity: Severity
    label: str
    title: str
    reason: str
    confirm: str
    evidence: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerRow:
    """One question with the answer. `original` is what was shown, where that was in another language."""

    asked: str
    answer: str
    original: str
    original_language: str
    is_follow_up: bool
    is_open: bool
    findings: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChecklistEntry:
    """One thing to cover, with the facts it rests on."""

    text: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The prescriber's view of a screening, in the order in which it is read."""

    language: str
    direction: str
    title: str
    clinic_name: str
    identity: Identity
    outcome: Severity
    headline: str
    sentence: str
    findings: tuple[FindingEntry, ...]
    checklist: tuple[ChecklistEntry, ...]
    answers: tuple[AnswerRow, ...]
    confirm_again: str
    not_screened: str
    provenance: tuple[str, ...]
    check_code: str
    created: str


def summarise(
    screening: Screening,
    assessment: Assessment,
    *,
    book: RuleBook,
    translations: NullTranslations,
    clinic_name: str,
    timezone: str,
    check_code: str = "",
) -> Summary:
    """The summary of a screening in the language of `book`, which must be the edition it was assessed under.

    `timezone` is an IANA name; `check_code` is empty for a screening that is not stored.
    """
    _ = translations.gettext
    locale = Locale.parse(book.language, sep="-")
    local = screening.submitted_at.astimezone(ZoneInfo(timezone))

    def day(on: date) -> str:
        return format_date(on, "dd-MMM-y", locale=locale)

    born = screening.patient.birth_date
    numbered = list(enumerate(assessment.findings, start=1))
    headline, sentence = _outcome(assessment, book, translations)
    return Summary(
        language=book.language,
        direction=locale.text_direction,
        title=_("Pre-visit screening: %(medicine)s (%(brand)s)")
        % {"medicine": book.medicine.name, "brand": book.medicine.brand},
        clinic_name=clinic_name,
        identity=Identity(
            name=screening.patient.name,
            birth_date=_("%(born)s (%(years)sy)") % {"born": day(born), "years": age(born, local.date())},
            visit=screening.patient.visit or _("not given"),
            submitted=f"{day(local.date())} {local:%H:%M} {local.tzname()}",
            reference=screening.reference or _("not stored"),
        ),
        outcome=assessment.outcome,
        headline=headline,
        sentence=sentence,
        findings=tuple(_entry(number, finding, translations) for number, finding in numbered),
        checklist=tuple(ChecklistEntry(text=item.text, source=_ids(item.cites)) for item in book.checklist),
        answers=tuple(
            row
            for question in book.questions
            for item in question.page
            if (row := _row(item, screening, numbered, book, translations)) is not None
        ),
        confirm_again="; ".join(
            f"{question.topic} {day((local + timedelta(hours=question.valid_for_hours)).date())}"
            for question in sorted(book.questions, key=lambda question: question.valid_for_hours)
        ),
        not_screened="; ".join(book.not_screened),
        provenance=_provenance(screening, book, translations),
        check_code=check_code,
        created=screening.submitted_at.isoformat(timespec="seconds"),
    )


def age(born: date, on: date) -> int:
    """Completed years of age on a day."""
    return on.year - born.year - ((on.month, on.day) < (born.month, born.day))


def severity_label(severity: Severity, translations: NullTranslations) -> str:
    """The severity as a word for prescribers."""
    _ = translations.gettext
    return {
        Severity.CONTRAINDICATION: _("Contraindication"),
        Severity.CLARIFY: _("Clarify"),
        Severity.CAUTION: _("Caution"),
        Severity.NONE: _("None"),
    }[severity]


def _outcome(assessment: Assessment, book: RuleBook, translations: NullTranslations) -> tuple[str, str]:
    """The headline, and one sentence that says what it rests on and what is open besides."""
    _ = translations.gettext
    titles = {severity: "; ".join(one.title for one in assessment.of(severity)) for severity in Severity}
    still_open = _("Still to clarify: %(titles)s.") % {"titles": titles[Severity.CLARIFY]}
    match assessment.outcome:
        case Severity.CONTRAINDICATION:
            parts = [_("Confirm before any decision: %(titles)s.") % {"titles": titles[Severity.CONTRAINDICATION]}]
            if titles[Severity.CLARIFY]:
                parts.append(still_open)
            return _("Contraindication reported"), " ".join(parts)
        case Severity.CLARIFY:
            return _("Clarify before deciding"), still_open
        case Severity.CAUTION:
            return _("Caution reported"), _("Consider: %(titles)s.") % {"titles": titles[Severity.CAUTION]}
        case Severity.NONE:
            return _("No finding from these answers"), _(
                "The patient answered No to all %(count)s questions. Not everything was asked: see “Not screened”."
            ) % {"count": len(book.questions)}


def _entry(number: int, finding: Finding, translations: NullTranslations) -> FindingEntry:
    evidence = ""
    if finding.evidence is not None:
        of = finding.evidence
        evidence = f"{of.agreement}. {of.note} ({'; '.join(of.references)})"
    return FindingEntry(
        number=number,
        rule=finding.rule,
        severity=finding.severity,
        label=severity_label(finding.severity, translations),
        title=finding.title,
        reason=finding.reason,
        confirm=finding.confirm,
        evidence=evidence,
        source=citations(finding.cites),
    )


def citations(facts: tuple[Fact, ...]) -> str:
    """Facts as they are cited: `mpt-imuran, Overview, F5; mpt-imuran, Side effects, F17`."""
    return "; ".join(fact.citation for fact in facts)


def _ids(facts: tuple[Fact, ...]) -> str:
    return ", ".join(fact.id for fact in facts)


def _row(
    item: Question | FollowUp,
    screening: Screening,
    numbered: list[tuple[int, Finding]],
    book: RuleBook,
    translations: NullTranslations,
) -> AnswerRow | None:
    """The row of a question that was asked; None for a follow-up that the answers did not open."""
    if isinstance(item, FollowUp) and not screening.answers.applies(item):
        return None
    answer = screening.answers.get(item.id)
    original = ""
    if answer is None:
        text = translations.gettext("No answer")
    else:
        text = shown(item, answer.value)
        if answer.language != book.language:
            original = answer.asked if item.kind is Kind.TEXT else f"{answer.asked} {answer.shown}"
    findings = [str(number) for number, finding in numbered if finding.answer == item.id]
    return AnswerRow(
        asked=item.ask,
        answer=text,
        original=original,
        original_language=answer.language if answer else "",
        is_follow_up=isinstance(item, FollowUp),
        is_open=answer is None,
        findings=", ".join(findings),
    )


def _provenance(screening: Screening, book: RuleBook, translations: NullTranslations) -> tuple[str, ...]:
    _ = translations.gettext
    edition = book.edition
    approval = _("draft, not approved by a clinician of this clinic")
    if edition.status == "approved" and edition.approved_on is not None:
        approval = _("approved by %(who)s on %(day)s") % {
            "who": edition.approved_by,
            "day": format_date(edition.approved_on, "dd-MMM-y", locale=Locale.parse(book.language, sep="-")),
        }
    codes = sorted({answer.language for answer in screening.answers.given} or {screening.language})
    languages = [Locale.parse(code, sep="-").get_display_name(book.language) or code for code in codes]
    lines = [
        _("Rule book %(id)s %(version)s (%(approval)s), SHA-256 %(digest)s…")
        % {"id": edition.id, "version": edition.version, "approval": approval, "digest": edition.digest[:16]},
        *(
            _("Source %(id)s: %(title)s, %(publisher)s. %(note)s")
            % {"id": source.id, "title": source.title, "publisher": source.publisher, "note": source.note}
            for source in book.sources
        ),
        _("Answered in: %(languages)s. Self-reported and not verified. It supports a decision and does not make it.")
        % {"languages": ", ".join(languages)},
    ]
    if book.translation_status == "draft":
        lines.append(_("The translation of the rule book into this language is a draft."))
    return tuple(lines)
