"""Which page follows, and which page came before."""

from flask import request, url_for

from screening.domain.rules import Question
from screening.storage.drafts import Draft
from screening.web import language
from screening.web.patient.draft import OutOfOrder


def is_complete(draft: Draft) -> bool:
    """Return whether a draft can be sent."""
    return draft.patient is not None and draft.open_question(language.book()) is None


def refuse_to_skip(draft: Draft, asked: Question) -> None:
    """Raise OutOfOrder for a question beyond the first one that is not answered yet."""
    questions = language.book().questions
    first_open = draft.open_question(language.book())
    if draft.patient is None or (
        first_open and questions.index(asked) > questions.index(first_open)
    ):
        raise OutOfOrder


def page_before(draft: Draft, asked: Question) -> str:
    """Where Back leads from a question: the page before it, or the check page where everything is answered."""
    questions = language.book().questions
    if is_complete(draft):
        return url_for(".check")
    if asked == questions[0]:
        return url_for(".about_you")
    return url_for(".question", question_id=questions[questions.index(asked) - 1].id)


def next_step(draft: Draft, *, after: Question | None = None) -> str:
    """Where to go: the page after the one just saved while there are open ones, then the check page."""
    if draft.patient is None:
        return url_for(".about_you")
    questions = language.book().questions
    first_open = draft.open_question(language.book())
    if first_open is None:
        return url_for(".check")
    place = questions.index(first_open)
    if after is not None:
        place = min(place, questions.index(after) + 1)
    return url_for(".question", question_id=questions[place].id)


def way_out(back: str) -> str:
    """Where to go if Back or Stop was pressed: what is acceptable is saved."""
    if "stop" in request.form:
        return url_for(".stop")
    return back if "back" in request.form else ""
