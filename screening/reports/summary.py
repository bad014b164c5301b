"""The summary of a screening as values, section by section, in the clinic's language."""

import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import cache
from gettext import NullTranslations
from pathlib import Path
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date
from babel.support import Translations

from screening.domain.answers import Answers, Respondent, Role, shown
from screening.domain.assessment import Assessment, Screening
from screening.domain.entries import Clarification, Decision, Entry, Review
from screening.domain.evaluate import evaluate
from screening.domain.rules import (
    BASE_LANGUAGE,
    Edition,
    Finding,
    FollowUp,
    Kind,
    Open,
    Question,
    RuleBook,
    Severity,
)
from screening.reports.bidi import has_right_to_left, isolated
from screening.settings import Settings

TRANSLATIONS = Path(__file__).parent.parent / "translations"
ONE_WEEK = timedelta(weeks=1)
JOINERS = "\u200c\u200d"
# characters of an answer beside its finding; the table of answers has the whole answer
LONGEST = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedAnswer:
    """An answer of the patient beside its finding.

    `topic` is empty for the answer on which the finding is based. `row` is the number of the row
    with the whole answer, and is empty where nothing is cut off. `id` is that of the question.
    """

    id: str
    topic: str
    text: str
    row: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingEntry:
    """A finding, numbered from 1. `question` is the id of the question on whose page it is based.

    `reported` are the patient's answers, `established` is the answer that a professional recorded
    since, with name and time. `reason` is empty where `reported` states it. `confirm` is the point
    to establish at the visit.
    """

    number: int
    question: str
    severity: Severity
    label: str
    title: str
    reported: tuple[ReportedAnswer, ...]
    established: str
    reason: str
    confirm: str
    evidence: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerRow:
    """A question with its answer. `number` is such as `Q4`, or `Q4a` for its first follow-up.

    `original` is the text that was shown, if it was in another language. `established` is the
    answer that a professional recorded since, with name and time, or empty.
    """

    id: str
    number: str
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
    """An entry of a professional: its content, name and time, and the professional's own words."""

    what: str
    by: str
    at: str
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The prescriber's view of a screening, in the order in which it is read.

    `decision` is the last one, or None; `reviewed_by` and `reviewed_on` are empty where no decision
    is valid. `checklist` are pairs of a point to cover and its facts. `respondent` says
    who gave the answers and who typed them in from paper, or is empty. `check_code` is empty for a
    screening that is not stored. `edition` counts from 1. `verify_at` is the address at which a
    printed page is checked.
    `ask_again` says when the answers that change soonest are too old, or is empty.
    `other_answers` is a sentence on the same person's other screenings, or empty.
    """

    language: str
    direction: str
    title: str
    clinic_name: str
    name: str
    born: str
    visit: str
    submitted: str
    reference: str
    outcome: Severity
    headline: str
    sentence: str
    decision: EntryLine | None
    reviewed_by: str
    reviewed_on: str
    standing: str
    findings: tuple[FindingEntry, ...]
    entries: tuple[EntryLine, ...]
    checklist: tuple[tuple[str, str], ...]
    answers: tuple[AnswerRow, ...]
    respondent: str
    ask_again: str
    not_screened: str
    provenance: tuple[str, ...]
    check_code: str
    edition: str
    verify_at: str
    created: str
    other_answers: str = ""


@cache
def translations(language: str) -> NullTranslations:
    """Return the interface texts in a language, English where there are none."""
    return Translations.load(TRANSLATIONS, [language.replace("-", "_")])


def is_translated(language: str) -> bool:
    """Return whether pages and summaries exist in a language; the texts in code are English."""
    return language == BASE_LANGUAGE or isinstance(translations(language), Translations)


def standing(edition: Edition, language: str, *, on: date, own: Callable[[str], str] = str) -> str:
    """Return the approvals of the rules, and an overdue review, as of a day.

    `own` marks text that a person typed.
    """
    _ = translations(language).gettext
    if not edition.approvals:
        return _("Draft rules, not yet approved by a clinician at this clinic.")
    approved = []
    for approval in edition.approvals:
        role = f" ({own(approval.role)})" if approval.role else ""
        values = {"who": f"{own(approval.by)}{role}", "day": day(approval.on, language)}
        approved.append(_("%(who)s on %(day)s") % values)
    words = _("Rules approved by %(whom)s.") % {"whom": "; ".join(approved)}
    overdue = edition.overdue_since(on)
    if overdue is None:
        return words
    warning = _("Review overdue since %(day)s.") % {"day": day(overdue, language)}
    return f"{words} {warning}"


def other_answers(reference: str, sent_at: datetime, *, is_newer: bool, settings: Settings) -> str:
    """Return one line about the newest other screening of the same person."""
    language = settings.clinic_language
    _ = translations(language).gettext
    words = (
        _("NEWER ANSWERS of this patient arrived on %(moment)s: %(reference)s.")
        if is_newer
        else _("Earlier answers of this patient arrived on %(moment)s: %(reference)s.")
    )
    return words % {
        "moment": moment(sent_at, language, settings.clinic_timezone),
        "reference": reference,
    }


def in_language_of(settings: Settings, books: Mapping[str, RuleBook]) -> RuleBook:
    """Return the edition in the clinic's language, in English where an old one lacks it."""
    return books.get(settings.clinic_language, books[BASE_LANGUAGE])


def summarise(
    screening: Screening, books: Mapping[str, RuleBook], settings: Settings, check_code: str = ""
) -> Summary:
    """Assess a screening and return its summary in the clinic's language.

    `books` is the screening's edition in all its languages.
    """
    return _Writer(screening, books, settings).summary(check_code)


def day(on: date, language: str) -> str:
    """Format a day as `14-Mar-1994`; the month is a word, so that it cannot be misread."""
    return format_date(on, "dd-MMM-y", locale=Locale.parse(language, sep="-"))


def moment(at: datetime, language: str, timezone: str) -> str:
    """Format a time as `14-Mar-1994 09:30 CET`."""
    local = at.astimezone(ZoneInfo(timezone))
    return f"{day(local.date(), language)} {local:%H:%M} {local.tzname()}"


def age(born: date, on: date) -> int:
    """Return the completed years of age on a day."""
    return on.year - born.year - ((on.month, on.day) < (born.month, born.day))


def N_(words: str) -> str:  # noqa: N802 - the name by which gettext finds texts
    """Mark words that are translated later."""
    return words


LABELS: Mapping[Severity | Decision | Role, str] = {
    Severity.CONTRAINDICATION: N_("Contraindication"),
    Severity.CLARIFY: N_("Clarify"),
    Severity.CAUTION: N_("Caution"),
    Severity.NONE: N_("None"),
    Decision.PROCEED: N_("proceed"),
    Decision.PROCEED_WITH_CHANGES: N_("proceed with changes"),
    Decision.DEFER: N_("defer"),
    Decision.DO_NOT_START: N_("do not start"),
    Role.PATIENT: N_("the patient"),
    Role.HELPER: N_("somebody who helps the patient"),
    Role.GUARDIAN: N_("the patient’s parent or guardian"),
    Role.INTERPRETER: N_("the patient’s interpreter"),
}


def label(of: Severity | Decision | Role, language: str) -> str:
    """Return the label that prescribers read for a severity, a decision or a respondent's role."""
    return translations(language).gettext(LABELS[of])


def respondent_words(respondent: Respondent, language: str, own: Callable[[str], str] = str) -> str:
    """Return the role of the respondent, with the name where there is one."""
    role = label(respondent.role, language)
    return f"{role} ({own(respondent.name)})" if respondent.name else role


def beginning(text: str, longest: int) -> str:
    """Cut a text after a word, or a long word between two letters, and add an ellipsis."""
    if len(text) <= longest:
        return text
    words = text[:longest].rpartition(" ")[0]
    if len(words) >= longest // 2:
        return f"{words.rstrip()} …"
    end = longest
    # A mark or a joiner belongs to the letter before it.
    while end and unicodedata.category(text[end])[0] in "CM":
        end -= 1
    return f"{text[:end].rstrip(JOINERS)}…"


class _Writer:
    """Writes a summary in the clinic's language."""

    def __init__(
        self, screening: Screening, books: Mapping[str, RuleBook], settings: Settings
    ) -> None:
        self.screening = screening
        self.books = books
        self.settings = settings
        self.book = in_language_of(settings, books)
        self.language = self.book.language
        self.direction = Locale.parse(self.language, sep="-").text_direction
        self.asked = {item.id: item for item in self.book.asked()}
        self.numbers = {
            item.id: f"{number}{chr(ord('a') + index - 1) if index else ''}"
            for number, question in enumerate(self.book.questions, start=1)
            for index, item in enumerate(question.page)
        }
        self.assessment = evaluate(self.book, screening.established)
        self._ = translations(self.language).gettext

    def summary(self, check_code: str) -> Summary:
        _ = self._
        screening = self.screening
        book = self.book
        patient = screening.patient
        medicine = book.medicine
        sent_on = screening.submitted_at.astimezone(ZoneInfo(self.settings.clinic_timezone)).date()
        years = age(patient.birth_date, sent_on)
        headline, sentence = self.outcome(self.assessment)
        review = screening.review
        return Summary(
            language=self.language,
            direction=self.direction,
            title=_("Pre-visit screening: %(medicine)s (%(brand)s)")
            % {"medicine": medicine.name, "brand": medicine.brand},
            clinic_name=self.settings.clinic_name,
            name=patient.name,
            born=_("%(born)s (%(years)sy)")
            % {"born": day(patient.birth_date, self.language), "years": years},
            visit=patient.visit or _("not given"),
            submitted=self.moment(screening.submitted_at),
            reference=screening.reference or _("not stored"),
            outcome=self.assessment.outcome,
            headline=headline,
            sentence=sentence,
            decision=self.decision(),
            reviewed_by=review.by if review else "",
            reviewed_on=self.moment(review.at) if review else "",
            standing=standing(book.edition, self.language, on=sent_on, own=self.own),
            findings=tuple(
                self.finding(number, finding)
                for number, finding in enumerate(self.assessment.findings, start=1)
            ),
            entries=tuple(map(self.entry, screening.entries)),
            checklist=tuple(
                (item.text, ", ".join(fact.id for fact in item.cites)) for item in book.checklist
            ),
            answers=tuple(
                self.row(item)
                for item in book.asked()
                if screening.answers.applies(item) or screening.established.applies(item)
            ),
            respondent=self.respondent(),
            ask_again=self.ask_again(),
            not_screened="; ".join(book.not_screened),
            provenance=tuple(self.provenance()),
            check_code=check_code,
            edition=str(len(screening.entries) + 1),
            verify_at=f"{self.settings.public_url}/verify",
            created=screening.changed_at.isoformat(timespec="seconds"),
        )

    def moment(self, at: datetime) -> str:
        return moment(at, self.language, self.settings.clinic_timezone)

    def outcome(self, assessment: Assessment) -> tuple[str, str]:
        """Return the headline and a sentence with the topics by action, the most severe first."""
        _ = self._
        severity = assessment.outcome
        findings = assessment.findings
        if severity is Severity.NONE:
            return _("No findings from these answers"), _(
                "None of the rules applies to these answers and no question is left open. "
                "Some points were not asked: see “Not screened”."
            )
        headline = {
            Severity.CONTRAINDICATION: _("Contraindication reported"),
            Severity.CLARIFY: _("Clarify before deciding"),
            Severity.CAUTION: _("Caution reported"),
        }[severity]
        contraindications = assessment.of(Severity.CONTRAINDICATION)
        private = [finding for finding in findings if finding.open is Open.PRIVATE]
        unclear = [finding for finding in findings if finding.open in (Open.UNSURE, Open.MISSING)]
        sentences = (
            (_("Confirm before any decision: %(topics)s."), contraindications),
            (_("Discuss with the patient alone: %(topics)s."), private),
            (_("Still to clarify: %(topics)s."), unclear),
            (_("Consider: %(topics)s."), assessment.of(Severity.CAUTION)),
        )
        return headline, " ".join(
            text % {"topics": "; ".join(self.asked[finding.answer].topic for finding in group)}
            for text, group in sentences
            if group
        )

    def respondent(self) -> str:
        """Return who gave the answers, and who typed them in from paper, where that is known."""
        _ = self._
        patient = self.screening.patient
        sentences = []
        if patient.respondent is not None:
            who = respondent_words(patient.respondent, self.language, self.own)
            sentences.append(_("Answers given by %(who)s.") % {"who": who})
        if (paper := patient.paper) is not None:
            on = day(paper.filled_in_at.date(), self.language)
            words = _("From paper, typed by %(who)s. Date on the paper: %(day)s.")
            sentences.append(words % {"who": self.own(paper.typed_by), "day": on})
        return " ".join(sentences)

    def ask_again(self) -> str:
        """Return when the answers that are valid for a week at most are too old, soonest first."""
        topics: dict[datetime, list[str]] = {}
        for question in self.book.questions:
            valid_for = timedelta(hours=question.valid_for_hours)
            if valid_for <= ONE_WEEK and self.screening.established.get(question.id) is not None:
                until = self.screening.known_since(question.id) + valid_for
                topics.setdefault(until, []).append(question.topic)
        times = [f"{self.moment(until)}: {', '.join(topics[until])}" for until in sorted(topics)]
        return self._("Ask again after %(times)s.") % {"times": "; ".join(times)} if times else ""

    def not_alone(self) -> str:
        """Return a warning about an answer to be given in private, if the patient was not alone."""
        proxy = self.screening.patient.proxy
        if proxy is None:
            return ""
        words = self._(
            "Not answered alone: %(who)s filled this in. Ask without that person in the room."
        )
        return words % {"who": respondent_words(proxy, self.language, self.own)}

    def decision(self) -> EntryLine | None:
        """Return the last decision, with a note where a clarification made it invalid."""
        reviews = [entry for entry in self.screening.entries if isinstance(entry, Review)]
        if not reviews:
            return None
        line = self.entry(reviews[-1])
        if self.screening.review is not None:
            return line
        what = self._("New decision needed: an answer has been clarified since “%(decision)s”")
        return replace(line, what=what % {"decision": self.decided(reviews[-1])})

    def finding(self, number: int, finding: Finding) -> FindingEntry:
        evidence = ""
        reason = finding.reason
        item = self.asked[finding.answer]
        answers = self.screening.answers
        clarification = self.screening.clarification(finding.answer)
        choice = self.choice(item, answers)
        established = ""
        if clarification is not None:
            details = (
                f"{detail.topic}: {self.own(detail.text)}"
                for detail in self.details(item, clarification.answers)
            )
            clarified = "; ".join((self.choice(item, clarification.answers), *details))
            established = self.signed(clarified, clarification)
            if finding.open:
                reason = self._("Still open after clarification.")
        elif finding.open:
            choice = finding.reason.removesuffix(".")
            reason = ""
        if (note := finding.evidence) is not None:
            status = self._("draft note") if note.status == "draft" else self._("approved note")
            evidence = f"{note.agreement} ({status}). {note.note} [{'; '.join(note.references)}]"
        main_answer = ReportedAnswer(id=item.id, topic="", text=choice, row="")
        return FindingEntry(
            number=number,
            question=item.parent if isinstance(item, FollowUp) else item.id,
            severity=finding.severity,
            label=label(finding.severity, self.language),
            title=finding.title,
            reported=(main_answer, *self.details(item, answers)),
            established=established,
            reason=reason or (self.not_alone() if finding.open is Open.PRIVATE else ""),
            confirm=finding.confirm,
            evidence=evidence,
            source=finding.citations,
        )

    def own(self, text: str) -> str:
        """Return typed text for use in a sentence of ours."""
        return isolated(text) if self.direction == "rtl" or has_right_to_left(text) else text

    def signed(self, text: str, entry: Entry) -> str:
        """Add name and time of an entry to a text."""
        return f"{text} ({self.own(entry.by)}, {self.moment(entry.at)})"

    def choice(self, item: Question | FollowUp, answers: Answers) -> str:
        value = answers.value(item.id)
        return self._("No answer") if value is None else shown(item, value)

    def details(self, item: Question | FollowUp, answers: Answers) -> Iterator[ReportedAnswer]:
        """Yield the answers to the follow-ups; a long one is cut, with the number of its row."""
        for follow_up in item.follow_ups if isinstance(item, Question) else ():
            value = answers.value(follow_up.id)
            if value and answers.applies(follow_up):
                lines = map(str.strip, shown(follow_up, value).splitlines())
                text = " / ".join(filter(None, lines))
                row = self.row_number(follow_up) if len(text) > LONGEST else ""
                text = beginning(text, LONGEST)
                yield ReportedAnswer(id=follow_up.id, topic=follow_up.topic, text=text, row=row)

    def row_number(self, item: Question | FollowUp) -> str:
        return self._("Q%(number)s") % {"number": self.numbers[item.id]}

    def row(self, item: Question | FollowUp) -> AnswerRow:
        """Return the row of a question with the patient's answer and the established one."""
        answer = self.screening.answers.get(item.id)
        clarification = self.screening.clarification(item.id)
        text = self._("No answer")
        original = ""
        established = ""
        if answer is not None:
            text = shown(item, answer.value)
            if (answer.asked, answer.shown) != (item.ask, text):
                is_text = item.kind is Kind.TEXT
                original = answer.asked if is_text else f"{answer.asked} {answer.shown}"
        if clarification is not None:
            now = clarification.answers
            choice = self.choice(item, now) if now.applies(item) else self._("Does not apply")
            established = self.signed(self.own(choice), clarification)
        numbers = (
            str(number)
            for number, finding in enumerate(self.assessment.findings, start=1)
            if finding.answer == item.id
        )
        return AnswerRow(
            id=item.id,
            number=self.row_number(item),
            asked=item.ask,
            answer=text,
            original=original,
            original_language=answer.language if answer else "",
            established=established,
            is_follow_up=isinstance(item, FollowUp),
            is_open=answer is None,
            findings=", ".join(numbers),
        )

    def entry(self, entry: Entry) -> EntryLine:
        _ = self._
        at = self.moment(entry.at)
        if isinstance(entry, Clarification):
            values = ((item, entry.answers.value(item.id)) for item in self.book.asked())
            clarified = "; ".join(
                f"{item.topic}: {self.own(shown(item, value))}"
                for item, value in values
                if value is not None
            )
            what = _("Clarified – %(what)s") % {"what": clarified}
            return EntryLine(what=what, by=entry.by, at=at, words=entry.why)
        words = self.own(entry.note)
        if entry.reason:
            reason = _("Reason: %(reason)s") % {"reason": self.own(entry.reason)}
            words = f"{reason}. {words}"
        what = _("Decision: %(what)s") % {"what": self.decided(entry)}
        return EntryLine(what=what, by=entry.by, at=at, words=words)

    def decided(self, entry: Review) -> str:
        if entry.until is not None:
            return self._("defer until %(day)s") % {"day": day(entry.until, self.language)}
        return label(entry.decision, self.language)

    def provenance(self) -> Iterator[str]:
        _ = self._
        edition = self.book.edition
        answered_in = {answer.language for answer in self.screening.answers.given}
        answered_in = answered_in or {self.screening.language}
        values = {"id": edition.id, "version": edition.version, "digest": edition.digest[:16]}
        yield _("Rule book %(id)s %(version)s, SHA-256 %(digest)s…") % values
        for source in self.book.sources:
            values = {
                "id": source.id,
                "title": source.title,
                "publisher": source.publisher,
                "note": source.note,
            }
            yield _("Source %(id)s: %(title)s, %(publisher)s. %(note)s") % values
        reported = _("Relayed") if self.screening.patient.proxy else _("Self-reported")
        yield _(
            "Answered in: %(languages)s. %(reported)s and not verified. "
            "This summary supports the prescriber’s decision and does not replace it."
        ) % {"languages": self.names(answered_in), "reported": reported}
        shown_in = {*answered_in, self.language}
        drafts = {code for code in shown_in if self.books[code].translation_status == "draft"}
        if drafts:
            yield _("Draft translations: %(languages)s.") % {"languages": self.names(drafts)}

    def names(self, codes: set[str]) -> str:
        """Return the names of languages in the clinic's language."""
        return ", ".join(
            Locale.parse(code, sep="-").get_display_name(self.language) or code
            for code in sorted(codes)
        )
