"""Forms, and the messages of their faults. CSRF tokens are checked for every POST, not by forms."""

from typing import Any

from flask_babel import gettext as _
from werkzeug.datastructures import MultiDict
from wtforms import Form
from wtforms.meta import DefaultMeta

from screening.domain.answers import Fault
from screening.domain.unseen import without_unseen


class TypedForm(Form):
    """A form whose fields are read without invisible characters, such as pasted ones."""

    class Meta(DefaultMeta):
        """The configuration that WTForms reads."""

        def wrap_formdata(self, form: Any, formdata: Any) -> Any:
            """Return the form data without invisible characters."""
            if not formdata:
                return formdata
            return MultiDict(
                (name, without_unseen(value)) for name, value in formdata.items(multi=True)
            )


def words(fault: Fault | None, longest: int, missing: str = "") -> str:
    """Return the message for the fault of a text, or ""; `missing` is that for an empty one."""
    match fault:
        case None:
            return ""
        case Fault.TOO_LONG:
            return _("Write a little less: at most %(most)s letters", most=longest)
        case Fault.CONTROL_CHARACTER:
            return _("Delete each �. It stands for a sign that cannot be printed")
        case _:
            return missing
