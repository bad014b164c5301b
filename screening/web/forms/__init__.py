"""What is typed: WTForms forms without tokens (one is checked for every POST), and the faults of it in plain words."""

from flask_babel import gettext as _

from screening.domain.answers import Fault


def words(fault: Fault | None, longest: int, missing: str = "") -> str:
    """The fault of a text in words, or nothing; `missing` is what to say where it is empty."""
    match fault:
        case None:
            return ""
        case Fault.TOO_LONG:
            return _("Write a little less: at most %(most)s letters", most=longest)
        case Fault.CONTROL_CHARACTER:
            return _("Remove the signs that cannot be printed. You may have pasted them")
        case _:
            return missing
