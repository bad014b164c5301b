"""RuleBook question -> WTForms form. The wording and the rules of what is acceptable come from the rule book alone."""

from dataclasses import dataclass
from typing import Any, TypeVar

from flask import request
from flask_babel import gettext as _
from flask_wtf import FlaskForm
from wtforms import Field, RadioField, SelectMultipleField, TextAreaField

from screening.domain.answers import TEXT_LENGTH, Answers, Fault, UnacceptableAnswers, read_answers
from screening.domain.rules import FollowUp, Kind, Question, RuleBook


class QuestionForm(FlaskForm):
    """One question with its follow-ups; after a successful `validate`, `answers` holds them."""

    class Meta(FlaskForm.Meta):
        """The token is checked once for every POST, before any view."""

        csrf = False

    book: RuleBook
    question: Question
    answers: Answers

    def values(self) -> dict[str, object]:
        """What was answered, without follow-ups that the answer does not open."""
        choice = self[self.question.id].data
        values: dict[str, object] = {self.question.id: choice}
        for follow_up in self.question.follow_ups:
            if choice in follow_up.when:
                values[follow_up.id] = self[follow_up.id].data
        return values

    def validate(self, extra_validators: Any = None) -> bool:
        """Whether everything is acceptable; each field at fault gets its error."""
        if not super().validate(extra_validators):
            return False
        values = self.values()
        faults: dict[str, Fault] = {}
        try:
            self.answers = read_answers(self.book, values)
        except UnacceptableAnswers as err:
            faults.update(err.faults)
        for item in self.question.page:
            if item.required and item.id in values and not values[item.id]:
                faults[item.id] = Fault.MISSING
        for item in self.question.page:
            if item.id in faults:
                self[item.id].errors = [*self[item.id].errors, _message(item, faults[item.id])]
        return not faults


# Building a class takes longer than a form of it: one for each question in each language of each edition.
_FORM_CLASSES: dict[tuple[str, str, str, type[QuestionForm]], Any] = {}
Form = TypeVar("Form", bound=QuestionForm)


def question_form(kind: type[Form], book: RuleBook, question: Question, answers: Answers) -> Form:
    """A form of this kind for the question, filled with what was sent or else with the answers so far."""
    key = (book.edition.digest, book.language, question.id, kind)
    if key not in _FORM_CLASSES:
        fields = {item.id: _field(item) for item in question.page}
        _FORM_CLASSES[key] = type("BuiltQuestionForm", (kind,), {"book": book, "question": question, **fields})
    sent = request.form if request.method == "POST" else None
    form: Form = _FORM_CLASSES[key](formdata=sent, data={item.id: answers.value(item.id) for item in question.page})
    return form


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowUpPlace:
    """Where a follow-up opens: under the choice that opens it; after them all where several do. Names the choices."""

    item: FollowUp
    opens_after: str
    choices: str


def follow_up_places(question: Question, *, without: str = "") -> list[FollowUpPlace]:
    """Where the question's follow-ups open on its page, on which the choice `without` is not offered."""
    places, options = [], [option for option in question.options if option.id != without]
    for follow_up in question.follow_ups:
        opening = [option for option in options if option.id in follow_up.when]
        after = opening[0] if len(opening) == 1 else options[-1]
        choices = " / ".join(f"“{option.label}”" for option in opening)
        places.append(FollowUpPlace(item=follow_up, opens_after=after.id, choices=choices))
    return places


def _field(item: Question | FollowUp) -> Field:
    match item.kind:
        case Kind.ONE:
            return RadioField(item.ask, validate_choice=False)
        case Kind.SEVERAL:
            return SelectMultipleField(item.ask, validate_choice=False)
        case Kind.TEXT:
            return TextAreaField(item.ask)


def _message(item: Question | FollowUp, fault: Fault) -> str:
    """The fault in the patient's words."""
    match fault:
        case Fault.TOO_LONG:
            return _("Write a little less: at most %(most)s letters", most=TEXT_LENGTH)
        case Fault.CONTROL_CHARACTER:
            return _("Remove the signs that cannot be printed. You may have pasted them")
        case _:
            return _("Choose an answer for “%(ask)s”. If you do not know, choose “I am not sure”", ask=item.ask)
