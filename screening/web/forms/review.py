"""Forms for prescribers: what was established on a question, and the decision."""

from typing import Any

from flask_babel import gettext as _
from wtforms import DateField, IntegerField, RadioField, TextAreaField
from wtforms.form import BaseForm
from wtforms.validators import Optional, ValidationError

from screening.domain.answers import text_fault, tidy, with_faults_shown
from screening.domain.entries import Decision
from screening.domain.rules import Open
from screening.web.forms import TypedForm, words
from screening.web.forms.questions import QuestionForm

NOTE_LENGTH = 2000


class Note(TextAreaField):
    """Free text, which may be empty."""

    data: str

    def pre_validate(self, form: BaseForm) -> None:
        """Tidy the text. Raises ValidationError where it is too long or cannot be printed."""
        typed = tidy(self.data or "", lines=True)
        self.data = with_faults_shown(typed)
        if message := words(text_fault(typed, NOTE_LENGTH, lines=True), NOTE_LENGTH):
            raise ValidationError(message)


class ClarifyForm(QuestionForm):
    """A question as the patient was asked, and how the answer was established.

    `seen` is the number of entries that the page showed.
    """

    why = Note(default="")
    seen = IntegerField()

    @property
    def errors(self) -> dict[str, Any]:
        """Return the errors in the order of the page."""
        errors = super().errors
        return dict(sorted(errors.items(), key=lambda error: error[0] == "why"))

    def validate(self, extra_validators: Any = None) -> bool:
        """Return whether all fields are acceptable; each field at fault gets its error."""
        is_valid = super().validate(extra_validators)
        if self[self.question.id].data in (None, "", Open.PRIVATE):
            self[self.question.id].errors = [_("Choose what was established")]
            is_valid = False
        if not self.why.data:
            self.why.errors = [_("Say how this was established")]
        return is_valid and bool(self.why.data)


class ReviewForm(TypedForm):
    """The decision on a screening."""

    decision = RadioField(validate_choice=False)
    until = DateField(validators=[Optional()])
    note = Note(default="")
    reason = Note(default="")
    seen = IntegerField()

    def validate(self, extra_validators: Any = None) -> bool:
        """Return whether all fields are acceptable; each field at fault gets its error."""
        is_valid = super().validate(extra_validators)
        if self.until.errors:
            self.until.errors = [_("Enter the date as year-month-day, such as 2027-03-31")]
        if self.decision.data not in list(Decision):
            self.decision.errors = [_("Choose a decision")]
            is_valid = False
        return is_valid
