"""Return the terms by which two screenings are known to be, or may be, of the same person.

Two screenings are of the same person where they share a term of `same`. Only keyed hashes of the
terms are stored (storage.search).
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from itertools import permutations

MOST_PERMUTED = 4  # words of a name that are written as one in every order


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """The facts by which a person is known.

    `names` are the words of the name in each spelling; `first` is the reference of the first
    screening that was sent by the same link.
    """

    names: frozenset[tuple[str, ...]]
    born: date
    visit: str
    first: str

    def same(self) -> Iterator[str]:
        """Yield the terms of which two screenings of the same person share one.

        The link of an invitation counts together with the name or the date of birth: somebody else
        may have used it.
        """
        yield from self.by_name()
        yield from (f"person of link {self.first} {_in_order(words)}" for words in self.names)
        yield f"person of link {self.first} {self.born}"
        if self.visit:
            yield f"person of visit {self.visit} {self.born}"

    def by_name(self) -> Iterator[str]:
        """Yield the terms of name and date of birth alone."""
        for words in self.names:
            yield from (f"person {name} {self.born}" for name in _as_one(words))

    def similar(self) -> Iterator[str]:
        """Yield the terms of which two names that differ in one letter share one."""
        for words in self.names:
            yield f"similar {_in_order(words)} {self.born}"
            for place, word in enumerate(words):
                for letter in range(len(word)):
                    shorter = word[:letter] + word[letter + 1 :]
                    name = _in_order((*words[:place], shorter, *words[place + 1 :]))
                    yield f"similar {name} {self.born}"

    def same_visit(self) -> Iterator[str]:
        """Yield the stored terms of screenings that have only the visit or the link in common."""
        if self.visit:
            yield f"visit {self.visit}"
        yield from (f"reference {self.first}", f"replaces {self.first}")

    def mistyped(self) -> Iterator[str]:
        """Yield the stored terms of screenings whose name or date of birth may be mistyped."""
        yield from self.similar()
        with suppress(ValueError):
            exchanged = self.born.replace(month=self.born.day, day=self.born.month)
            for words in self.names:
                yield from (f"person {name} {exchanged}" for name in _as_one(words))


def _in_order(words: tuple[str, ...]) -> str:
    return "".join(sorted(words))


def _as_one(words: tuple[str, ...]) -> set[str]:
    """Return a name without spaces, in each order of its words that people write."""
    if len(words) <= MOST_PERMUTED:
        return {"".join(order) for order in permutations(words)}
    # So many words have too many orders: these are family name first, and any order where the
    # spaces are the same.
    turned = {"".join(words[place:] + words[:place]) for place in range(len(words))}
    return turned | {_in_order(words)}
