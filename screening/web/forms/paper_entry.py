"""The patient's forms as staff fill them in from paper."""

from dataclasses import replace
from datetime import date, datetime, time
from zoneinfo import ZoneInfo

from flask import g
from flask_security import current_user
from wtforms import BooleanField, StringField

from screening.domain import answers
from screening.domain.rules import FollowUp, Question
from screening.installation import current_installation
from screening.web.forms.about_you import VisitForm
from screening.web.forms.questions import QuestionForm


class PaperVisitForm(VisitForm):
    """The patient, and the date on the paper."""

    paper_date = StringField()

    @property
    def by_patient(self) -> bool:
        """Return False: staff type, whoever filled in the paper."""
        return False

    @staticmethod
    def of_patient(patient: answers.Patient) -> dict[str, str]:
        """Return what the fields hold for a patient."""
        on = patient.paper.filled_in_at.date().isoformat() if patient.paper else ""
        return VisitForm.of_patient(patient) | {"paper_date": on}

    def check(self, *, languages: tuple[str, ...], today: date) -> bool:
        """Return whether everything is acceptable; each field at fault gets its error."""
        _ = g.paper_words
        is_patient = super().check(languages=languages, today=today)
        try:
            on = date.fromisoformat(self.paper_date.data or "")
        except ValueError:
            self.paper_date.errors = [_("Enter the date on the paper")]
            return False
        if on > today:
            self.paper_date.errors = [_("The date on the paper must be today or earlier")]
        elif is_patient and on < self.patient.birth_date:
            self.paper_date.errors = [_("The date on the paper is before the date of birth")]
        elif is_patient:
            zone = ZoneInfo(current_installation().settings.clinic_timezone)
            paper = answers.Paper(
                filled_in_at=datetime.combine(on, time.min, zone), typed_by=current_user.full_name
            )
            self.patient = replace(self.patient, paper=paper)
        return not self.errors


class PaperQuestionForm(QuestionForm):
    """One question as it was answered on paper, or left empty."""

    left_empty = BooleanField()

    @property
    def may_lack(self) -> bool:  # type: ignore[override]
        """Return whether the typist says that the paper is empty or unreadable here."""
        return bool(self.left_empty.data)

    def missing_words(self, item: Question | FollowUp) -> str:
        """Return what to say where a required answer is missing."""
        _ = g.paper_words
        words: str = _("Choose what is ticked on the paper, or say that it is empty or unreadable")
        return words
