"""Who answers: name, date of birth as three fields, visit reference."""

from __future__ import annotations

import unicodedata
from datetime import date
from typing import Any, Self

from babel import Locale
from babel.lists import format_list
from flask import request
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from wtforms import RadioField, StringField

from screening.domain import answers
from screening.domain.answers import Fault, Respondent, Role
from screening.reports.paper import DATE_PARTS, date_part_order
from screening.services.dates import month_by_name
from screening.web import language
from screening.web.forms import TypedForm, words


class BirthDateForm(TypedForm):
    """A date of birth as three fields; after a successful `check`, `birth_date` holds it."""

    birth_day = StringField()
    birth_month = StringField()
    birth_year = StringField()

    birth_date: date

    @property
    def date_parts(self) -> list[str]:
        """The three fields in the order in which the language of the page writes a date."""
        return date_part_order(language.chosen())

    @property
    def example_date(self) -> str:
        """A date in that order, such as `27 3 1985`."""
        example = {"birth_day": "27", "birth_month": "3", "birth_year": "1985"}
        return " ".join(example[part] for part in self.date_parts)

    def check(self, *, languages: tuple[str, ...], today: date) -> bool:
        """Whether everything is acceptable; each field at fault gets its error. Month names of `languages` count."""
        self.validate()
        typed = {part: unicodedata.normalize("NFKC", (self[part].data or "")[:100]).strip() for part in DATE_PARTS}
        born = _birth_date(typed, languages, today)
        if isinstance(born, date):
            self.birth_date = born
            return not self.errors
        self[born[0]].errors = [born[1]]
        return False


class AboutYouForm(BirthDateForm):
    """The about-you page; after a successful `check`, `patient` holds who answers."""

    respondent = RadioField(validate_choice=False)
    respondent_name = StringField()
    name = StringField()
    visit = StringField()

    patient: answers.Patient
    name_missing = _l("Enter your name")

    @property
    def errors(self) -> dict[str, Any]:
        """The errors in the order of the page."""
        return dict(sorted(super().errors.items(), key=lambda one: (one[0] != "respondent_name", one[0] != "name")))

    @classmethod
    def filled_with(cls, patient: answers.Patient | None) -> Self:
        """A form with what was sent, or else with the patient so far."""
        sent = request.form if request.method == "POST" else None
        return cls(formdata=sent, data=cls.of_patient(patient) if patient else {})

    @staticmethod
    def of_patient(patient: answers.Patient) -> dict[str, str]:
        """What the fields hold for a patient."""
        born = {part: str(getattr(patient.birth_date, part.removeprefix("birth_"))) for part in DATE_PARTS}
        said = patient.respondent
        who = {"respondent": said.role, "respondent_name": said.name} if said else {}
        return {"name": patient.name, "visit": patient.visit, **born, **who}

    def check(self, *, languages: tuple[str, ...], today: date) -> bool:
        """Whether everything is acceptable; each field at fault gets its error. Month names of `languages` count."""
        is_date = super().check(languages=languages, today=today)
        name, visit = answers.tidy(self.name.data or ""), answers.tidy(self.visit.data or "")
        of_name = {
            Fault.MISSING: str(self.name_missing),
            Fault.TOO_LONG: _("Enter a shorter name: at most %(most)s letters", most=answers.NAME_LENGTH),
            Fault.CONTROL_CHARACTER: _("Type your name again. It has a sign that cannot be printed"),
        }
        of_visit = {
            Fault.TOO_LONG: _("Enter a shorter visit number: at most %(most)s letters", most=answers.VISIT_LENGTH),
            Fault.CONTROL_CHARACTER: _("Type the visit number again. It has a sign that cannot be printed"),
        }
        name_fault, visit_fault = answers.name_fault(name), answers.visit_fault(visit)
        if name_fault:
            self.name.errors = [of_name[name_fault]]
        if visit_fault:
            self.visit.errors = [of_visit[visit_fault]]
        respondent = self._respondent()
        if name_fault or visit_fault or not is_date or self.respondent_name.errors:
            return False
        self.patient = answers.Patient(name=name, birth_date=self.birth_date, visit=visit, respondent=respondent)
        return True

    def _respondent(self) -> Respondent | None:
        """Who fills this in, or None where that was left open; the name only where the page asks for it."""
        if self.respondent.data not in list(Role):
            return None
        role, name = Role(self.respondent.data), answers.tidy(self.respondent_name.data or "")
        if role is Role.PATIENT:
            return Respondent(role=role)
        if message := words(answers.text_fault(name, answers.NAME_LENGTH), answers.NAME_LENGTH):
            self.respondent_name.errors = [message]
        return Respondent(role=role, name=name)


class VisitForm(AboutYouForm):
    """The same as staff fill it in for the patient."""

    name_missing = _l("Enter the patient’s name")


def _birth_date(typed: dict[str, str], languages: tuple[str, ...], today: date) -> date | tuple[str, str]:
    """The date of birth, or the field at fault and the message for it."""
    missing = [part for part in DATE_PARTS if not typed[part]]
    if len(missing) == len(DATE_PARTS):
        return "birth_day", _("Enter the date of birth")
    if len(missing) == 2 and not typed[next(part for part in DATE_PARTS if typed[part])].isalnum():
        return missing[0], _("Put the day, the month and the year each in its own box")
    if missing:
        names = {"birth_day": _("the day"), "birth_month": _("the month"), "birth_year": _("the year")}
        parts = format_list([names[part] for part in missing], locale=Locale.parse(language.chosen(), sep="-"))
        return missing[0], _("Also enter %(parts)s of birth", parts=parts)
    day, year = _number(typed["birth_day"]), _number(typed["birth_year"])
    month = _number(typed["birth_month"]) or month_by_name(typed["birth_month"], languages)
    if month is None or not 1 <= month <= 12:
        return "birth_month", _("Enter the month as a number from 1 to 12, or as its name")
    if day is None or not 1 <= day <= 31:
        return "birth_day", _("Enter the day as a number from 1 to 31")
    if year is None or not 1000 <= year <= 9999:
        return "birth_year", _("Enter the year with 4 numbers, such as 1985")
    try:
        born = date(year, month, day)
    except ValueError:
        return "birth_day", _("That month does not have that day. Check the date")
    match answers.birth_date_fault(born, today=today):
        case Fault.IN_FUTURE:
            return "birth_year", _("The date of birth must be in the past")
        case Fault.TOO_LONG_AGO:
            return "birth_year", _("Check the year of birth")
    return born


def _number(typed: str) -> int | None:
    return int(typed) if typed.isdecimal() and len(typed) <= 4 else None
