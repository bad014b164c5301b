"""The terms of a person: every way of writing a name is found, nobody else is (decision 37)."""

from __future__ import annotations

import random
import unicodedata
from datetime import date, timedelta
from itertools import permutations

from hypothesis import assume, given
from hypothesis import strategies as st

from screening.storage import search
from tests.builders import a_patient

PEOPLE = 10_000
LETTERS = "abcdefghijklmnopqrstuvwxyzàáâçèéêíîñóôõúü"
words = st.lists(st.text(LETTERS, min_size=1, max_size=9), min_size=1, max_size=4)
BORN = date(1971, 4, 9)


def terms(name: str, born: date = BORN, visit: str = "", reference: str = "A") -> set[str]:
    """What screenings of one person share."""
    patient = a_patient(name=name, birth_date=born, visit=visit)
    return set(search.identity(reference, patient, "").same())


def plain(name: str) -> list[str]:
    """The letters of each word, without accents."""
    decomposed = unicodedata.normalize("NFD", name)
    return "".join(one for one in decomposed if not unicodedata.combining(one)).lower().split()


@given(words, st.randoms(use_true_random=False))
def test_every_case_accent_order_and_spacing_is_found(
    name: list[str], chance: random.Random
) -> None:
    order = chance.sample(name, len(name))
    spaced = order[0] + "".join(chance.choice(["", " ", "  ", "-"]) + word for word in order[1:])
    changed = chance.choice([str.upper, str.title, str.casefold])(spaced)
    if chance.random() < 0.5:
        changed = unicodedata.normalize("NFD", changed)
        changed = "".join(one for one in changed if not unicodedata.combining(one))
    assert terms(" ".join(name)) & terms(changed, reference="B")


@given(words, words)
def test_another_name_shares_nothing(one: list[str], other: list[str]) -> None:
    first = plain(" ".join(one))
    second = plain(" ".join(other))
    ways = {"".join(order) for order in permutations(first)}
    assume(ways.isdisjoint("".join(order) for order in permutations(second)))
    assume(not set("äöüøå") & set("".join(one + other)))  # written in two ways
    assert not terms(" ".join(one)) & terms(" ".join(other), reference="B")


def test_no_two_of_ten_thousand_people_are_linked() -> None:
    """Few names and few dates of birth, so that many people have one of them in common."""
    chance = random.Random(18)
    given_names = ["Amy", "May", "Mya", "Ana", "Anna", "Jo", "Joan", "Ann", "José", "Li", "Il"]
    family_names = ["Lee", "Eel", "Ruiz", "Diallo", "Tan", "Ant", "O'Brien", "Núñez", "van Dam"]
    holder: dict[str, tuple[object, ...]] = {}
    people: set[tuple[object, ...]] = set()
    while len(people) < PEOPLE:
        count = chance.choice([1, 1, 2])
        name = [*chance.sample(given_names, count), chance.choice(family_names)]
        born = BORN + timedelta(days=chance.randrange(3_000))
        visit = f"V-{len(people)}"
        key = ("".join(sorted(plain(" ".join(name)))), born)
        if key in people:
            continue
        people.add(key)
        for term in terms(" ".join(name), born, visit, reference=visit):
            assert holder.setdefault(term, key) == key, (term, name, holder[term])


def test_a_name_of_many_words_is_found_in_another_order() -> None:
    name = "Ana Maria Luisa Eva Ruiz Gomez"
    assert terms(name) & terms("RUIZ GOMEZ ANA MARIA LUISA EVA", reference="B")
    assert terms(name) & terms("Eva Gómez Ana Luisa María Ruiz", reference="B")
    assert terms(name) & terms("Anamarialuisa Eva Ruizgomez", reference="B")


def test_a_link_that_somebody_else_used_links_nobody() -> None:
    def by_link(name: str, born: date) -> set[str]:
        patient = a_patient(name=name, birth_date=born, visit="")
        return set(search.identity("B", patient, "A").same())

    first = terms("Ann Lee")
    assert first & by_link("Ann Leeds", BORN)
    assert first & by_link("Ann Lee", date(1971, 5, 9))
    assert not first & by_link("Bo Tan", date(1980, 1, 1))
