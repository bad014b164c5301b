"""Forms for prescribers to approve a rule book, or to withdraw an approval."""

from datetime import date
from typing import Any

from flask_babel import gettext as _
from wtforms import BooleanField, DateField
from wtforms.validators import Optional

from screening.web.forms import TypedForm
from screening.web.forms.review import Note

ROLE_LENGTH = 120


class ApprovalForm(TypedForm):
    """An approval: the role, the day of the next review, and the first day in force.

    An empty `from_day` stands for at once.
    """

    role = Note(default="")
    review_by = DateField(validators=[Optional()])
    from_day = DateField(validators=[Optional()])
    read = BooleanField()

    def check(self, today: date) -> bool:
        """Return whether all fields are acceptable; each field at fault gets its error."""
        self.validate()
        for field in (self.review_by, self.from_day):
            if field.errors:
                field.errors = [_("Enter the date as year-month-day, such as 2027-03-31")]
        if not self.role.data or len(self.role.data) > ROLE_LENGTH or "\n" in self.role.data:
            self.role.errors = [_("Enter your role or registration number, in one line")]
        if not self.review_by.errors and (self.review_by.data or today) <= today:
            message = _("Enter a date after today (%(today)s)", today=today.isoformat())
            self.review_by.errors = [message]
        if self.from_day.data is not None and self.from_day.data < today:
            message = _("Enter today (%(today)s) or a later date", today=today.isoformat())
            self.from_day.errors = [message]
        if not self.read.data:
            self.read.errors = [_("Tick this box if you have read it")]
        return not self.errors


class WithdrawalForm(TypedForm):
    """The reason for the withdrawal of an approval."""

    why = Note(default="")

    def check(self) -> bool:
        """Return whether there is a reason."""
        if self.validate() and not self.why.data:
            self.why.errors = [_("Give the reason")]
        return not self.errors


def errors_of(*forms: Any) -> dict[str, Any]:
    """Return the errors of several forms on one page, in their order.

    Errors of no field are those of the field password.
    """
    return {name or "password": errors for form in forms for name, errors in form.errors.items()}
