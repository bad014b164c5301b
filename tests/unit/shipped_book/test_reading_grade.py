"""What patients read is plain: US school grade 6 or lower by the Flesch-Kincaid formula."""

from __future__ import annotations

import re
from collections.abc import Mapping

import textstat

from tests.builders import book

HIGHEST_GRADE = 6.0

# Names and medical words that cannot be said more simply count as a short word.
NAMES = re.compile(
    r"\b(azathioprine|Imuran|IUD|DMARD|vaccines?|psoriatic arthritis|psoriasis|lymphoma|purines)\b",
    re.IGNORECASE,
)


def grade(*texts: str) -> float:
    """The grade of texts that stand below each other.

    A text without a full stop, such as a title, is a sentence.
    """
    sentences = [text if text.endswith((".", "?", "!")) else f"{text}." for text in texts if text]
    return textstat.flesch_kincaid_grade(NAMES.sub("drug", " ".join(sentences)))


def too_hard(texts: Mapping[str, list[str]]) -> dict[str, tuple[float, list[str]]]:
    """Those above the highest grade, with their grade."""
    assert texts
    return {
        place: (grade(*words), words)
        for place, words in texts.items()
        if grade(*words) > HIGHEST_GRADE
    }


def test_each_question_and_follow_up_is_plain() -> None:
    assert not too_hard(
        {item.id: [item.ask, item.hint, item.unanswered] for item in book().asked()}
    )


def test_each_reason_why_we_ask_is_plain() -> None:
    assert not too_hard({question.id: [question.why] for question in book().questions})


def test_each_question_with_the_options_to_choose_from_is_plain() -> None:
    asked = {
        item.id: [item.ask, *(option.label for option in item.options)]
        for item in book().asked()
        if item.options
    }
    assert not too_hard(asked)


def test_each_part_of_the_leaflet_is_plain() -> None:
    assert not too_hard({part.id: [part.title, part.text, *part.points] for part in book().leaflet})


def test_the_measure_tells_plain_words_from_difficult_ones() -> None:
    assert grade("Tell your doctor if you feel sick.") < 4
    hard = "Hypersensitivity necessitates discontinuation of immunosuppressive medication."
    assert too_hard({"plain": ["Call us."], "hard": [hard]}) == {"hard": (grade(hard), [hard])}
