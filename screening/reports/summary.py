"""Assessment -> the summary's sections in their order.

Pure; the words are the clinic's language.
"""

import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
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
JOINERS = "\u200c\u200d"
# characters of one answer that stand with a finding; the table of answers has the rest
LONGEST = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One answer of the patient, with its finding.

    `topic` is empty for the answer that the finding rests on.

    `row` is the number of the row that has the whole answer, and `id` what was asked there; `row`
    is empty where nothing is cut off.
    """

    id: str
    topic: str
    text: str
    row: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingEntry:
    """One finding, numbered from 1. `question` is the id of the question on whose page it rests.

    `reported` is what the patient said about it, `established` what a professional recorded since,
    with by whom and when. `reason` is empty where `reported` says it. `confirm` is what to
    establish in the room.
    """

    number: int
    question: str
    severity: Severity
    label: str
    title: str
    reported: tuple[Said, ...]
    established: str
    reason: str
    confirm: str
    evidence: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerRow:
    """One question with the answer. `number` is such as `Q4`, or `Q4a` for its first follow-up.

    `original` is what was shown, where that was in another language. `established` is what a
    professional recorded since, with by whom and when; empty where nothing was.
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
    """What a professional recorded: what it is about, by whom and when, and their own words."""

    what: str
    by: str
    at: str
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The prescriber's view of a screening, in the order in which it is read.

    `decision` is the last one, or None; `reviewed_by` and `reviewed_on` are empty where none
    stands. `checklist` are pairs of what to cover and its facts; `respondent` tells who gave the
    answers and who typed them in from paper, as far as that is known; `check_code` is empty for a screening that is not
    stored, `edition` counts from 1, and `verify_at` is the address that tells whether a page is
    unchanged.
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
    not_screened: str
    provenance: tuple[str, ...]
    check_code: str
    edition: str
    verify_at: str
    created: str


@cache
def translations(language: str) -> NullTranslations:
    """The interface texts in a language; English where there are none."""
    return Translations.load(TRANSLATIONS, [language.replace("-", "_")])


def is_translated(language: str) -> bool:
    """Whether pages and summaries can be in a language; English is what they are written in."""
    return language == BASE_LANGUAGE or isinstance(translations(language), Translations)


def standing(edition: Edition, language: str, *, on: date, own: Callable[[str], str] = str) -> str:
    """How far the rules can be relied on, as of a day. `own` marks what somebody typed."""
    _ = translations(language).gettext
    if not edition.approvals:
        return _("Draft rules, not yet approved by a clinician at this clinic.")
    approved = [
        _("%(who)s on %(day)s")
        % {
            "who": f"{own(one.by)} ({own(one.role)})" if one.role else own(one.by),
            "day": day(one.on, language),
        }
        for one in edition.approvals
    ]
    words = _("Rules approved by %(whom)s.") % {"whom": "; ".join(approved)}
    overdue = edition.overdue_since(on)
    return words + (
        " " + _("Review overdue since %(day)s.") % {"day": day(overdue, language)}
        if overdue
        else ""
    )


def in_language_of(settings: Settings, books: Mapping[str, RuleBook]) -> RuleBook:
    """The edition in the clinic's language; an old one may not have it yet."""
    return books.get(settings.clinic_language, books[BASE_LANGUAGE])


def summarise(
    screening: Screening, books: Mapping[str, RuleBook], settings: Settings, check_code: str = ""
) -> Summary:
    """The summary in the clinic's language, assessed under `books`, the screening's edition in all its languages."""
    return _Writer(screening, books, settings).summary(check_code)


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
    """Return what prescribers read for a severity, a decision, or the role of whoever fills in the questionnaire."""
    return translations(language).gettext(LABELS[of])


def respondent_words(respondent: Respondent, language: str, own: Callable[[str], str] = str) -> str:
    """Return the role of whoever fills in the questionnaire, with the name where there is one."""
    role = label(respondent.role, language)
    return f"{role} ({own(respondent.name)})" if respondent.name else role


def beginning(text: str, longest: int) -> str:
    """The text, or the words at its beginning with an ellipsis; a single long word is cut between two letters."""
    if len(text) <= longest:
        return text
    words = text[:longest].rpartition(" ")[0]
    if len(words) >= longest // 2:
        return f"{words.rstrip()} …"
    end = longest
    # a mark or joiner belongs to the letter before it
    while end and unicodedata.category(text[end])[0] in "CM":
        end -= 1
    return f"{text[:end].rstrip(JOINERS)}…"


class _Writer:
    """Writes one summary in the clinic's language."""

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
            item.id: f"{number}{chr(ord('a') + place - 1) if place else ''}"
            for number, question in enumerate(self.book.questions, start=1)
            for place, item in enumerate(question.page)
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
                self.finding(number, one)
                for number, one in enumerate(self.assessment.findings, start=1)
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
        """The headline, and what it rests on: the topics by what to do about them, most severe first."""
        _ = self._
        severity = assessment.outcome
        found = assessment.findings
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
        parts = (
            (
                _("Confirm before any decision: %(topics)s."),
                assessment.of(Severity.CONTRAINDICATION),
            ),
            (
                _("Discuss with the patient alone: %(topics)s."),
                [one for one in found if one.open is Open.PRIVATE],
            ),
            (
                _("Still to clarify: %(topics)s."),
                [one for one in found if one.open in (Open.UNSURE, Open.MISSING)],
            ),
            (_("Consider: %(topics)s."), assessment.of(Severity.CAUTION)),
        )
        return headline, " ".join(
            text % {"topics": "; ".join(self.asked[one.answer].topic for one in some)}
            for text, some in parts
            if some
        )

    def respondent(self) -> str:
        """Who gave the answers, where that was said, and who typed them in."""
        _ = self._
        patient = self.screening.patient
        sentences = []
        if patient.respondent is not None:
            who = respondent_words(patient.respondent, self.language, self.own)
            sentences.append(_("Answers given by %(who)s.") % {"who": who})
        if patient.paper is not None:
            sentences.append(
                _("From paper, typed by %(who)s. Date on the paper: %(day)s.")
                % {
                    "who": self.own(patient.paper.typed_by),
                    "day": day(patient.paper.filled_in_at.date(), self.language),
                }
            )
        return " ".join(sentences)

    def not_alone(self) -> str:
        """What to know about an answer that was kept for a talk in private."""
        proxy = self.screening.patient.proxy
        if proxy is None:
            return ""
        words = self._(
            "Not answered alone: %(who)s filled this in. Ask without that person in the room."
        )
        return words % {"who": respondent_words(proxy, self.language, self.own)}

    def decision(self) -> EntryLine | None:
        """The last decision, for the top of the page; whether it still stands is said with it."""
        for entry in reversed(self.screening.entries):
            if isinstance(entry, Review):
                line = self.entry(entry)
                if self.screening.review is None:
                    what = self._(
                        "New decision needed: an answer has been clarified since “%(decision)s”"
                    )
                    line = replace(line, what=what % {"decision": self.decided(entry)})
                return line
        return None

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
                f"{one.topic}: {self.own(one.text)}"
                for one in self.details(item, clarification.answers)
            )
            found = "; ".join((self.choice(item, clarification.answers), *details))
            established = f"{found} ({self.own(clarification.by)}, {self.moment(clarification.at)})"
            if finding.open:
                reason = self._("Still open after clarification.")
        elif finding.open:
            choice = finding.reason.removesuffix(".")
            reason = ""
        if (of := finding.evidence) is not None:
            status = self._("draft note") if of.status == "draft" else self._("approved note")
            evidence = f"{of.agreement} ({status}). {of.note} [{'; '.join(of.references)}]"
        return FindingEntry(
            number=number,
            question=item.parent if isinstance(item, FollowUp) else item.id,
            severity=finding.severity,
            label=label(finding.severity, self.language),
            title=finding.title,
            reported=(
                Said(id=item.id, topic="", text=choice, row=""),
                *self.details(item, answers),
            ),
            established=established,
            reason=reason or (self.not_alone() if finding.open is Open.PRIVATE else ""),
            confirm=finding.confirm,
            evidence=evidence,
            source=finding.citations,
        )

    def own(self, text: str) -> str:
        """Own words, as part of a sentence of ours."""
        return isolated(text) if self.direction == "rtl" or has_right_to_left(text) else text

    def choice(self, item: Question | FollowUp, answers: Answers) -> str:
        value = answers.value(item.id)
        return self._("No answer") if value is None else shown(item, value)

    def details(self, item: Question | FollowUp, answers: Answers) -> Iterator[Said]:
        """What the follow-ups of the finding's question say; of a long answer, its beginning and where the rest is."""
        for follow_up in item.follow_ups if isinstance(item, Question) else ():
            value = answers.value(follow_up.id)
            if value and answers.applies(follow_up):
                text = " / ".join(
                    line.strip() for line in shown(follow_up, value).splitlines() if line.strip()
                )
                row = self.row_number(follow_up) if len(text) > LONGEST else ""
                yield Said(
                    id=follow_up.id, topic=follow_up.topic, text=beginning(text, LONGEST), row=row
                )

    def row_number(self, item: Question | FollowUp) -> str:
        return self._("Q%(number)s") % {"number": self.numbers[item.id]}

    def row(self, item: Question | FollowUp) -> AnswerRow:
        """The row of a question that was asked, answered or not, with the patient's answer and what was established."""
        answer = self.screening.answers.get(item.id)
        clarification = self.screening.clarification(item.id)
        text = self._("No answer")
        original = ""
        since = ""
        if answer is not None:
            text = shown(item, answer.value)
            if (answer.asked, answer.shown) != (item.ask, text):
                original = (
                    answer.asked if item.kind is Kind.TEXT else f"{answer.asked} {answer.shown}"
                )
        if clarification is not None:
            now = clarification.answers
            said = self.choice(item, now) if now.applies(item) else self._("Does not apply")
            since = (
                f"{self.own(said)} ({self.own(clarification.by)}, {self.moment(clarification.at)})"
            )
        numbers = (
            str(number)
            for number, one in enumerate(self.assessment.findings, start=1)
            if one.answer == item.id
        )
        return AnswerRow(
            id=item.id,
            number=self.row_number(item),
            asked=item.ask,
            answer=text,
            original=original,
            original_language=answer.language if answer else "",
            established=since,
            is_follow_up=isinstance(item, FollowUp),
            is_open=answer is None,
            findings=", ".join(numbers),
        )

    def entry(self, entry: Entry) -> EntryLine:
        _ = self._
        at = self.moment(entry.at)
        if isinstance(entry, Clarification):
            given = ((item, entry.answers.value(item.id)) for item in self.book.asked())
            said = "; ".join(
                f"{item.topic}: {self.own(shown(item, value))}"
                for item, value in given
                if value is not None
            )
            return EntryLine(
                what=_("Clarified – %(what)s") % {"what": said}, by=entry.by, at=at, words=entry.why
            )
        words = (
            [_("Reason: %(reason)s") % {"reason": self.own(entry.reason)}] if entry.reason else []
        )
        what = _("Decision: %(what)s") % {"what": self.decided(entry)}
        return EntryLine(
            what=what, by=entry.by, at=at, words=". ".join([*words, self.own(entry.note)])
        )

    def decided(self, entry: Review) -> str:
        if entry.until is not None:
            return self._("defer until %(day)s") % {"day": day(entry.until, self.language)}
        return label(entry.decision, self.language)

    def provenance(self) -> Iterator[str]:
        _ = self._
        edition = self.book.edition
        asked_in = {answer.language for answer in self.screening.answers.given} or {
            self.screening.language
        }
        about = {"id": edition.id, "version": edition.version, "digest": edition.digest[:16]}
        yield _("Rule book %(id)s %(version)s, SHA-256 %(digest)s…") % about
        for one in self.book.sources:
            source = {
                "id": one.id,
                "title": one.title,
                "publisher": one.publisher,
                "note": one.note,
            }
            yield _("Source %(id)s: %(title)s, %(publisher)s. %(note)s") % source
        yield _(
            "Answered in: %(languages)s. %(reported)s and not verified. "
            "This summary supports the prescriber’s decision and does not replace it."
        ) % {
            "languages": self.names(asked_in),
            "reported": _("Relayed") if self.screening.patient.proxy else _("Self-reported"),
        }
        drafts = {
            code
            for code in {*asked_in, self.language}
            if self.books[code].translation_status == "draft"
        }
        if drafts:
            yield _("Draft translations: %(languages)s.") % {"languages": self.names(drafts)}

    def names(self, codes: set[str]) -> str:
        """Languages by their names in the clinic's language."""
        return ", ".join(
            Locale.parse(code, sep="-").get_display_name(self.language) or code
            for code in sorted(codes)
        )
