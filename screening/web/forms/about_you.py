"""The form of the patient: name, date of birth as three fields, visit reference."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import replace
from datetime import date
from typing import Any, Self

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from werkzeug.datastructures import MultiDict
from wtforms import RadioField, StringField

from screening.domain import answers
from screening.domain.answers import Fault, Respondent, Role
from screening.installation import current_installation
from screening.reports.paper import DATE_PARTS, date_part_order
from screening.services.dates import day_number, month_by_name
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
        """Return the three fields in the order that the page's language and the region have."""
        return _shown_order()

    @property
    def example_date(self) -> str:
        """Return a date in that order, such as `27 3 1985`."""
        example = {"birth_day": "27", "birth_month": "3", "birth_year": "1985"}
        return " ".join(example[part] for part in self.date_parts)

    def check(self, *, languages: tuple[str, ...], today: date) -> bool:
        """Return whether all fields are acceptable; each field at fault gets its error.

        Names of months in `languages` are understood.
        """
        self.validate()
        typed = {
            part: unicodedata.normalize("NFKC", (self[part].data or "")[:100]).strip()
            for part in DATE_PARTS
        }
        born = _birth_date(typed, languages, today)
        if isinstance(born, date):
            self.birth_date = born
            return not self.errors
        for part, message in born.items():
            self[part].errors = [message]
        return False

    @property
    def errors(self) -> dict[str, Any]:
        """Return the errors in the order of the page."""
        errors = super().errors
        in_order = ("respondent", "respondent_name", "name", *self.date_parts, "visit", "right")
        names = [name for name in in_order if name in errors]
        return {name: errors[name] for name in dict.fromkeys([*names, *errors])}


class AboutYouForm(BirthDateForm):
    """The about-you page; after a successful `check`, `patient` holds its values."""

    respondent = RadioField(validate_choice=False)
    respondent_name = StringField()
    name = StringField()
    visit = StringField()
    # `typed` or `known`: the choice between the patient as typed and as known to the clinic
    right = RadioField(validate_choice=False)

    patient: answers.Patient
    name_missing = _l("Enter your name")

    @classmethod
    def filled_with(cls, patient: answers.Patient | None, sent: MultiDict[str, str] | None) -> Self:
        """Return a form with what was sent, or else with the patient so far."""
        return cls(formdata=sent, data=cls.of_patient(patient) if patient else {})

    @staticmethod
    def of_patient(patient: answers.Patient) -> dict[str, str]:
        """Return the values of the fields for a patient."""
        values: dict[str, str] = {"name": patient.name, "visit": patient.visit}
        for part in DATE_PARTS:
            values[part] = str(getattr(patient.birth_date, part.removeprefix("birth_")))
        if respondent := patient.respondent:
            values |= {"respondent": respondent.role, "respondent_name": respondent.name}
        return values

    @property
    def by_patient(self) -> bool:
        """Return whether the patient fills the form in, or no respondent was chosen."""
        return self.respondent.data in (None, "", Role.PATIENT)

    def check(self, *, languages: tuple[str, ...], today: date) -> bool:
        """Return whether all fields are acceptable; each field at fault gets its error.

        Names of months in `languages` are understood.
        """
        is_date = super().check(languages=languages, today=today)
        name_messages = {
            Fault.MISSING: str(self.name_missing if self.by_patient else VisitForm.name_missing),
            Fault.TOO_LONG: _(
                "Enter a shorter name: at most %(most)s letters", most=answers.NAME_LENGTH
            ),
            Fault.CONTROL_CHARACTER: _("Type the name again. It has a sign that cannot be printed"),
        }
        visit_messages = {
            Fault.TOO_LONG: _(
                "Enter a shorter visit number: at most %(most)s letters", most=answers.VISIT_LENGTH
            ),
            Fault.CONTROL_CHARACTER: _(
                "Type the visit number again. It has a sign that cannot be printed"
            ),
        }
        respondent = self._respondent()
        try:
            self.patient = answers.read_patient(
                name=self.name.data or "",
                birth_date=self.birth_date if is_date else None,
                visit=self.visit.data or "",
                respondent=respondent,
                today=today,
            )
        except answers.UnacceptablePatient as err:
            if fault := err.faults.get("name"):
                self.name.errors = [name_messages[fault]]
            if fault := err.faults.get("visit"):
                self.visit.errors = [visit_messages[fault]]
            return False
        return not self.errors

    def settle(self, known: answers.Patient) -> bool:
        """Return whether a choice was made; take the known name and date of birth if chosen."""
        if self.right.data not in ("typed", "known"):
            self.right.errors = [_("Choose the name and date of birth that are right")]
            return False
        if self.right.data == "known":
            self.patient = replace(self.patient, name=known.name, birth_date=known.birth_date)
        return True

    def _respondent(self) -> Respondent | None:
        """Return the respondent, or None where none was chosen.

        The name is read only where the respondent is not the patient.
        """
        if self.respondent.data not in list(Role):
            return None
        role = Role(self.respondent.data)
        name = answers.tidy(self.respondent_name.data or "")
        if role is Role.PATIENT:
            return Respondent(role=role)
        if message := words(answers.text_fault(name, answers.NAME_LENGTH), answers.NAME_LENGTH):
            self.respondent_name.errors = [message]
        return Respondent(role=role, name=name)


class VisitForm(AboutYouForm):
    """The form of the patient as staff fill it in."""

    name_missing = _l("Enter the patient’s name")


def _birth_date(
    typed: dict[str, str], languages: tuple[str, ...], today: date
) -> date | dict[str, str]:
    """Return the date of birth, or a message for each field at fault."""
    filled = [part for part in DATE_PARTS if typed[part]]
    missing = {
        "birth_day": _("The date of birth must include a day"),
        "birth_month": _("The date of birth must include a month"),
        "birth_year": _("The date of birth must include a year"),
    }
    wrong = {
        "birth_day": _("Enter the day as a number from 1 to 31"),
        "birth_month": _("Enter the month as a number from 1 to 12, or as its name"),
        "birth_year": _("Enter the year with 4 numbers, such as 1985"),
    }
    if not filled:
        return {_shown_order()[0]: _("Enter the date of birth")}
    if len(filled) == 1 and len(re.findall(r"\w+", typed[filled[0]])) > 1:
        return {filled[0]: _("Put the day, the month and the year each in its own box")}
    month = _number(typed["birth_month"]) or month_by_name(typed["birth_month"], languages)
    numbers = {
        "birth_day": day_number(typed["birth_day"]),
        "birth_month": month,
        "birth_year": _number(typed["birth_year"]),
    }
    allowed = {
        "birth_day": range(1, 32),
        "birth_month": range(1, 13),
        "birth_year": range(1000, 10_000),
    }
    messages = {}
    for part, number in numbers.items():
        if number not in allowed[part]:
            messages[part] = (wrong if part in filled else missing)[part]
    if messages:
        return messages
    day, month, year = (numbers[part] or 0 for part in DATE_PARTS)
    try:
        born = date(year, month, day)
    except ValueError:
        return {"birth_day": _("That month does not have that day. Check the date")}
    match answers.birth_date_fault(born, today=today):
        case Fault.IN_FUTURE:
            message = _(
                "The date of birth must be in the past. Use the Western calendar, such as 1985"
            )
        case Fault.TOO_LONG_AGO:
            message = _("Check the year of birth. Use the Western calendar, such as 1985")
        case _fault:
            return born
    return {"birth_year": message}


def _number(typed: str) -> int | None:
    return int(typed) if typed.isdecimal() and len(typed) <= 4 else None


def _shown_order() -> list[str]:
    return date_part_order(current_installation().settings.locale(language.chosen()))
