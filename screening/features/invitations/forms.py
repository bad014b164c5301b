"""The form of an invitation."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from flask_babel import gettext as _
from wtforms import DateTimeLocalField, HiddenField, IntegerField, SelectField, StringField
from wtforms.validators import InputRequired, NumberRange, Optional

from screening.domain.answers import NAME_LENGTH, text_fault, tidy, with_faults_shown
from screening.domain.mailbox import is_mailbox
from screening.features.invitations import service
from screening.features.invitations.invitation import Invitation, appointment_fault
from screening.settings import LONGEST_DAYS, Settings
from screening.web.forms import words
from screening.web.forms.about_you import VisitForm

_ID = re.compile(r"[0-9a-f]{32}")


class InvitationForm(VisitForm):
    """An invitation; after a successful `check`, `invitation` holds it."""

    id = HiddenField()
    appointment = DateTimeLocalField(
        format=["%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"], validators=[Optional()]
    )
    prescriber = StringField()
    language = SelectField()
    email = StringField()
    days = IntegerField(validators=[InputRequired(), NumberRange(1, LONGEST_DAYS)])

    invitation: Invitation

    def check(self, *, languages: tuple[str, ...], today: date, timezone: str = "UTC") -> bool:
        """Return whether everything is acceptable; each field at fault gets its error.

        Times are those of `timezone`.
        """
        is_patient = super().check(languages=languages, today=today)
        prescriber = tidy(self.prescriber.data or "")
        email = tidy(self.email.data or "")
        local: datetime | None = self.appointment.data
        if self.appointment.errors or (local and appointment_fault(local.date(), today=today)):
            self.appointment.errors = [_("Enter a day and time to come, such as 2027-03-31 14:30")]
        if self.days.errors:
            self.days.errors = [_("Enter a number of days from 1 to %(most)s", most=LONGEST_DAYS)]
        if message := words(text_fault(prescriber, NAME_LENGTH), NAME_LENGTH):
            self.prescriber.data = with_faults_shown(prescriber)
            self.prescriber.errors = [_("Prescriber: %(fault)s", fault=message)]
        if email and not is_mailbox(email):
            self.email.errors = [
                _("Enter an e-mail address such as name@example.org, or leave it empty")
            ]
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
    def read(
        cls,
        sent: Any,
        earlier: Invitation | None,
        *,
        languages: list[tuple[str, str]],
        settings: Settings,
    ) -> InvitationForm:
        """Return the form as it was sent, or else with the values of an `earlier` invitation."""
        filled: dict[str, object] = {"days": settings.invitation_days, "language": languages[0][0]}
        if earlier is not None:
            at = earlier.appointment and earlier.appointment.astimezone(
                ZoneInfo(settings.clinic_timezone)
            )
            filled |= cls.of_patient(earlier.patient) | {
                "language": earlier.language,
                "appointment": at,
            }
            filled |= {"prescriber": earlier.prescriber, "email": earlier.email}
        form = cls(formdata=sent, data=filled)
        form.language.choices = languages
        if not _ID.fullmatch(form.id.data or ""):
            form.id.data = service.new_id()
        return form
