"""What is taken as answers, what is refused and why, and which question is asked next."""

from __future__ import annotations

from typing import Any

import pytest

from screening.domain.answers import Answer, Answers, Fault, UnacceptableAnswers, read_answers
from screening.domain.rules import Question, RuleBook
from tests.builders import answers_of
from tests.unit.small_book import all_no, book, book_with, books

ILL = {"infection": "yes"}


def faults_of(values: dict[str, Any], **limits: Any) -> dict[str, Fault]:
    with pytest.raises(UnacceptableAnswers) as caught:
        read_answers(book(), values, **limits)
    return dict(caught.value.faults)


def question(asked: str, of: RuleBook | None = None) -> Question:
    return next(question for question in (of or book()).questions if question.id == asked)


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        ({"teeth": "yes"}, {"teeth": Fault.UNKNOWN_QUESTION}),
        ({"": "yes"}, {"": Fault.UNKNOWN_QUESTION}),
        ({"Pregnancy": "yes"}, {"Pregnancy": Fault.UNKNOWN_QUESTION}),
        ({"pregnancy": "maybe"}, {"pregnancy": Fault.UNKNOWN_VALUE}),
        ({"pregnancy": "Yes"}, {"pregnancy": Fault.UNKNOWN_VALUE}),
        ({"pregnancy": "missing"}, {"pregnancy": Fault.UNKNOWN_VALUE}),
        ({"pregnancy": ["yes"]}, {"pregnancy": Fault.WRONG_TYPE}),
        ({"pregnancy": True}, {"pregnancy": Fault.WRONG_TYPE}),
        ({"pregnancy": False}, {"pregnancy": Fault.WRONG_TYPE}),
        ({"pregnancy": 0}, {"pregnancy": Fault.WRONG_TYPE}),
        ({"pregnancy": {}}, {"pregnancy": Fault.WRONG_TYPE}),
        ({**ILL, "infection_symptoms": "fever"}, {"infection_symptoms": Fault.WRONG_TYPE}),
        ({**ILL, "infection_symptoms": [1]}, {"infection_symptoms": Fault.WRONG_TYPE}),
        (
            {**ILL, "infection_symptoms": ["fever", "cough"]},
            {"infection_symptoms": Fault.UNKNOWN_VALUE},
        ),
        ({**ILL, "infection_symptoms": [""]}, {"infection_symptoms": Fault.UNKNOWN_VALUE}),
        ({**ILL, "infection_since": 3}, {"infection_since": Fault.WRONG_TYPE}),
        ({**ILL, "infection_since": "x" * 501}, {"infection_since": Fault.TOO_LONG}),
        ({**ILL, "infection_since": "3\x00 days"}, {"infection_since": Fault.CONTROL_CHARACTER}),
        ({"iud": "yes", "iud_type": "gold"}, {"iud_type": Fault.UNKNOWN_VALUE}),
        (
            {"pregnancy": "yes", "pregnancy_planned": "no"},
            {"pregnancy_planned": Fault.DOES_NOT_APPLY},
        ),
        ({"pregnancy_planned": "no"}, {"pregnancy_planned": Fault.DOES_NOT_APPLY}),
        (
            {"infection": "private", "infection_since": "today"},
            {"infection_since": Fault.DOES_NOT_APPLY},
        ),
    ],
)
def test_what_cannot_be_taken_is_refused_with_its_fault(
    values: dict[str, Any], fault: dict[str, Fault]
) -> None:
    assert faults_of(values) == fault


def test_all_faults_are_reported_at_once() -> None:
    faults = {
        "teeth": Fault.UNKNOWN_QUESTION,
        "pregnancy": Fault.UNKNOWN_VALUE,
        "infection_symptoms": Fault.WRONG_TYPE,
        "infection_since": Fault.TOO_LONG,
        "vaccines_which": Fault.CONTROL_CHARACTER,
        "iud_type": Fault.DOES_NOT_APPLY,
    }
    values = {
        "pregnancy": "maybe",
        "infection_symptoms": "fever",
        "infection_since": "x" * 501,
        "iud": "no",
    }
    more = {"teeth": "yes", "vaccines_which": "a\x1bb", "iud_type": "copper"}
    assert faults_of({**ILL, "vaccines": "yes", **values, **more}) == faults


def test_a_follow_up_is_not_blamed_for_a_fault_in_the_question_above_it() -> None:
    assert faults_of({"iud": "maybe", "iud_type": "copper"}) == {"iud": Fault.UNKNOWN_VALUE}


@pytest.mark.parametrize("empty", [None, "", [], ()])
@pytest.mark.parametrize("asked", ["infection", "infection_symptoms", "infection_since"])
def test_an_empty_value_is_a_missing_answer(asked: str, empty: object) -> None:
    assert read_answers(book(), {"infection": "no", asked: empty}).get(asked) is None


def test_an_empty_answer_to_a_closed_follow_up_is_no_fault() -> None:
    assert (
        answers_of(book(), iud="no", iud_type="", vaccines="no", vaccines_which="  \n").value("iud")
        == "no"
    )


def test_white_space_alone_is_a_missing_answer() -> None:
    assert (
        answers_of(book(), infection="yes", infection_since=" \t\r\n ").get("infection_since")
        is None
    )


@pytest.mark.parametrize(
    "chosen", [["other", "fever"], ("other", "fever"), ["other", "fever", "other"]]
)
def test_several_options_are_kept_once_each_in_the_order_of_the_book(chosen: object) -> None:
    answer = answers_of(book(), infection="yes", infection_symptoms=chosen).get(
        "infection_symptoms"
    )
    assert answer is not None
    assert answer.value == ("fever", "other")
    assert answer.shown == "Fever, Something else"


@pytest.mark.parametrize("language", ["en", "es"])
def test_an_answer_keeps_the_wording_and_the_language_shown(language: str) -> None:
    asked = question("pregnancy", book(language))
    label = next(option.label for option in asked.options if option.id == "unsure")
    answers = answers_of(
        book(language),
        pregnancy="unsure",
        vaccines="yes",
        vaccines_which="Ñandú",
    )
    assert answers.get("pregnancy") == Answer(
        id="pregnancy", value="unsure", asked=asked.ask, shown=label, language=language
    )
    in_own_words = answers.get("vaccines_which")
    assert in_own_words is not None
    assert in_own_words.shown == in_own_words.value == "Ñandú"


def test_answers_are_equal_in_any_order() -> None:
    first, other = answers_of(book(), iud="no", infection="no").given
    assert Answers(given=(first, other)) == Answers(given=(other, first))
    assert Answers(given=(first,)) != Answers(given=(other,))


def test_a_page_replaces_its_answers_and_drops_the_follow_ups_it_closed() -> None:
    before = answers_of(
        book(), **all_no(iud="yes", iud_type="copper", infection="unsure", infection_since="today")
    )
    after = before.with_page(question("iud"), answers_of(book(), iud="no"))
    assert after.value("iud") == "no"
    assert after.get("iud_type") is None
    assert after.value("infection_since") == "today"
    assert len(after.given) == len(before.given) - 1


def test_a_page_sent_empty_takes_its_answers_back() -> None:
    after = answers_of(book(), **all_no()).with_page(question("pregnancy"), Answers())
    assert (after.get("pregnancy"), after.get("pregnancy_planned"), after.value("iud")) == (
        None,
        None,
        "no",
    )


def test_a_follow_up_applies_under_the_choices_that_open_it_and_never_under_none() -> None:
    (symptoms, _) = question("infection").follow_ups
    opened_by = {
        value: answers_of(book(), infection=value).applies(symptoms)
        for value in ("yes", "unsure", "no")
    }
    assert opened_by == {"yes": True, "unsure": True, "no": False}
    assert not Answers().applies(symptoms)


def test_answers_to_questions_still_asked_in_the_same_words_stay() -> None:
    answers = answers_of(book(), **all_no())
    assert answers.still_asked(books()) == answers


def test_an_answer_to_a_reworded_question_is_asked_again() -> None:
    reworded = book_with(lambda content: content["question"][1].update(ask="Are you ill?"))
    kept = answers_of(book(), **all_no()).still_asked({"en": reworded})
    assert kept.get("infection") is None
    assert len(kept.given) == len(all_no()) - 1


def test_an_answer_that_is_offered_in_other_words_is_asked_again() -> None:
    relabelled = book_with(lambda content: content["choice"].update(no="Nope"))
    kept = answers_of(book(), **all_no(infection="unsure")).still_asked({"en": relabelled})
    assert [answer.id for answer in kept.given] == ["infection"]


def test_an_answer_in_a_language_no_longer_offered_is_asked_again() -> None:
    assert answers_of(book("es"), iud="no").still_asked({"en": book()}) == Answers()


def test_an_answer_given_in_another_language_stays() -> None:
    mixed = Answers(
        given=(*answers_of(book("es"), iud="no").given, *answers_of(book(), infection="no").given)
    )
    assert mixed.still_asked(books()) == mixed


def test_questions_are_open_in_the_order_of_the_book() -> None:
    answers = Answers()
    opened = []
    while (asked := answers.open_question(book())) is not None:
        opened.append(asked.id)
        answers = answers.with_page(asked, answers_of(book(), **{asked.id: "private"}))
    assert opened == [asked.id for asked in book().questions]


@pytest.mark.parametrize("unknown", ["unsure", "private"])
def test_unsure_and_private_are_answers_and_leave_no_question_open(unknown: str) -> None:
    main = {asked.id: unknown for asked in book().questions}
    assert answers_of(book(), **main).open_question(book()) is None


def test_a_follow_up_with_one_choice_keeps_its_question_open_and_details_do_not() -> None:
    for changes, opened in (
        ({"iud": "yes"}, "iud"),
        ({"pregnancy_planned": None}, "pregnancy"),
        (ILL, None),
    ):
        asked = answers_of(book(), **all_no(**changes)).open_question(book())
        assert (asked.id if asked else None) == opened
