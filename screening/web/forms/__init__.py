"""What is typed: WTForms forms without tokens (one is checked for every POST), and the faults of it in plain words."""

from typing import Any

from flask_babel import gettext as _
from werkzeug.datastructures import MultiDict
from wtforms import Form
from wtforms.meta import DefaultMeta

from screening.domain.answers import Fault
from screening.domain.unseen import without_unseen


class TypedForm(Form):
    """A form of which every field is read as it is seen: what was pasted with it unseen is gone."""

    class Meta(DefaultMeta):
        """How WTForms makes it."""

        def wrap_formdata(self, form: Any, formdata: Any) -> Any:
            """What was sent, as it is seen."""
            if not formdata:
                return formdata
            return MultiDict(
                (name, without_unseen(value)) for name, value in formdata.items(multi=True)
            )


def words(fault: Fault | None, longest: int, missing: str = "") -> str:
    """The fault of a text in words, or nothing; `missing` is what to say where it is empty."""
    match fault:
        case None:
            return ""
        case Fault.TOO_LONG:
            return _("Write a little less: at most %(most)s letters", most=longest)
        case Fault.CONTROL_CHARACTER:
            return _("Delete each �. It stands for a sign that cannot be printed")
        case _:
            return missing
