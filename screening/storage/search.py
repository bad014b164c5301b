"""The blind index: keyed hashes of all that a screening can be found by, and the search in it (decision 24)."""

import unicodedata
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import date
from functools import cache
from itertools import pairwise
from textwrap import wrap

from anyascii import anyascii
from sqlalchemy import ColumnElement, delete, exists, func, insert, intersect, select
from sqlalchemy.orm import Session, defer

from screening.domain.answers import Patient
from screening.domain.unseen import without_unseen
from screening.storage import records
from screening.storage.database import DatabaseNotReady, write
from screening.storage.encryption import Keys
from screening.storage.identity import Identity
from screening.storage.private_files import KeyFault
from screening.storage.tables import ScreeningRow, SearchRow

FOUND_AT_MOST = 1000
CHUNKS = 10  # of what was typed that are looked for
PARTS = 30
# What every screening of a current index is found by. Another number, whenever other terms are made
# of the same words: `flask init` then builds the index anew.
FOLDING = "folding 4"
PART = 100  # screenings indexed in one transaction
RUN = 3  # neighbouring words that are also found written as one: van der Berg, vanderberg

# By the beginning of their names in Unicode: marks that people leave out. Vowel signs of India and
# marks of Thai stay.
_LEFT_OUT = (
    "COMBINING ",
    "ARABIC ",
    "HEBREW ",
    "SYRIAC ",
    "DEVANAGARI SIGN NUKTA",
    "VARIATION S",
    "MONGOLIAN FREE V",
)
_NOT_LEFT_OUT = "COMBINING KATAKANA-HIRAGANA"
_WITHIN_WORDS = "\u0640\u200d"  # tatweel and joiner
# Letters of one sound that Arabic, Persian and Urdu keyboards write in different ways.
_SAME = {
    "\u0671": "\u0627",
    "\u0649": "\u064a",
    "\u06cc": "\u064a",
    "\u06a9": "\u0643",
    "\u0629": "\u0647",
}
_SAME |= dict.fromkeys("\u06c1\u06c3\u06d5", "\u0647")
# How passports and systems without these letters write them (ICAO 9303).
_SPELT_OUT = str.maketrans({"ä": "ae", "ö": "oe", "ø": "oe", "å": "aa", "ü": "ue"})


def normal_reference(typed: str) -> str:
    """A reference or check code as people type it, in its one form: capitals, four to a group, look-alikes as one."""
    letters = "".join(character for character in typed.upper() if character.isalnum())
    return "-".join(wrap(letters.replace("O", "0").replace("I", "1").replace("L", "1"), 4))


@cache
def _fold_letter(letter: str) -> str:
    """What is left of a letter or mark: nothing, its plain form, itself, or a space where it parts words."""
    kind = unicodedata.category(letter)
    name = unicodedata.name(letter, "")
    if kind[0] == "M":
        return "" if name.startswith(_LEFT_OUT) and not name.startswith(_NOT_LEFT_OUT) else letter
    if letter in _WITHIN_WORDS:
        return ""
    if kind[0] not in "LN" or name.startswith("MODIFIER LETTER"):
        return " "
    if kind == "Nd":
        return str(unicodedata.decimal(letter))
    plain = anyascii(letter) if name.startswith("LATIN ") else letter
    return _SAME.get(letter, plain if plain.isalnum() else letter)


def _words(text: str) -> list[str]:
    """The words of a text without case, marks that people leave out, and punctuation."""
    letters = map(_fold_letter, unicodedata.normalize("NFKD", without_unseen(text)))
    return unicodedata.normalize("NFC", "".join(letters).casefold()).split()


def _spellings(text: str) -> tuple[list[str], list[str]]:
    """The words with plain letters, and spelt out: muller, mueller. As many in both."""
    return _words(text), _words(unicodedata.normalize("NFC", text).casefold().translate(_SPELT_OUT))


def _joined(text: str) -> set[str]:
    """The name in one word, in each spelling."""
    return {f"name {''.join(words)}" for words in _spellings(text)}


def _terms(reference: str, patient: Patient, replaces: str) -> Iterator[str]:
    """All that a screening can be found by."""
    yield FOLDING
    yield f"reference {reference}"
    yield f"born {patient.birth_date.isoformat()}"
    if visit := _words(patient.visit):
        yield f"visit {''.join(visit)}"
    for words in _spellings(patient.name):
        for length in range(1, RUN + 1):
            yield from (
                f"name {''.join(words[at : at + length])}" for at in range(len(words) - length + 1)
            )
    for chunk in patient.name.split():
        yield from _joined(chunk)
    if replaces:
        yield f"replaces {replaces}"
    person = identity(reference, patient, replaces)
    yield from person.same()
    yield from person.similar()


def identity(reference: str, patient: Patient, replaces: str) -> Identity:
    """Return the facts by which the patient of a screening is known."""
    return Identity(
        names=frozenset(tuple(words) for words in _spellings(patient.name) if words),
        born=patient.birth_date,
        visit="".join(_words(patient.visit)),
        first=replaces or reference,
    )


def is_same_person(first: Patient, second: Patient) -> bool:
    """Return whether name and date of birth are those of one person, however the name is written."""
    terms = [set(identity("", patient, "").by_name()) for patient in (first, second)]
    return not terms[0].isdisjoint(terms[1])


def tokens(keys: Keys, terms: Iterable[str]) -> set[bytes]:
    """Return the keyed hashes of terms, as the index has them."""
    return {keys.authenticate("search", term.encode()) for term in terms}


def add(session: Session, keys: Keys, row: ScreeningRow, patient: Patient, replaces: str) -> None:
    """Index a screening."""
    found_by = tokens(keys, _terms(row.reference, patient, replaces))
    session.add_all([SearchRow(token=token, screening_id=row.id) for token in found_by])


def is_indexed(
    session: Session, keys: Keys, row: ScreeningRow, patient: Patient, replaces: str
) -> bool:
    """Whether the blind index has all that the screening can be found by, and nothing else."""
    stored = session.scalars(select(SearchRow.token).where(SearchRow.screening_id == row.id))
    return {bytes(token) for token in stored} == tokens(
        keys, _terms(row.reference, patient, replaces)
    )


def is_later(keys: Keys, first: str) -> ColumnElement[bool]:
    """Whether the patient has changed the answers of the screening `first` by a screening."""
    found = SearchRow.token.in_(tokens(keys, [f"replaces {first}"]))
    return ScreeningRow.id.in_(select(SearchRow.screening_id).where(found))


def _is_old(keys: Keys) -> ColumnElement[bool]:
    """Whether a screening is not in the index, or only as an older release made it."""
    current = SearchRow.token.in_(tokens(keys, [FOLDING])) & (
        SearchRow.screening_id == ScreeningRow.id
    )
    return ~exists().where(current)


def is_current(session: Session, keys: Keys) -> bool:
    """Whether every screening is in the index as this release makes it."""
    return session.scalar(select(ScreeningRow.id).where(_is_old(keys)).limit(1)) is None


def check(session: Session, keys: Keys) -> None:
    """Raise DatabaseNotReady where the index is of an older release: names would not be found in it."""
    if not is_current(session, keys):
        raise DatabaseNotReady(
            "The search index is of an older release; make a backup, then run `flask init`"
        )


def build(session: Session, keys: Keys, progress: Callable[[int, int], None]) -> list[str]:
    """Index in parts what is not in the index of this release; the references of those that cannot be read.

    May be ended at any time, and begun again. `progress` is told how many are done of how many.
    """
    total = session.scalar(select(func.count()).select_from(ScreeningRow).where(_is_old(keys))) or 0
    done = 0
    last = ""
    unread = []
    old = (
        select(ScreeningRow)
        .where(_is_old(keys))
        .order_by(ScreeningRow.id)
        .limit(PART)
        .with_for_update()
    )
    old = old.options(defer(ScreeningRow.sealed_answers))
    while done < total:
        with write(session):
            rows = session.scalars(old.where(ScreeningRow.id > last)).all()
            if not rows:
                break
            terms: dict[str, Iterable[str]] = {}
            for row in rows:
                try:
                    patient = records.patient(records.decode(row.unseal(keys, "sealed_patient")))
                    replaces = records.decode(row.unseal(keys, "sealed_state")).get("replaces", "")
                    terms[row.id] = _terms(row.reference, patient, replaces)
                except KeyFault:
                    unread.append(row.reference)
            session.execute(delete(SearchRow).where(SearchRow.screening_id.in_(terms)))
            # What cannot be read stays as it is found, and is not looked at again.
            terms = dict.fromkeys((row.id for row in rows), (FOLDING,)) | terms
            found_by = (
                (token, id) for id, several in terms.items() for token in tokens(keys, several)
            )
            session.execute(
                insert(SearchRow), [{"token": token, "screening_id": id} for token, id in found_by]
            )
            done = done + len(rows)
            last = rows[-1].id
        progress(done, total)
    return unread


def _meanings(typed: str) -> Iterator[str]:
    """The terms that one typed word can stand for besides a name.

    A date with two readings stands for both.
    """
    words = _words(typed)
    yield f"reference {normal_reference(typed)}"
    yield f"visit {''.join(words)}"
    if len(words) == 3 and all(word.isdecimal() and len(word) <= 4 for word in words):
        first, second, third = map(int, words)
        for year, month, day in (
            (first, second, third),
            (third, second, first),
            (third, first, second),
        ):
            with suppress(ValueError):
                yield f"born {date(year, month, day).isoformat()}"


def _needed(typed: str) -> Iterator[set[str]]:
    """Sets of terms: of each a screening has one, where it has all that was typed.

    A name with a hyphen or an apostrophe is not looked for by its parts but by each two that follow
    one another.
    """
    chunks = [chunk for chunk in typed.replace(",", " ").split() if _words(chunk)][:CHUNKS]
    visit = f"visit {''.join(_words(typed))}"
    for place, chunk in enumerate(chunks):
        whole = {*_meanings(chunk), visit}
        for start in range(max(place - RUN + 1, 0), place + 1):
            for stop in range(place + 1, min(start + RUN, len(chunks)) + 1):
                whole |= _joined(" ".join(chunks[start:stop]))
        pairs = zip(*(pairwise(words[:PARTS]) for words in _spellings(chunk)), strict=True)
        yield from [whole | {f"name {''.join(pair)}" for pair in both} for both in pairs] or [whole]


def find(session: Session, keys: Keys, typed: str) -> list[str]:
    """The references of the newest FOUND_AT_MOST screenings in which every typed word is found.

    Found are whole words of the name (without case and marks), the date of birth (`1988-03-12`,
    `12.3.1988`), the visit and the reference.
    """
    found = [
        select(SearchRow.screening_id).where(SearchRow.token.in_(tokens(keys, terms)))
        for terms in _needed(typed)
    ]
    newest = (
        select(ScreeningRow.reference)
        .order_by(ScreeningRow.submitted_at.desc())
        .limit(FOUND_AT_MOST)
    )
    return (
        list(session.scalars(newest.where(ScreeningRow.id.in_(intersect(*found))))) if found else []
    )
