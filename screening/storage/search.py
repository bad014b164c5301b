"""The blind index: keyed hashes of the terms of each screening, and the search (decision 24)."""

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
CHUNKS = 10  # typed words in a search; the rest is ignored
PARTS = 30  # parts of a word with hyphens
# A term of every screening in a current index. Change the number whenever the same words get other
# terms: `flask init` then builds the index again.
FOLDING = "folding 5"
PART = 100  # screenings indexed in one transaction
RUN = 3  # consecutive words that are also found as a single word: van der Berg, vanderberg

# Marks that people leave out, by the beginning of their names in Unicode. Indian vowel signs and
# Thai marks stay.
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
# Letters with the same sound that Arabic, Persian and Urdu keyboards write differently.
_SAME = {
    "\u0671": "\u0627",
    "\u0649": "\u064a",
    "\u06cc": "\u064a",
    "\u06a9": "\u0643",
    "\u0629": "\u0647",
}
_SAME |= dict.fromkeys("\u06c1\u06c3\u06d5", "\u0647")
# Spellings in passports and in systems without these letters (ICAO 9303).
_SPELT_OUT = str.maketrans({"ä": "ae", "ö": "oe", "ø": "oe", "å": "aa", "ü": "ue"})


def normal_reference(typed: str) -> str:
    """Return a typed reference or check code in capitals, groups of four, without look-alikes."""
    characters = "".join(filter(str.isalnum, typed.upper()))
    return "-".join(wrap(characters.replace("O", "0").replace("I", "1").replace("L", "1"), 4))


@cache
def _fold_letter(letter: str) -> str:
    """Return the plain form of a character: "" for a mark to leave out, a space between words."""
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
    """Return the words of a text without case, punctuation, and marks that people leave out."""
    letters = map(_fold_letter, unicodedata.normalize("NFKD", without_unseen(text)))
    return unicodedata.normalize("NFC", "".join(letters).casefold()).split()


def folded(text: str) -> str:
    """Return a name without what spellings differ in: case, accents, spaces and marks."""
    return " ".join(_words(text))


def later_token(keys: Keys, first: str) -> bytes:
    """Return the token of screenings by which the patient changed the answers of `first`."""
    (token,) = tokens(keys, [f"replaces {first}"])
    return token


def _spellings(text: str) -> tuple[list[str], list[str]]:
    """Return the words with plain letters and spelt out, two lists of equal length."""
    return _words(text), _words(unicodedata.normalize("NFC", text).casefold().translate(_SPELT_OUT))


def _joined(text: str) -> set[str]:
    """Return the terms of a name written as a single word, in each spelling."""
    return {f"name {''.join(words)}" for words in _spellings(text)}


def _terms(reference: str, patient: Patient, replaces: str) -> Iterator[str]:
    """Yield all terms by which a screening is found."""
    yield FOLDING
    yield f"reference {reference}"
    yield f"born {patient.birth_date.isoformat()}"
    if visit := _words(patient.visit):
        yield f"visit {''.join(visit)}"
    for words in _spellings(patient.name):
        for length in range(1, RUN + 1):
            for start in range(len(words) - length + 1):
                yield f"name {''.join(words[start : start + length])}"
    for chunk in patient.name.split():
        yield from _joined(chunk)
    if replaces:
        yield f"replaces {replaces}"
    person = identity(reference, patient, replaces)
    yield from person.same()
    yield from person.similar()


def identity(reference: str, patient: Patient, replaces: str) -> Identity:
    """Return the facts by which the patient of a screening is known."""
    visit = "".join(_words(patient.visit))
    return Identity(
        names=frozenset(tuple(words) for words in _spellings(patient.name) if words),
        born=patient.birth_date,
        # Without a digit it is no number: many people write "none".
        visit=visit if any(map(str.isdecimal, visit)) else "",
        first=replaces or reference,
    )


def is_same_person(first: Patient, second: Patient) -> bool:
    """Return whether name and date of birth are of one person, however the name is written."""
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
    """Return whether the blind index has all terms of the screening, and no others."""
    stored = session.scalars(select(SearchRow.token).where(SearchRow.screening_id == row.id))
    expected = tokens(keys, _terms(row.reference, patient, replaces))
    return {bytes(token) for token in stored} == expected


def is_later(keys: Keys, first: str) -> ColumnElement[bool]:
    """Return the condition of screenings by which the patient changed the answers of `first`."""
    replaces = SearchRow.token == later_token(keys, first)
    return ScreeningRow.id.in_(select(SearchRow.screening_id).where(replaces))


def _is_old(keys: Keys) -> ColumnElement[bool]:
    """Return the condition of screenings without the terms of this release."""
    of_screening = SearchRow.screening_id == ScreeningRow.id
    return ~exists().where(SearchRow.token.in_(tokens(keys, [FOLDING])) & of_screening)


def is_current(session: Session, keys: Keys) -> bool:
    """Return whether the index has the terms of this release for every screening."""
    return session.scalar(select(ScreeningRow.id).where(_is_old(keys)).limit(1)) is None


def check(session: Session, keys: Keys) -> None:
    """Raise DatabaseNotReady for the index of an older release: a search would miss names."""
    if not is_current(session, keys):
        raise DatabaseNotReady(
            "The search index is of an older release; make a backup, then run `flask init`"
        )


def build(session: Session, keys: Keys, progress: Callable[[int, int], None]) -> list[str]:
    """Index screenings without the terms of this release; return the references of unreadable ones.

    Each part has its own transaction, so this may be interrupted and repeated. `progress` receives
    the number of screenings done and the total.
    """
    total = session.scalar(select(func.count()).select_from(ScreeningRow).where(_is_old(keys))) or 0
    done = 0
    last = ""
    unread = []
    old = select(ScreeningRow).where(_is_old(keys)).options(defer(ScreeningRow.sealed_answers))
    old = old.order_by(ScreeningRow.id).limit(PART).with_for_update()
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
            # An unreadable screening keeps its old terms, and is not tried again.
            terms = dict.fromkeys((row.id for row in rows), (FOLDING,)) | terms
            added = [
                {"token": token, "screening_id": screening_id}
                for screening_id, screening_terms in terms.items()
                for token in tokens(keys, screening_terms)
            ]
            session.execute(insert(SearchRow), added)
            done += len(rows)
            last = rows[-1].id
        progress(done, total)
    return unread


def _meanings(typed: str) -> Iterator[str]:
    """Yield the terms, except names, that a typed word can mean; an ambiguous date means both."""
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
    """Yield sets of terms; a screening that matches has at least one term of each set.

    A name with a hyphen or an apostrophe is searched by pairs of consecutive parts.
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
    """Return the references of the newest FOUND_AT_MOST screenings that have every typed word.

    A word matches a whole word of the name (without case and marks), the date of birth
    (`1988-03-12`, `12.3.1988`), the visit or the reference.
    """
    matches = [
        select(SearchRow.screening_id).where(SearchRow.token.in_(tokens(keys, terms)))
        for terms in _needed(typed)
    ]
    if not matches:
        return []
    query = select(ScreeningRow.reference).where(ScreeningRow.id.in_(intersect(*matches)))
    newest_first = query.order_by(ScreeningRow.submitted_at.desc())
    return list(session.scalars(newest_first.limit(FOUND_AT_MOST)))
