"""What professionals fill in: what was established on a question, and the decision."""

from datetime import date
from typing import Any

from flask_babel import gettext as _
from flask_wtf import FlaskForm
from wtforms import DateField, IntegerField, RadioField, TextAreaField
from wtforms.validators import Optional

from screening.domain.answers import Fault, text_fault, tidy
from screening.domain.entries import Decision
from screening.domain.rules import Open
from screening.web.forms.questions import QuestionForm

NOTE_LENGTH = 2000


def _text_message(text: str, *, required: str = "") -> str:
    """The fault of a note in words, or nothing; `required` is the message for an empty one."""
    match text_fault(text, NOTE_LENGTH, lines=True):
        case None:
            return required if not text else ""
        case Fault.TOO_LONG:
            return _("Write a little less: at most %(most)s letters", most=NOTE_LENGTH)
        case _:
            return _("Remove the signs that cannot be printed. You may have pasted them")


def _note() -> Any:
    return TextAreaField(filters=[lambda typed: tidy(typed or "")])


class ClarifyForm(QuestionForm):
    """A question as it was asked of the patient, how it was established, and the number of entries seen."""

    why = _note()
    seen = IntegerField()

    @property
    def errors(self) -> dict[str | None, Any]:
        """The errors in the order of the page."""
        return dict(sorted(super().errors.items(), key=lambda one: one[0] == "why"))

    def validate(self, extra_validators: Any = None) -> bool:
        """Whether everything is acceptable; each field at fault gets its error."""
        sound = super().validate(extra_validators)
        if self[self.question.id].data == Open.PRIVATE:
            self[self.question.id].errors = [_("Choose what was established")]
            sound = False
        message = _text_message(self.why.data, required=_("Say how this was established"))
        if message:
            self.why.errors = [message]
        return sound and not message


class ReviewForm(FlaskForm):
    """The decision on a screening."""

    class Meta(FlaskForm.Meta):
        """The token is checked once for every POST, before any view."""

        csrf = False

    decision = RadioField(validate_choice=False)
    until = DateField(validators=[Optional()])
    note = _note()
    reason = _note()
    seen = IntegerField()

    def validate(self, extra_validators: Any = None) -> bool:
        """Whether everything is acceptable; each field at fault gets its error."""
        sound = super().validate(extra_validators)
        if self.until.errors:
            self.until.errors = [_("Enter the date as year-month-day, such as 2027-03-31")]
        if self.decision.data not in list(Decision):
            self.decision.errors = [_("Choose a decision")]
            sound = False
        for field in (self.note, self.reason):
            if message := _text_message(field.data):
                field.errors = [message]
                sound = False
        return sound

    def day_needed(self, today: date) -> None:
        """Tell that a deferral needs a later day."""
        self.until.errors = [_("Enter a day after today (%(today)s)", today=today.isoformat())]

    def reason_needed(self) -> None:
        """Tell that a contraindication stands against this decision."""
        self.reason.errors = [_("A contraindication is reported: say why you proceed")]
