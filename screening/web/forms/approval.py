"""What a prescriber fills in to approve a rule book, or to take an approval back."""

from datetime import date
from typing import Any

from flask_babel import gettext as _
from wtforms import BooleanField, DateField
from wtforms.validators import Optional

from screening.web.forms import TypedForm
from screening.web.forms.review import Note

ROLE_LENGTH = 120


class ApprovalForm(TypedForm):
    """Who approves as what, until when it holds, and from when the edition is in force (empty: at once)."""

    role = Note(default="")
    review_by = DateField(validators=[Optional()])
    from_day = DateField(validators=[Optional()])
    read = BooleanField()

    def check(self, today: date) -> bool:
        """Whether everything is acceptable; each field at fault gets its error."""
        self.validate()
        for field in (self.review_by, self.from_day):
            if field.errors:
                field.errors = [_("Enter the date as year-month-day, such as 2027-03-31")]
        if not self.role.data or len(self.role.data) > ROLE_LENGTH or "\n" in self.role.data:
            self.role.errors = [_("Enter your role or registration number, in one line")]
        if not self.review_by.errors and (
            self.review_by.data is None or self.review_by.data <= today
        ):
            self.review_by.errors = [
                _("Enter a date after today (%(today)s)", today=today.isoformat())
            ]
        if self.from_day.data is not None and self.from_day.data < today:
            self.from_day.errors = [
                _("Enter today (%(today)s) or a later date", today=today.isoformat())
            ]
        if not self.read.data:
            self.read.errors = [_("Tick this box if you have read it")]
        return not self.errors


class WithdrawalForm(TypedForm):
    """Why an approval is taken back."""

    why = Note(default="")

    def check(self) -> bool:
        """Whether a reason is there."""
        if self.validate() and not self.why.data:
            self.why.errors = [_("Give the reason")]
        return not self.errors


def errors_of(*forms: Any) -> dict[str, Any]:
    """The errors of several forms on one page, in their order; those of no field stand at the password."""
    return {name or "password": given for form in forms for name, given in form.errors.items()}
