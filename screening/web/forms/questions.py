"""Forms of questions, built from the rule book: wording, choices, required fields."""

from typing import Any, TypeVar

from flask_babel import gettext as _
from werkzeug.datastructures import MultiDict
from wtforms import Field, RadioField, SelectMultipleField, TextAreaField

from screening.domain.answers import (
    TEXT_LENGTH,
    Answers,
    Fault,
    UnacceptableAnswers,
    read_answers,
    with_faults_shown,
)
from screening.domain.rules import FollowUp, Kind, Question, RuleBook
from screening.reports.paper import follow_up_places
from screening.web.forms import TypedForm, words


class QuestionForm(TypedForm):
    """One question with its follow-ups; after a successful `validate`, `answers` holds them."""

    book: RuleBook
    question: Question
    answers: Answers
    may_lack = False  # whether required answers may be missing

    def missing_words(self, item: Question | FollowUp) -> str:
        """Return what to say where a required answer is missing."""
        missing = item.unanswered or _("Choose an answer for “%(ask)s”", ask=item.ask)
        return _("%(missing)s. If you do not know, choose “I am not sure”", missing=missing)

    def values(self) -> dict[str, object]:
        """Return the answers, without follow-ups that the choice does not open."""
        choice = self[self.question.id].data
        values: dict[str, object] = {self.question.id: choice}
        for follow_up in self.question.follow_ups:
            if choice in follow_up.when:
                values[follow_up.id] = self[follow_up.id].data
        return values

    def validate(self, extra_validators: Any = None) -> bool:
        """Return whether all answers are acceptable; each field at fault gets its error."""
        if not super().validate(extra_validators):
            return False
        values = self.values()
        faults: dict[str, Fault] = {}
        try:
            self.answers = read_answers(self.book, values)
        except UnacceptableAnswers as err:
            faults.update(err.faults)
        for item in self.question.page:
            is_required = item.required and not self.may_lack
            if is_required and item.id in values and not values[item.id]:
                faults[item.id] = Fault.MISSING
            if item.id in faults:
                missing = self.missing_words(item)
                self[item.id].errors = [words(faults[item.id], TEXT_LENGTH, missing)]
            if faults.get(item.id) is Fault.CONTROL_CHARACTER:
                self[item.id].data = with_faults_shown(self[item.id].data)
        return not faults


NONE = Answers()
# By digest of the edition, language, question and kind: building a class takes longer than a form.
_FORM_CLASSES: dict[tuple[str, str, str, type[QuestionForm]], Any] = {}
Built = TypeVar("Built", bound=QuestionForm)


def question_form(
    kind: type[Built],
    book: RuleBook,
    question: Question,
    sent: MultiDict[str, str] | None,
    answers: Answers = NONE,
    **more: object,
) -> Built:
    """Return a form of this kind for the question.

    It is filled with what was sent, or else with the answers so far.
    """
    key = (book.edition.digest, book.language, question.id, kind)
    if key not in _FORM_CLASSES:
        # In the order of the page, so that errors have the same order.
        fields = {question.id: _field(question)}
        fields |= {place.item.id: _field(place.item) for place in follow_up_places(question)}
        _FORM_CLASSES[key] = type(
            "BuiltQuestionForm", (kind,), {"book": book, "question": question, **fields}
        )
    form: Built = _FORM_CLASSES[key](
        formdata=sent, data={item.id: answers.value(item.id) for item in question.page} | more
    )
    return form


def _field(item: Question | FollowUp) -> Field:
    match item.kind:
        case Kind.ONE:
            return RadioField(item.ask, validate_choice=False)
        case Kind.SEVERAL:
            return SelectMultipleField(item.ask, validate_choice=False)
        case Kind.TEXT:
            return TextAreaField(item.ask)
