"""What professionals fill in: what was established on a question, and the decision."""

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
    """A text in own words, which may be empty."""

    data: str

    def pre_validate(self, form: BaseForm) -> None:
        """Tidy it; refuse what is too long or cannot be printed."""
        typed = tidy(self.data or "", lines=True)
        self.data = with_faults_shown(typed)
        if message := words(text_fault(typed, NOTE_LENGTH, lines=True), NOTE_LENGTH):
            raise ValidationError(message)


class ClarifyForm(QuestionForm):
    """A question as it was asked of the patient, how it was established, and the number of entries seen."""

    why = Note(default="")
    seen = IntegerField()

    @property
    def errors(self) -> dict[str, Any]:
        """The errors in the order of the page."""
        return dict(sorted(super().errors.items(), key=lambda one: one[0] == "why"))

    def validate(self, extra_validators: Any = None) -> bool:
        """Whether everything is acceptable; each field at fault gets its error."""
        sound = super().validate(extra_validators)
        if self[self.question.id].data == Open.PRIVATE:
            self[self.question.id].errors = [_("Choose what was established")]
            sound = False
        if not self.why.data:
            self.why.errors = [_("Say how this was established")]
        return sound and bool(self.why.data)


class ReviewForm(TypedForm):
    """The decision on a screening."""

    decision = RadioField(validate_choice=False)
    until = DateField(validators=[Optional()])
    note = Note(default="")
    reason = Note(default="")
    seen = IntegerField()

    def validate(self, extra_validators: Any = None) -> bool:
        """Whether everything is acceptable; each field at fault gets its error."""
        sound = super().validate(extra_validators)
        if self.until.errors:
            self.until.errors = [_("Enter the date as year-month-day, such as 2027-03-31")]
        if self.decision.data not in list(Decision):
            self.decision.errors = [_("Choose a decision")]
            sound = False
        return sound
