"""Questions and answers as patients read them, on pages and on paper, without any outcome."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from babel import Locale
from babel.dates import format_date, format_time, get_date_format
from babel.dates import get_timezone as timezone

from screening.domain.answers import Answers, Patient, Role, shown
from screening.domain.assessment import Screening
from screening.domain.rules import FollowUp, Open, Question, RuleBook
from screening.reports.summary import translations
from screening.settings import Settings

DATE_PARTS = ("birth_day", "birth_month", "birth_year")


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowUpPlace:
    """The position of a follow-up: after the choice that opens it, or after all if several do.

    `choices` are the labels of the choices that open it.
    """

    item: FollowUp
    opens_after: str
    choices: tuple[str, ...]


def follow_up_places(question: Question, *, without: str = "") -> list[FollowUpPlace]:
    """Return the positions of a question's follow-ups on its page, from the top.

    The choice `without` is not offered on that page.
    """
    places = []
    options = [option for option in question.options if option.id != without]
    for follow_up in question.follow_ups:
        opening = [option for option in options if option.id in follow_up.when]
        after = opening[0] if len(opening) == 1 else options[-1]
        choices = tuple(option.label for option in opening)
        places.append(FollowUpPlace(item=follow_up, opens_after=after.id, choices=choices))
    order = [option.id for option in options]
    return sorted(places, key=lambda place: order.index(place.opens_after))


def date_part_order(locale: Locale) -> list[str]:
    """Return the three parts of a date of birth in the order of a written date."""
    pattern = get_date_format("long", locale=locale).pattern
    letters = {"birth_day": "d", "birth_month": "M", "birth_year": "y"}
    return sorted(DATE_PARTS, key=lambda part: pattern.find(letters[part]))


def respondent_choices(language: str) -> dict[Role, str]:
    """Return the choices for "Who is filling this in?"."""
    _ = translations(language).gettext
    return {
        Role.PATIENT: _("I am the patient"),
        Role.HELPER: _("I help the patient"),
        Role.GUARDIAN: _("I am a parent or guardian"),
        Role.INTERPRETER: _("I am the interpreter"),
    }


def respondent_chosen(patient: Patient, language: str) -> str:
    """Return the answer to "Who is filling this in?"; empty without an answer."""
    respondent = patient.respondent
    if respondent is None:
        return ""
    choice = respondent_choices(language)[respondent.role]
    return " – ".join(filter(None, (choice, respondent.name)))


def asked_and_answered(answers: Answers, book: RuleBook) -> Iterator[tuple[Question, str, str]]:
    """Yield the question of the page, the text and the answer of each item that was asked.

    Texts are in the book's language; an empty answer means that there is none.
    """
    for question in book.questions:
        for item in question.page:
            if answers.applies(item):
                value = answers.value(item.id)
                yield question, item.ask, "" if value is None else shown(item, value)


def about_patient(patient: Patient, language: str, settings: Settings) -> list[tuple[str, str]]:
    """Return name, date of birth and visit number of the patient, each after its label."""
    _ = translations(language).gettext
    born = format_date(patient.birth_date, "long", settings.locale(language))
    by_another = patient.proxy or patient.paper
    return [
        (_("Name") if by_another else _("Your name"), patient.name),
        (_("Date of birth") if by_another else _("Your date of birth"), born),
        (_("Visit number"), patient.visit),
    ]


def particulars(screening: Screening, book: RuleBook, settings: Settings) -> list[tuple[str, str]]:
    """Return labels and values for the head of the patient's copy, in the language of the book."""
    _ = translations(book.language).gettext
    locale = settings.locale(book.language)
    patient = screening.patient
    sent = screening.submitted_at.astimezone(timezone(settings.clinic_timezone))
    chosen = respondent_chosen(patient, book.language)
    day = format_date(sent, "long", locale)
    return [
        (_("Reference"), screening.reference),
        (_("Sent"), f"{day} {format_time(sent, 'short', locale=locale)}"),
        *about_patient(patient, book.language, settings),
        *([(_("Who filled this in"), chosen)] if chosen else []),
    ]


def private_label(book: RuleBook) -> str:
    """Return the label of the choice to answer in private, or "" where a book has none."""
    options = (option for question in book.questions for option in question.options)
    return next((option.label for option in options if option.id == Open.PRIVATE), "")


@cache  # every page needs it
def locale_of(language: str) -> Locale:
    """Return the locale of a language, such as `es` or `zh-Hant`."""
    return Locale.parse(language, sep="-")
