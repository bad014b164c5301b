"""Whom to invite, to what, and until when the link holds."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from wtforms import DateTimeLocalField, IntegerField, SelectField, StringField
from wtforms.validators import InputRequired, NumberRange, Optional

from screening.domain.answers import NAME_LENGTH, text_fault, tidy
from screening.domain.invitation import LONGEST_DAYS, Invitation, appointment_fault, is_mailbox
from screening.web.forms import words
from screening.web.forms.about_you import AboutYouForm


class InvitationForm(AboutYouForm):
    """An invitation; after a successful `check`, `invitation` holds it."""

    appointment = DateTimeLocalField(format=["%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"], validators=[Optional()])
    prescriber = StringField()
    language = SelectField()
    email = StringField()
    days = IntegerField(validators=[InputRequired(), NumberRange(1, LONGEST_DAYS)])

    invitation: Invitation
    name_missing = _l("Enter the patient’s name")

    def check(self, *, languages: tuple[str, ...], today: date, timezone: str = "UTC") -> bool:
        """Whether everything is acceptable; each field at fault gets its error. Times are those of `timezone`."""
        is_patient = super().check(languages=languages, today=today)
        prescriber, email = tidy(self.prescriber.data or ""), tidy(self.email.data or "")
        local: datetime | None = self.appointment.data
        if self.appointment.errors or (local and appointment_fault(local.date(), today=today)):
            self.appointment.errors = [_("Enter a day and time to come, such as 2027-03-31 14:30")]
        if self.days.errors:
            self.days.errors = [_("Enter a number of days from 1 to %(most)s", most=LONGEST_DAYS)]
        if message := words(text_fault(prescriber, NAME_LENGTH), NAME_LENGTH):
            self.prescriber.errors = [message]
        if email and not is_mailbox(email):
            self.email.errors = [_("Enter an e-mail address such as name@example.org, or leave it empty")]
        if not is_patient or self.errors:
            return False
        self.invitation = Invitation(
            patient=self.patient,
            language=self.language.data,
            appointment=local and local.replace(tzinfo=ZoneInfo(timezone)).astimezone(UTC),
            prescriber=prescriber,
            email=email,
        )
        return True

    @classmethod
    def read(cls, sent: Any, *, languages: list[tuple[str, str]], days: int) -> InvitationForm:
        """The form with what was sent, or empty."""
        form = cls(formdata=sent, data={"days": days, "language": languages[0][0]})
        form.language.choices = languages
        return form
