"""Search finds a name however it is typed without its marks, and no other name (decision 24)."""

from __future__ import annotations

import unicodedata

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select

from screening.domain.answers import name_fault, tidy
from screening.extensions import db
from screening.installation import current_installation
from screening.operating.readiness import check_ready
from screening.storage import search
from screening.storage.database import DatabaseNotReady, write
from screening.storage.tables import ScreeningRow, SearchRow
from tests.builders import all_no
from tests.integration.test_upkeep import flask
from tests.storing import store

pytestmark = pytest.mark.one_database

both_databases = pytest.mark.both_databases

FOUND = [
    # Letters with a stroke, and others that Unicode does not take apart
    ("Łukasz", "Lukasz"),
    ("Łukasz", "ŁUKASZ"),
    ("Lukasz", "Łukasz"),
    ("Bjørn", "Bjorn"),
    ("Bjørn", "Bjoern"),
    ("Đorđe", "Dorde"),
    ("Đặng Thị Hường", "dang thi huong"),
    ("Guðrún Þórsdóttir", "gudrun thorsdottir"),
    ("Ħabib", "habib"),
    ("Æthel Œuvre", "aethel oeuvre"),
    ("Weiß", "WEISS"),
    ("Weiss", "weiß"),
    ("Kofi Ɔsɛi", "osei"),
    ("Əliyev", "eliyev"),
    # As passports spell it
    ("Müller", "Muller"),
    ("Müller", "MUELLER"),
    ("Mueller", "Müller"),
    ("Åse Ångström", "aase aangstroem"),
    ("Åse Ångström", "ase angstrom"),
    # Turkish, in both cases
    ("IŞIK", "ışık"),
    ("ışık", "ISIK"),
    ("İnci", "inci"),
    ("inci", "İNCİ"),
    ("Yıldız", "yildiz"),
    # Arabic and Persian
    ("محـمـد", "محمد"),
    ("مُحَمَّد", "محمد"),
    ("محمد", "مُحَمَّد"),
    ("أحمد", "احمد"),
    ("إبراهيم", "ابراهيم"),
    ("آمنة", "امنه"),
    ("ٱلرحمٰن", "الرحمن"),
    ("مؤمن رائد", "مومن رايد"),
    ("علي", "على"),
    ("علي", "علی"),
    ("كريم", "کریم"),
    ("عائشۃ", "عائشہ"),
    ("فاطمۀ", "فاطمه"),
    ("ئەحمەد", "ئهحمهد"),
    ("علی‌رضا", "علیرضا"),
    ("علی‌رضا", "علی رضا"),
    ("علیرضا", "علی‌رضا"),
    ("عبد الله", "عبدالله"),
    # Hebrew, Greek, Cyrillic
    ("שָׁלוֹם", "שלום"),
    ("שלום", "שָׁלוֹם"),
    ("ג׳ורג׳", "ג'ורג'"),
    ("Γιώργος", "ΓΙΩΡΓΟΣ"),
    ("Γιώργος", "γιωργοσ"),
    ("Φραγκούλης", "Φραγκουλης"),
    ("Фёдор", "ФЕДОР"),
    ("Федор", "фёдор"),
    ("Мар’яна", "маряна"),
    # India and East Asia
    ("सीता", "सीता"),
    ("फ़ातिमा", "फातिमा"),
    ("श्‍याम", "श्याम"),
    ("ガブリエル", "ｶﾞﾌﾞﾘｴﾙ"),
    ("王 小明", "王小明"),
    ("김민준", "김민준"),
    ("김민준", unicodedata.normalize("NFD", "김민준")),
    # Hyphens, apostrophes and words that are written as one
    ("Anne-Marie", "Anne-Marie"),
    ("Anne-Marie", "anne"),
    ("Anne-Marie", "marie"),
    ("Anne-Marie", "annemarie"),
    ("Anne‑Marie", "anne marie"),
    ("Anne Marie", "Anne-Marie"),
    ("Annemarie", "Anne-Marie"),
    ("Annemarie", "anne marie"),
    ("Müller-Lüdenscheidt", "mueller-luedenscheidt"),
    ("Jean-Pierre-Marie", "jean pierre marie"),
    ("Jean Pierre Marie", "Jean-Pierre-Marie"),
    ("Anna-Maria-Luisa-Eva", "annamarialuisaeva"),
    ("O'Brien", "O’Brien"),
    ("O’Brien", "obrien"),
    ("O'Brien", "o brien"),
    ("O'Brien", "brien"),
    ("OBrien", "o'brien"),
    ("O Brien", "OBrien"),
    ("D´Angelo", "d'angelo"),
    ("Kaʻahumanu", "Ka'ahumanu"),
    ("McDonald", "Mc Donald"),
    ("van der Berg", "vanderberg"),
    ("Vanderberg", "van der Berg"),
    ("Gal·la", "galla"),
    ("Carreño", "carren\u0303o"),
    ("Carreño", "CARRENO"),
    ("Ana Ruiz", "\u200fRuiz,\u200b Ana"),
]
NOT_FOUND = [
    ("सीता", "रीता"),
    ("सीता", "सती"),
    ("राम", "रमा"),
    ("कमल", "कमला"),
    ("কমল", "কমলা"),
    ("மீனா", "மினா"),
    ("ਸ਼ਾਮ", "ਸਾਮ"),
    ("แก้ว", "แก่ว"),
    ("มานี", "มานะ"),
    ("が", "か"),
    ("علا", "علاء"),
    ("김민준", "김민"),
    ("王小明", "王小"),
    ("Anne Klein", "Anne-Marie"),
    ("Marie Klein", "Anne-Marie"),
    ("Marie Anne", "Anne-Marie"),
    ("Anne-Marie", "Anne-Louise"),
    ("Anne-Marie", "ann"),
    ("Anne-Marie", "nemarie"),
    ("Brien", "O'Brien"),
    ("O'Neil", "O'Brien"),
    ("O'Neil", "o brien"),
    ("Ana", "Anna"),
    ("Berg", "van der Berg"),
    ("Łukasz", "ukasz"),
    ("Ana Ruiz", "Ana Ruis"),
    ("Ana Ruiz", "%"),
    ("Ana Ruiz", "-"),
    ("Ana Ruiz", "\u200b"),
]


def references(app: Flask, *names: str, **patient: str) -> dict[str, str]:
    """The references of screenings of patients with these names."""
    with app.app_context():
        installation = current_installation()
        return {
            name: store(
                db.session,
                installation.keys,
                installation.books["en"],
                all_no(),
                name=name,
                **patient,
            ).reference
            for name in dict.fromkeys(names)
        }


def found(app: Flask, typed: str) -> list[str]:
    with app.app_context():
        return search.find(db.session, current_installation().keys, typed)


def test_a_name_is_found_however_it_is_typed_and_no_other_name_is(sqlite_app: Flask) -> None:
    stored = references(sqlite_app, *(name for name, _ in FOUND + NOT_FOUND), visit="")
    wrong = [
        *(
            f"{name!r} is not found by {typed!r}"
            for name, typed in FOUND
            if stored[name] not in found(sqlite_app, typed)
        ),
        *(
            f"{name!r} is found by {typed!r}"
            for name, typed in NOT_FOUND
            if stored[name] in found(sqlite_app, typed)
        ),
    ]
    assert not wrong


def test_the_whole_of_a_name_finds_nobody_who_shares_a_part(sqlite_app: Flask) -> None:
    stored = references(
        sqlite_app,
        "Anne-Marie Klein",
        "Anne Klein",
        "Marie Klein",
        "Marie-Anne Klein",
        "Annemarie Groß",
    )
    assert set(found(sqlite_app, "Anne-Marie")) == {
        stored["Anne-Marie Klein"],
        stored["Annemarie Groß"],
    }
    assert found(sqlite_app, "anne-marie klein") == [stored["Anne-Marie Klein"]]
    assert len(found(sqlite_app, "anne")) == 3
    assert len(found(sqlite_app, "klein")) == 4


def test_numbers_are_found_in_the_digits_of_any_script(sqlite_app: Flask) -> None:
    (reference,) = references(sqlite_app, "Ana Ruiz", visit="V-١٠٤٢").values()
    for typed in ("v1042", "V-१०४२", "١٢/٣/١٩٨٨", f"{reference.lower()}\u200e"):
        assert found(sqlite_app, typed) == [reference], typed


LETTERS = st.characters(categories=["Lu", "Ll", "Lt", "Lo"])
STREWN = st.sampled_from(
    "\u200e\u200f\u061c\u202b\u202c\u2067\u2069\u200b\u2060\ufeff\u00ad\ufe0f\U000e0041\u200d\u200c"
)


@settings(
    deadline=None,
    derandomize=True,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(st.tuples(LETTERS, STREWN), min_size=1, max_size=12), st.booleans())
def test_letters_of_any_script_with_unseen_characters_strewn_in_are_found(
    sqlite_app: Flask, strewn: list[tuple[str, str]], is_stored_so: bool
) -> None:
    seen = "".join(letter for letter, _ in strewn)
    typed = "".join(map("".join, strewn))
    stored, sought = (typed, seen) if is_stored_so else (seen, typed)
    if name_fault(tidy(stored)):
        return
    assert next(iter(references(sqlite_app, tidy(stored)).values())) in found(sqlite_app, sought)


def age(app: Flask) -> None:
    """Leave the index as an older release made it."""
    with app.app_context(), write(db.session):
        db.session.execute(delete(SearchRow))
        keys = current_installation().keys
        for row in db.session.scalars(select(ScreeningRow)):
            db.session.add(
                SearchRow(token=keys.authenticate("search", b"name ukasz"), screening_id=row.id)
            )


@both_databases
def test_init_builds_an_older_index_anew_in_parts_and_can_be_ended(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "PART", 2)
    stored = references(app, "Łukasz A", "Łukasz B", "Łukasz C", "Łukasz D", "Łukasz E")
    age(app)
    with pytest.raises(DatabaseNotReady, match="run `flask init`"):
        check_ready(app)
    assert "index is of an older release" in flask(app, "doctor", code=1).output

    def end(done: int, total: int) -> None:
        assert (done, total) == (2, 5)
        raise KeyboardInterrupt

    with app.app_context(), pytest.raises(KeyboardInterrupt):
        search.build(db.session, current_installation().keys, end)
    reported: list[tuple[int, int]] = []
    with app.app_context():
        keys = current_installation().keys
        assert search.build(db.session, keys, lambda *counts: reported.append(counts)) == []
    assert reported == [(2, 3), (3, 3)]
    assert set(found(app, "lukasz")) == set(stored.values())
    assert found(app, "ukasz") == []
    check_ready(app)
    flask(app, "verify")
    age(app)
    assert "Indexing names" in flask(app, "init").stderr
    assert set(found(app, "lukasz")) == set(stored.values())
    assert "Indexing" not in flask(app, "init").stderr


def test_a_screening_that_cannot_be_read_does_not_stop_init(sqlite_app: Flask) -> None:
    stored = references(sqlite_app, "Ana", "Eva")
    age(sqlite_app)
    with sqlite_app.app_context(), write(db.session):
        row = db.session.scalars(
            select(ScreeningRow).where(ScreeningRow.reference == stored["Ana"])
        ).one()
        row.sealed_patient = row.sealed_patient[:-1] + bytes([row.sealed_patient[-1] ^ 1])
    result = flask(sqlite_app, "init")
    assert f"1 screenings cannot be read, first {stored['Ana']}; run: flask verify" in result.stderr
    check_ready(sqlite_app)
    assert found(sqlite_app, "eva") == [stored["Eva"]]
