"""The navigation of the pages for staff."""

from flask_babel import lazy_gettext as _l
from flask_security import current_user

from screening.extension_points import Section
from screening.installation import current_installation

SECTIONS = (
    Section(10, "clinic.inbox", _l("Inbox"), ("prescriber", "staff")),
    Section(30, "clinic.statistics", _l("Statistics"), ("prescriber",)),
    Section(40, "clinic.paper", _l("Paper"), ("prescriber", "staff")),
    Section(50, "rule_book.shown", _l("Rule book"), ("prescriber", "admin")),
    Section(60, "admin.people", _l("People"), ("admin",)),
    Section(70, "admin.audit", _l("Audit log"), ("admin",)),
    Section(80, "admin.settings", _l("Settings"), ("admin",)),
)


def sections() -> list[Section]:
    """Return the sections that the signed-in person may open, in order."""
    every = sorted([*SECTIONS, *current_installation().points.sections])
    return [section for section in every if any(map(current_user.has_role, section.roles))]
