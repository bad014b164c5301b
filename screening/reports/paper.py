"""Questions and answers as patients read them, on pages and on paper. Never an outcome."""

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
    """Where a follow-up opens: under the choice that opens it; after them all where several do.

    Names the choices.
    """

    item: FollowUp
    opens_after: str
    choices: tuple[str, ...]


def follow_up_places(question: Question, *, without: str = "") -> list[FollowUpPlace]:
    """Where the question's follow-ups open on its page, from its top; the choice `without` is not offered there."""
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
    """The three parts of a date of birth in the order in which a date is written."""
    pattern = get_date_format("long", locale=locale).pattern
    letters = {"birth_day": "d", "birth_month": "M", "birth_year": "y"}
    return sorted(DATE_PARTS, key=lambda part: pattern.find(letters[part]))


def respondent_choices(language: str) -> dict[Role, str]:
    """The answers to choose from to "Who is filling this in?"."""
    _ = translations(language).gettext
    return {
        Role.PATIENT: _("I am the patient"),
        Role.HELPER: _("I help the patient"),
        Role.GUARDIAN: _("I am a parent or guardian"),
        Role.INTERPRETER: _("I am the interpreter"),
    }


def respondent_chosen(patient: Patient, language: str) -> str:
    """What was answered to that; empty where nothing was."""
    said = patient.respondent
    return (
        " – ".join(filter(None, (respondent_choices(language)[said.role], said.name)))
        if said
        else ""
    )


def asked_and_answered(answers: Answers, book: RuleBook) -> Iterator[tuple[Question, str, str]]:
    """Every question and follow-up that was asked, in the book's language, with its answer; and whose page it is on."""
    for question in book.questions:
        for item in question.page:
            if answers.applies(item):
                value = answers.value(item.id)
                yield question, item.ask, "" if value is None else shown(item, value)


def about_patient(patient: Patient, language: str, settings: Settings) -> list[tuple[str, str]]:
    """Return name, date of birth and visit number of the patient, each after its label."""
    _ = translations(language).gettext
    born = format_date(patient.birth_date, "long", settings.locale(language))
    return [
        (_("Name") if patient.proxy else _("Your name"), patient.name),
        (_("Date of birth") if patient.proxy else _("Your date of birth"), born),
        (_("Visit number"), patient.visit),
    ]


def particulars(screening: Screening, book: RuleBook, settings: Settings) -> list[tuple[str, str]]:
    """Who answered and when, as the patient's own record shows it in the language of the book."""
    _ = translations(book.language).gettext
    locale = settings.locale(book.language)
    patient = screening.patient
    sent = screening.submitted_at.astimezone(timezone(settings.clinic_timezone))
    chosen = respondent_chosen(patient, book.language)
    return [
        (_("Reference"), screening.reference),
        (
            _("Sent"),
            f"{format_date(sent, 'long', locale)} {format_time(sent, 'short', locale=locale)}",
        ),
        *about_patient(patient, book.language, settings),
        *([(_("Who filled this in"), chosen)] if chosen else []),
    ]


def private_label(book: RuleBook) -> str:
    """The choice to tell something in private, which must not catch the eye of whoever looks on."""
    return next(
        (one.label for item in book.questions for one in item.options if one.id == Open.PRIVATE), ""
    )


@cache  # every page asks
def locale_of(language: str) -> Locale:
    """The locale of a language, such as `es` or `zh-Hant`."""
    return Locale.parse(language, sep="-")
