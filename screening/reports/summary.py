"""Assessment -> the summary's sections in their order. Pure; the words are the clinic's language."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from gettext import NullTranslations
from pathlib import Path
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date
from babel.support import Translations

from screening.domain.answers import Answers, shown
from screening.domain.assessment import Assessment, Screening
from screening.domain.entries import Clarification, Decision, Review
from screening.domain.evaluate import evaluate
from screening.domain.rules import (
    BASE_LANGUAGE,
    Fact,
    Finding,
    FollowUp,
    Kind,
    Open,
    Question,
    RuleBook,
    Severity,
)
from screening.settings import Settings

TRANSLATIONS = Path(__file__).parent.parent / "translations"
SHORT = 60  # characters; longer details stand in the table of answers alone


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
    """One finding, numbered from 1. `question` is the id of the question on whose page it rests.

    `reported` are short details given; `confirm` is what to establish in the room.
    """

    number: int
    question: str
    severity: Severity
    label: str
    title: str
    reported: str
    reason: str
    confirm: str
    evidence: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerRow:
    """One question with the answer. `original` is what was shown, where that was in another language.

    `established` is what a professional recorded since, with by whom and when; empty where nothing was.
    """

    id: str
    asked: str
    answer: str
    original: str
    original_language: str
    established: str
    is_follow_up: bool
    is_open: bool
    findings: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryLine:
    """What a professional recorded: when and by whom, what it is about, and their own words."""

    made: str
    what: str
    words: str


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
    standing: str
    findings: tuple[FindingEntry, ...]
    entries: tuple[EntryLine, ...]
    checklist: tuple[ChecklistEntry, ...]
    answers: tuple[AnswerRow, ...]
    not_screened: str
    provenance: tuple[str, ...]
    check_code: str
    created: str


def translations(language: str) -> NullTranslations:
    """The interface texts in a language; English where there are none."""
    return Translations.load(TRANSLATIONS, [language.replace("-", "_")])


def for_clinic(
    screening: Screening, books: Mapping[str, RuleBook], settings: Settings, check_code: str = ""
) -> Summary:
    """The summary in the clinic's language, assessed under `books`; an old edition may not have that language yet."""
    language = settings.clinic_language if settings.clinic_language in books else BASE_LANGUAGE
    return summarise(
        screening,
        evaluate(books[language], screening.established),
        books=books,
        language=language,
        translations=translations(language),
        clinic_name=settings.clinic_name,
        timezone=settings.clinic_timezone,
        check_code=check_code,
    )


def summarise(
    screening: Screening,
    assessment: Assessment,
    *,
    books: Mapping[str, RuleBook],
    language: str,
    translations: NullTranslations,
    clinic_name: str,
    timezone: str,
    check_code: str = "",
) -> Summary:
    """The summary of a screening in `language`; `books` is the edition it was assessed under, in all its languages.

    `timezone` is an IANA name; `check_code` is empty for a screening that is not stored.
    """
    _ = translations.gettext
    book = books[language]
    patient, medicine = screening.patient, book.medicine
    local = screening.submitted_at.astimezone(ZoneInfo(timezone))
    numbered = list(enumerate(assessment.findings, start=1))
    headline, sentence = _outcome(assessment, book, translations)
    born = {"born": day(patient.birth_date, language), "years": age(patient.birth_date, local.date())}
    return Summary(
        language=language,
        direction=Locale.parse(language, sep="-").text_direction,
        title=_("Pre-visit screening: %(medicine)s (%(brand)s)") % {"medicine": medicine.name, "brand": medicine.brand},
        clinic_name=clinic_name,
        identity=Identity(
            name=patient.name,
            birth_date=_("%(born)s (%(years)sy)") % born,
            visit=patient.visit or _("not given"),
            submitted=moment(screening.submitted_at, language, timezone),
            reference=screening.reference or _("not stored"),
        ),
        outcome=assessment.outcome,
        headline=headline,
        sentence=sentence,
        standing=_standing(book, translations),
        findings=tuple(_entry(number, finding, screening, book, translations) for number, finding in numbered),
        entries=tuple(_line(entry, book, translations, timezone) for entry in screening.entries),
        checklist=tuple(ChecklistEntry(text=item.text, source=_ids(item.cites)) for item in book.checklist),
        answers=tuple(
            _row(item, screening, numbered, translations, language, timezone)
            for item in book.asked()
            if isinstance(item, Question) or screening.answers.applies(item) or screening.established.applies(item)
        ),
        not_screened="; ".join(book.not_screened),
        provenance=_provenance(screening, books, language, translations),
        check_code=check_code,
        created=screening.submitted_at.isoformat(timespec="seconds"),
    )


def day(on: date, language: str) -> str:
    """A day as it is printed: `14-Mar-1994`, with the month in words so that it cannot be misread."""
    return format_date(on, "dd-MMM-y", locale=Locale.parse(language, sep="-"))


def moment(at: datetime, language: str, timezone: str) -> str:
    """A moment as it is printed: `14-Mar-1994 09:30 CET`."""
    local = at.astimezone(ZoneInfo(timezone))
    return f"{day(local.date(), language)} {local:%H:%M} {local.tzname()}"


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
    """The headline, and what it rests on: the topics by what to do about them, most severe first."""
    _ = translations.gettext
    topics = {item.id: item.topic for item in book.asked()}
    severity = assessment.outcome
    if severity is Severity.NONE:
        return _("No finding from these answers"), _(
            "No rule applies to the answers and no question is open. Not everything was asked: see “Not screened”."
        )
    parts = (
        (_("Confirm before any decision: %(topics)s."), assessment.of(Severity.CONTRAINDICATION)),
        (_("Talk to the patient alone: %(topics)s."), [one for one in assessment.findings if one.open is Open.PRIVATE]),
        (
            _("Still to clarify: %(topics)s."),
            [one for one in assessment.findings if one.open in (Open.UNSURE, Open.MISSING)],
        ),
        (_("Consider: %(topics)s."), assessment.of(Severity.CAUTION)),
    )
    headline = {
        Severity.CONTRAINDICATION: _("Contraindication reported"),
        Severity.CLARIFY: _("Clarify before deciding"),
        Severity.CAUTION: _("Caution reported"),
    }[severity]
    return headline, " ".join(
        text % {"topics": "; ".join(topics[one.answer] for one in findings)} for text, findings in parts if findings
    )


def _standing(book: RuleBook, translations: NullTranslations) -> str:
    """How far the rules can be relied on, for the top of the page."""
    _ = translations.gettext
    edition = book.edition
    if edition.status == "approved" and edition.approved_on is not None:
        return _("Rules approved by %(who)s on %(day)s.") % {
            "who": edition.approved_by,
            "day": day(edition.approved_on, book.language),
        }
    return _("Draft rules, not approved by a clinician of this clinic.")


def _entry(
    number: int, finding: Finding, screening: Screening, book: RuleBook, translations: NullTranslations
) -> FindingEntry:
    evidence, reason = "", finding.reason
    if finding.open and screening.clarification(finding.answer):
        reason = translations.gettext("Still open after it was clarified.")
    if finding.evidence is not None:
        of = finding.evidence
        evidence = f"{of.agreement}. {of.note} ({'; '.join(of.references)})"
    pages = {item.id: question.id for question in book.questions for item in question.page}
    return FindingEntry(
        number=number,
        question=pages[finding.answer],
        severity=finding.severity,
        label=severity_label(finding.severity, translations),
        title=finding.title,
        reported="; ".join(_details(finding, screening.established, book)),
        reason=reason,
        confirm=finding.confirm,
        evidence=evidence,
        source=citations(finding.cites),
    )


def _details(finding: Finding, answers: Answers, book: RuleBook) -> Iterator[str]:
    """What the follow-ups of the finding's question say, as far as it is short; the table has everything."""
    for follow_up in (item for question in book.questions for item in question.follow_ups):
        value = answers.value(follow_up.id)
        if follow_up.parent == finding.answer and value and answers.applies(follow_up):
            text = shown(follow_up, value)
            if len(text) <= SHORT:
                yield f"{follow_up.topic}: {text}"


def citations(facts: tuple[Fact, ...]) -> str:
    """Facts as they are cited: `mpt-imuran, Overview, F5; mpt-imuran, Side effects, F17`."""
    return "; ".join(fact.citation for fact in facts)


def _ids(facts: tuple[Fact, ...]) -> str:
    return ", ".join(fact.id for fact in facts)


def _row(
    item: Question | FollowUp,
    screening: Screening,
    numbered: list[tuple[int, Finding]],
    translations: NullTranslations,
    language: str,
    timezone: str,
) -> AnswerRow:
    """The row of a question that was asked, answered or not, with the patient's answer and what was established."""
    answer = screening.answers.get(item.id)
    original = ""
    if answer is None:
        text = translations.gettext("No answer")
    else:
        text = shown(item, answer.value)
        if (answer.asked, answer.shown) != (item.ask, text):
            original = answer.asked if item.kind is Kind.TEXT else f"{answer.asked} {answer.shown}"
    findings = [str(number) for number, finding in numbered if finding.answer == item.id]
    clarification, since = screening.clarification(item.id), ""
    if clarification is not None:
        value = clarification.answers.value(item.id)
        said = translations.gettext("does not apply") if value is None else shown(item, value)
        since = f"{said} ({clarification.by}, {moment(clarification.at, language, timezone)})"
    return AnswerRow(
        id=item.id,
        asked=item.ask,
        answer=text,
        original=original,
        original_language=answer.language if answer else "",
        established=since,
        is_follow_up=isinstance(item, FollowUp),
        is_open=answer is None,
        findings=", ".join(findings),
    )


def _line(entry: Clarification | Review, book: RuleBook, translations: NullTranslations, timezone: str) -> EntryLine:
    _ = translations.gettext
    made = f"{moment(entry.at, book.language, timezone)}, {entry.by}"
    if isinstance(entry, Clarification):
        topics = {item.id: item.topic for item in book.asked()}
        said = "; ".join(
            f"{topics[item.id]}: {shown(item, value)}"
            for item in book.asked()
            if (value := entry.answers.value(item.id)) is not None
        )
        return EntryLine(made=made, what=_("Clarified: %(what)s") % {"what": said}, words=entry.why)
    decision = decision_label(entry.decision, translations)
    if entry.until is not None:
        decision = _("defer until %(day)s") % {"day": day(entry.until, book.language)}
    words = [_("Reason: %(reason)s") % {"reason": entry.reason}] if entry.reason else []
    return EntryLine(
        made=made, what=_("Decision: %(what)s") % {"what": decision}, words=". ".join([*words, entry.note])
    )


def decision_label(decision: Decision, translations: NullTranslations) -> str:
    """A decision in words."""
    _ = translations.gettext
    return {
        Decision.PROCEED: _("proceed"),
        Decision.PROCEED_WITH_CHANGES: _("proceed with changes"),
        Decision.DEFER: _("defer"),
        Decision.DO_NOT_START: _("do not start"),
    }[decision]


def _provenance(
    screening: Screening, books: Mapping[str, RuleBook], language: str, translations: NullTranslations
) -> tuple[str, ...]:
    _ = translations.gettext
    book = books[language]
    asked_in = sorted({answer.language for answer in screening.answers.given} or {screening.language})

    def names(codes: list[str]) -> str:
        return ", ".join(Locale.parse(code, sep="-").get_display_name(language) or code for code in codes)

    lines = [
        _("Rule book %(id)s %(version)s, SHA-256 %(digest)s…")
        % {"id": book.edition.id, "version": book.edition.version, "digest": book.edition.digest[:16]},
        *(
            _("Source %(id)s: %(title)s, %(publisher)s. %(note)s")
            % {"id": source.id, "title": source.title, "publisher": source.publisher, "note": source.note}
            for source in book.sources
        ),
        _("Answered in: %(languages)s. Self-reported and not verified. It supports a decision and does not make it.")
        % {"languages": names(asked_in)},
    ]
    drafts = [code for code in sorted({*asked_in, language}) if books[code].translation_status == "draft"]
    if drafts:
        lines.append(_("Translations that are drafts: %(languages)s.") % {"languages": names(drafts)})
    return tuple(lines)
