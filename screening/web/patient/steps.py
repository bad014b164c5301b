"""The order of the patient's pages."""

from typing import Any

from flask import g, request, url_for

from screening.domain.rules import Question, RuleBook
from screening.storage.drafts import Draft
from screening.web.patient.draft import OutOfOrder


def _page(name: str, **values: Any) -> str:
    """Return the address of a page of the patient, or of the paper form that staff type in."""
    return url_for(f"{'paper_entry' if 'paper_token' in g else 'patient'}.{name}", **values)


def is_complete(draft: Draft, book: RuleBook) -> bool:
    """Return whether a draft has all that is needed to send it."""
    return draft.patient is not None and draft.open_question(book) is None


def refuse_to_skip(draft: Draft, book: RuleBook, question: Question) -> None:
    """Raise OutOfOrder for a question after the first one that is not answered yet."""
    questions = book.questions
    first_open = draft.open_question(book)
    if draft.patient is None or (
        first_open and questions.index(question) > questions.index(first_open)
    ):
        raise OutOfOrder


def page_before(draft: Draft, book: RuleBook, question: Question) -> str:
    """Return the address that Back leads to from a question.

    It is the page before it, or the check page where all questions are answered.
    """
    questions = book.questions
    if is_complete(draft, book):
        return _page("check")
    if question == questions[0]:
        return _page("about_you")
    return _page("question", question_id=questions[questions.index(question) - 1].id)


def next_step(draft: Draft, book: RuleBook, *, after: Question | None = None) -> str:
    """Return the address of the page that follows the one just saved.

    It is the check page when no question is open.
    """
    if draft.patient is None:
        return _page("about_you")
    questions = book.questions
    first_open = draft.open_question(book)
    if first_open is None:
        return _page("check")
    place = questions.index(first_open)
    if after is not None:
        place = min(place, questions.index(after) + 1)
    return _page("question", question_id=questions[place].id)


def pressed_target(back: str) -> str:
    """Return the address that Back or Stop leads to, or "" where neither was pressed."""
    if "stop" in request.form:
        return _page("stop")
    return back if "back" in request.form else ""
