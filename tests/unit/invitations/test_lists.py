"""Lists of patients as spreadsheets save them are understood, or the fault is named at its cell."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from io import BytesIO
from pathlib import Path
from time import process_time
from xml.sax.saxutils import escape

import pytest

from screening.features.invitations.dates import Order, readings
from screening.features.invitations.patient_list import (
    HEADINGS,
    InvitationList,
    read_list,
    with_doubles,
)
from screening.settings import Settings

TODAY = date(2026, 11, 29)
SETTINGS = Settings(instance=Path("nowhere"), clinic_timezone="Europe/Madrid")
SEED = "0" * 32
BORN = date(1988, 3, 12)


def read(content: str | bytes, order: Order | None = None) -> InvitationList:
    if isinstance(content, str):
        content = content.encode()
    return with_doubles(read_list(content, settings=SETTINGS, today=TODAY, order=order), {}, SEED)


def invited(content: str | bytes, order: Order | None = None) -> list[tuple[str, date, str]]:
    """Name, date of birth and visit of whom a list without a fault invites."""
    invitations = read(content, order)
    assert faults(invitations) == [], faults(invitations)
    patients = [invitation.patient for invitation in invitations.to_invite(SEED).values()]
    return [(patient.name, patient.birth_date, patient.visit) for patient in patients]


def faults(invitations: InvitationList) -> list[str]:
    cells = [
        f"row {row.number}, {column}: {fault}"
        for row in invitations.rows
        for column, fault in row.faults.items()
    ]
    return [*map(str, invitations.faults), *cells]


def born(*texts: str, order: Order | None = None) -> list[date]:
    """The dates of birth that a column of these texts is understood as."""
    rows = "\n".join(f'Ana {number};"{text}"' for number, text in enumerate(texts))
    return [day for _name, day, _visit in invited(f"name;birth_date\n{rows}\n", order)]


def appointment(text: str, more: str = "", head: str = "") -> datetime | None:
    invitations = read(f'name;birth_date;appointment{head}\nAna;1988-03-12;"{text}"{more}\n')
    assert faults(invitations) == [], faults(invitations)
    (invitation,) = invitations.to_invite(SEED).values()
    return invitation.appointment


# -------------------------------------------------------------------------------------------------
# files and encodings


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"]
)
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_every_way_in_which_a_spreadsheet_saves_text(
    separator: str, encoding: str, line_end: str
) -> None:
    lines = ["name,birth_date,visit", "André Müller,1988-03-12,V-1", "Zoë Peña,1990-01-02,"]
    content = line_end.join(line.replace(",", separator) for line in lines).encode(encoding)
    assert invited(content) == [("André Müller", BORN, "V-1"), ("Zoë Peña", date(1990, 1, 2), "")]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le", "utf-16-be"])
def test_names_in_every_script(encoding: str) -> None:
    content = "name;birth_date\nक्षितिज राव;1988-03-12\n王小明;1988-03-12\n".encode(encoding)
    assert [name for name, *_ in invited(content)] == ["क्षितिज राव", "王小明"]


def test_letters_that_are_only_likely_are_said_to_be() -> None:
    assert any(
        "letters" in str(note)
        for note in read("name,birth_date\nJosé,1988-03-12\n".encode("cp1252")).notes
    )
    assert not read("name,birth_date\nJosé,1988-03-12\n").notes
    assert not read(b"name,birth_date\nJose,1988-03-12\n").notes


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "This file is empty"),
        (b"\r\n,,\r\n", "This file is empty"),
        (b"\x81\x8d\x9d", "The letters of this file cannot be read"),
        (b"\xff\xfea", "The letters of this file cannot be read"),
        (b"PK\x03\x04 not really", "This workbook cannot be read"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "This workbook cannot be read"),
        (b'name,birth_date\nAna,"1988-03-12\n', "Row 2 cannot be read: a quotation mark"),
        (b'name;birth_date\nAna;"1988"-03-12\n', "Row 2 cannot be read: a quotation mark"),
        (b"name,birth_date\n", "There are no rows below the headings"),
        (b"Ana,1988-03-12\n", "No column has the patients’ names"),
        (
            b"name,visit\nAna,V-1\n",
            "No column has the dates of birth. Head it “Date of birth”. Found: name, visit",
        ),
        (
            b"name,birth_date\n" + b"Ana,1988-03-12\n" * 5001,
            "Split the list: 5000 can be invited at once",
        ),
    ],
    ids=lambda parameter: parameter if isinstance(parameter, str) else "",
)
def test_a_file_that_cannot_be_read_says_what_to_do(content: bytes, words: str) -> None:
    invitations = read(content)
    assert words in " ".join(map(str, invitations.faults))
    assert invitations.to_invite(SEED) == {}


def test_cells_with_line_breaks_separators_and_quotes_stay_one() -> None:
    content = 'name;birth_date;prescriber\n"Ruiz;\nAna, ""Anita""";1988-03-12;"Dr\r\nKim"\n'
    (invitation,) = read(content).to_invite(SEED).values()
    assert (invitation.patient.name, invitation.prescriber) == ('Ruiz; Ana, "Anita"', "Dr Kim")


def test_empty_rows_and_columns_are_passed_over_and_rows_keep_their_numbers() -> None:
    content = (
        "March\n\n,,,,\n,name,,birth_date,visit,,\n,,,,,,\n"
        ",Ana,,1988-03-12,V-1,,\n,,,,,,\n,Bo,,x,,,\n,,,,,,\n"
    )
    assert faults(read(content)) == [
        "row 8, birth_date: “x” cannot be read: write it such as 1988-03-27."
    ]
    assert invited(content.replace("x", "1990-01-02"))[0] == ("Ana", BORN, "V-1")


def test_a_text_below_no_heading_is_a_fault_since_columns_may_have_moved() -> None:
    (fault,) = faults(read("name,birth_date\nAna,1988-03-12,V-1\n"))
    assert "row 2, : “V-1” stands below no heading" in fault
    (fault,) = faults(read("name,,birth_date\nAna,Bea,1988-03-12\n"))
    assert "“Bea” stands below no heading" in fault


def test_what_nobody_can_see_is_no_cell_no_row_and_no_heading() -> None:
    content = (
        "name\u3164;birth_date;\u200b;\u200e\nAna;1988-03-12;\u3164;\u2060\n"
        "\u200b;\ufeff;\u00a0;\n\u3164;;;\n"
    )
    assert invited(content) == [("Ana", BORN, "")]
    assert read(content).notes == []
    (fault,) = faults(read("name;birth_date;\u200b\nAna;1988-03-12;x\u200b\n"))
    assert "“x” stands below no heading" in fault


def test_a_cell_that_is_far_too_long_is_refused_at_once() -> None:
    marks = "a" + "\u0301\u0323" * 20000
    brackets = "(" * 100000
    content = f"name;birth_date;{marks};{brackets}\nAna;{marks};;\n{marks};1988-03-12;;\n"
    begun = process_time()
    invitations = read(content)
    assert process_time() - begun < 2
    assert [(row.number, [*row.faults]) for row in invitations.rows] == [
        (2, ["birth_date"]),
        (3, ["name"]),
    ]
    assert max(len(fault) for fault in faults(invitations)) < 1200


def test_a_name_is_too_long_before_it_is_cut() -> None:
    decomposed = "e\u0302\u0301" * 120
    assert invited(f"name;birth_date\n{decomposed};1988-03-12\n") == [("\u1ebf" * 120, BORN, "")]
    for letter in ("\u1ebf", "e\u0302\u0301", "\u03b1\u0313\u0300\u0345"):
        for letters in (121, 400, 3000):
            (fault,) = faults(read(f"name;birth_date\n{letter * letters};1988-03-12\n"))
            assert "Too long" in fault


# ----------------------------------------------------------------------------------------
# headings


@pytest.mark.parametrize(
    ("name", "birth"),
    [
        ("Name", "Birth date"),
        ("FULL NAME", "DOB"),
        (" patient ", "D.O.B."),
        ("Patient’s name", "Date of birth (dd/mm/yyyy)"),
        ("NOMBRE COMPLETO", "F. Nacimiento"),
        ("Nombre y apellidos", "Fecha de Nacimiento"),
        ("Paciente", "fecha_nacimiento"),
        ("name", "birth_date"),
    ],
)
def test_headings_as_people_write_them(name: str, birth: str) -> None:
    assert invited(f"{name};{birth}\nAna Ruiz;1988-03-12\n") == [("Ana Ruiz", BORN, "")]


def test_every_heading_means_one_field() -> None:
    seen: dict[str, str] = {}
    for language in HEADINGS.values():
        for name, several in language.items():
            for words in several.split(","):
                assert seen.setdefault(words.strip(), name) == name, words


def test_a_name_in_parts_is_put_together() -> None:
    assert (
        invited("Apellidos;Nombre;Fecha nacimiento\nRuiz Peña;Ana;1988-03-12\n")[0][0]
        == "Ana Ruiz Peña"
    )
    assert invited("First name;Last name;DOB\nAna;Ruiz;1988-03-12\n")[0][0] == "Ana Ruiz"
    content = "Nombre;Primer apellido;Segundo apellido;F. nac.\nAna;Ruiz;Peña;1988-03-12\n"
    assert invited(content)[0][0] == "Ana Ruiz Peña"


def test_a_whole_name_is_not_put_together_with_its_parts() -> None:
    content = "Name;First name;Last name;DOB\nAna Ruiz;Ana;Ruiz;1988-03-12\n"
    assert invited(content) == [("Ana Ruiz", BORN, "")]
    assert [str(note) for note in read(content).notes] == [
        "These columns are not read: First name, Last name."
    ]


@pytest.mark.parametrize(
    ("headings", "named"),
    [
        ("name,birth_date,name,birth_date", ("“name”, “name”", "“birth_date”, “birth_date”")),
        ("Name,Paciente,DOB", ("“Name”, “Paciente”",)),
        ("name,born,visit,Visit No", ("“visit”, “Visit No”",)),
    ],
)
def test_a_heading_that_stands_twice_is_refused_by_name(
    headings: str, named: tuple[str, ...]
) -> None:
    invitations = read(f"{headings}\nPatient One,1988-03-12,Mother Two,1960-01-01\n")
    for columns in named:
        fault = f"These columns are for the same: {columns}. Keep one of them."
        assert fault in faults(invitations)
    assert invitations.to_invite(SEED) == {}


def test_columns_that_are_not_read_are_named() -> None:
    invitations = read("name,Phone,birth_date,Notes\nAna,1,1988-03-12,x\n")
    (note,) = invitations.notes
    assert str(note) == "These columns are not read: Phone, Notes."
    assert len(invitations.to_invite(SEED)) == 1


# ----------------------------------------------------------------------------------------
# days and times


@pytest.mark.parametrize(
    "text",
    [
        *(
            "1988-03-12",
            "12.03.1988",
            "12.3.1988",
            "12. 3. 1988",
            "12 Mar 1988",
            "12-Mar-1988",
            "12 mar. 1988",
        ),
        *(
            "March 12, 1988",
            "12 de marzo de 1988",
            "12th March 1988",
            "Saturday, 12 March 1988",
            "1988/03/12",
        ),
        *(
            "1988-03-12T00:00:00",
            "1988-03-12 00:00",
            "19880312",
            "12/3/1988 12:00 AM",
            " １２.０３.１９８８ ",
        ),
        *("12/mar/1988", "sábado 12 marzo 1988", "12.03.1988.", "12 MAR 1988"),
        *("12\u201103\u20111988", "12\u201303\u20131988", "1988\u201003\u201012"),
        *("１２／０３／１９８８", "１２．０３．１９８８"),
    ],
)
def test_a_day_as_people_write_it(text: str) -> None:
    assert born(text, "25/12/1990")[0] == BORN


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "soon",
            "32214",
            "30.02.1988",
            "31/04/1988",
            "13.13.1988",
            "1988-13-01",
            "~1988-03-12",
            "12 Foo 1988",
        ),
        *(
            "1988",
            "03/1988",
            "1988-03-12 14:30",
            "1988-03-12 or 13",
            "12031988",
            "2999-01-01",
            "1850-01-01",
        ),
    ],
)
def test_what_is_no_date_of_birth_is_a_fault_at_its_cell(text: str) -> None:
    invitations = read(f'name;birth_date\nAna;"{text}"\n')
    (fault,) = faults(invitations)
    assert fault.startswith("row 2, birth_date: ")
    assert invitations.asked == []


@pytest.mark.parametrize("text", ["12/3/88", "12.3.88", "88-03-12", "12 Mar 88", "03/12/05"])
def test_a_year_of_two_digits_is_asked_about(text: str) -> None:
    (fault,) = faults(read(f"name;birth_date\nAna;{text}\n"))
    assert fault.endswith("which century? Write the year with four digits, such as 1988.")


@pytest.mark.parametrize("text", ["03/12/1988", "03-12-1988", "3 12 1988", "03/12/1988 00:00"])
def test_day_and_month_are_never_guessed(text: str) -> None:
    invitations = read(f"name;birth_date\nAna;{text}\nBo;1990-01-02\n")
    assert invitations.asked == [text.removesuffix(" 00:00")]
    assert invitations.to_invite(SEED) == {}
    assert born(text, order=Order.DAY_FIRST) == [date(1988, 12, 3)]
    assert born(text, order=Order.MONTH_FIRST) == [BORN]


def test_the_column_decides_where_one_day_can_be_read_in_one_way_only() -> None:
    assert born("03/12/1988", "25/12/1990") == [date(1988, 12, 3), date(1990, 12, 25)]
    assert born("03/12/1988", "12/25/1990") == [BORN, date(1990, 12, 25)]
    assert born("05/05/1988") == [date(1988, 5, 5)]
    assert read("name;birth_date\nAna;03/12/1988\nBo;31/02/1990\n").asked, (
        "no day in either order proves nothing"
    )


def test_days_that_contradict_each_other_decide_nothing() -> None:
    content = "name;birth_date\nAna;03/12/1988\nBo;25/12/1990\nCy;12/25/1990\n"
    assert read(content).asked == ["03/12/1988"]
    (fault,) = faults(read(content, Order.DAY_FIRST))
    assert fault.startswith("row 4, birth_date: “12/25/1990” is no day with the day first")


def test_full_stops_mean_day_first_whatever_was_said() -> None:
    assert born("12.03.1988", order=Order.MONTH_FIRST) == [BORN]


@pytest.mark.parametrize(
    "text",
    [
        *(
            "2027-03-31 14:30",
            "2027-03-31T14:30",
            "2027-03-31T14:30:00",
            "2027-03-31 14:30:00.000",
            "31.03.2027 14.30",
        ),
        *(
            "31/03/2027 2:30 pm",
            "31/03/2027, 2:30 p. m.",
            "31 mar 2027 a las 14:30",
            "2027-03-31T12:30:00Z",
        ),
        *(
            "31.03.2027 14h30",
            "31/3/2027 14:30 h",
            "2027-03-31T14:30+02:00",
            "March 31, 2027 at 2:30 PM",
        ),
    ],
)
def test_a_time_as_people_write_it(text: str) -> None:
    assert appointment(text) == datetime(2027, 3, 31, 12, 30, tzinfo=UTC)


def test_day_and_time_in_two_columns() -> None:
    for day in ("31/03/2027", "2027-03-31 00:00"):
        assert appointment(day, ";2:30 pm", ";Time") == datetime(2027, 3, 31, 12, 30, tzinfo=UTC)
    assert appointment("31.03.2027", ";14:30:00", ";Hora de la cita") == datetime(
        2027, 3, 31, 12, 30, tzinfo=UTC
    )
    assert appointment("", ";", ";Time") is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("2027-03-31", "needs its time too"),
        ("14:30", "cannot be read: write it such as 2027-03-31 14:30"),
        ("2027-03-31 25:00", "cannot be read"),
        ("2027-03-31 14:30 pm", "cannot be read"),
        ("soon", "cannot be read"),
        ("31.03.27 14:30", "which century?"),
        ("2020-03-31 14:30", "in the past or very far away"),
        ("9999-12-31 23:30", "in the past or very far away"),
        ("03/04/2027 14:30", "day or month first?"),
    ],
)
def test_what_is_no_appointment_is_a_fault_at_its_cell(text: str, words: str) -> None:
    (fault,) = faults(read(f'name;birth_date;Cita\nAna;1988-03-12;"{text}"\n'))
    assert fault.startswith("row 2, appointment: ")
    assert words in fault


# -------------------------------------------------------------------------------------------------
# other cells, doubles


def test_every_fault_of_a_row_is_told_at_its_cell() -> None:
    content = (
        f"name;birth_date;visit;language;email;prescriber\n?;x;{'V' * 41};xx;a b@c;{'D' * 121}\n"
    )
    assert [fault.partition(":")[0] for fault in faults(read(content))] == [
        f"row 2, {column}"
        for column in ("name", "visit", "birth_date", "prescriber", "language", "email")
    ]


@pytest.mark.parametrize(
    "text", ["es", "ES", "es-ES", "es_MX", "Spanish", "español", "Espanol", "SPANISH"]
)
def test_a_language_by_code_or_name(text: str) -> None:
    invitations = read(f"name;birth_date;language\nAna;1988-03-12;{text}\n")
    (invitation,) = invitations.to_invite(SEED).values()
    assert invitation.language == "es"


def test_a_patient_who_stands_twice_for_a_visit_is_invited_once() -> None:
    content = (
        "name,birth_date,visit,appointment\nAna Ruiz,1988-03-12,V-1,\n"
        '"RUIZ, Ana",1988-03-12,v-1,\nAna Ruiz,1988-03-12,V-2,\n'
        "Ana Ruiz,1988-03-12,,2027-03-31 14:30\n"
        "Ana Ruiz,1988-03-12,,2027-04-30 14:30\nAna Ruiz,1988-03-12,,2027-03-31 14:30\n"
        "Ana Ruiz,1989-03-12,V-1,\n"
    )
    invitations = read(content)
    doubles = {row.number: str(row.double) for row in invitations.rows if row.double}
    same = "Same patient and visit as row"
    assert doubles == {3: f"{same} 2", 7: f"{same} 5"}
    assert len(invitations.to_invite(SEED)) == 5


def test_what_cannot_be_seen_makes_nobody_another_patient() -> None:
    for name, again in (
        ("علی\u200cرضا", "علیرضا"),
        ("श्\u200dयाम", "श्याम"),
        ("Ana Ruiz", "A\u200bna\u00a0Ruiz\u200e"),
    ):
        invitations = read(
            f"name,birth_date,visit\n{name},1988-03-12,V-1\n{again},1988-03-12,Ｖ-\u20601\n"
        )
        assert [row.number for row in invitations.rows if row.double] == [3], ascii(name)
    kept = read("name,birth_date,visit\nAna,1988-03-12,V-1\n")
    (invitation,) = kept.to_invite(SEED).values()  # an older release kept some of it
    older = replace(invitation, patient=replace(invitation.patient, name="An\u200da\ufe0f"))
    assert with_doubles(kept, {"older": older}, SEED).to_invite(SEED) == {}


def test_who_has_an_open_invitation_is_a_double_but_not_of_the_same_list() -> None:
    invitations = read("name,birth_date,visit\nAna Ruiz,1988-03-12,V-1\n")
    to_invite = invitations.to_invite(SEED)
    assert with_doubles(invitations, to_invite, SEED).to_invite(SEED) == to_invite, (
        "the button was pressed twice"
    )
    again = with_doubles(invitations, to_invite, "1" * 32)
    assert [str(row.double) for row in again.rows] == [
        "This patient is already invited to this visit"
    ]
    assert again.to_invite("1" * 32) == {}


# ----------------------------------------------------------------------------------------
# workbooks

_MAIN = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
_RELATED = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
Cells = list[list[str | float | date]]


def xlsx(*sheets: tuple[str, Cells], dimension: str = "") -> bytes:
    """A workbook with these sheets.

    Style 1 is a day, style 2 a day with a time; a name with `!` is hidden.
    """
    files = {
        "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>',
        "xl/styles.xml": f'<styleSheet {_MAIN}><cellXfs><xf numFmtId="0"/>'
        '<xf numFmtId="14"/><xf numFmtId="22"/><xf numFmtId="20"/></cellXfs></styleSheet>',
    }
    names = ""
    related = ""
    for number, (name, rows) in enumerate(sheets, 1):
        lines = ""
        for row, cells in enumerate(rows, 1):
            lines += f'<row r="{row}">'
            for column, value in enumerate(cells):
                place = f"{chr(65 + column)}{row}"
                if isinstance(value, date):
                    days = (value - type(value)(1899, 12, 30)).total_seconds() / 86400
                    style = 2 if isinstance(value, datetime) else 1
                    lines += f'<c r="{place}" s="{style}"><v>{days}</v></c>'
                elif isinstance(value, float):
                    lines += f'<c r="{place}" s="{3 if 0 < value < 1 else 0}"><v>{value}</v></c>'
                elif value:
                    lines += f'<c r="{place}" t="inlineStr"><is><t>{escape(value)}</t></is></c>'
            lines += "</row>"
        lines += f'<row r="1048576"><c r="{dimension}"><v>1</v></c></row>' if dimension else ""
        files[f"xl/worksheets/sheet{number}.xml"] = (
            f"<worksheet {_MAIN}><sheetData>{lines}</sheetData></worksheet>"
        )
        state = ' state="hidden"' if "!" in name else ""
        names += f'<sheet name="{name}" sheetId="{number}" r:id="r{number}"{state}/>'
        related += (
            f'<Relationship Id="r{number}" Type="{_RELATED}/worksheet" '
            f'Target="worksheets/sheet{number}.xml"/>'
        )
    files["xl/workbook.xml"] = (
        f'<workbook {_MAIN} xmlns:r="{_RELATED}"><sheets>{names}</sheets></workbook>'
    )
    inside = "http://schemas.openxmlformats.org/package/2006/relationships"
    main = f'<Relationship Id="w" Type="{_RELATED}/officeDocument" Target="xl/workbook.xml"/>'
    files["_rels/.rels"] = f'<Relationships xmlns="{inside}">{main}</Relationships>'
    related += f'<Relationship Id="s" Type="{_RELATED}/styles" Target="styles.xml"/>'
    files["xl/_rels/workbook.xml.rels"] = (
        f'<Relationships xmlns="{inside}">{related}</Relationships>'
    )
    return zipped(files)


def ods(rows: Cells) -> bytes:
    """An OpenDocument workbook with one sheet."""
    lines = ""
    for cells in rows:
        lines += "<table:table-row>"
        for value in cells:
            if isinstance(value, date):
                lines += (
                    '<table:table-cell office:value-type="date" '
                    f'office:date-value="{value.isoformat()}"/>'
                )
            elif isinstance(value, float):
                lines += f'<table:table-cell office:value-type="float" office:value="{value}"/>'
            else:
                text = f"<text:p>{escape(value)}</text:p>"
                lines += f'<table:table-cell office:value-type="string">{text}</table:table-cell>'
        lines += "</table:table-row>"
    names = " ".join(
        f'xmlns:{namespace}="urn:oasis:names:tc:opendocument:xmlns:{namespace}:1.0"'
        for namespace in ("office", "table", "text")
    )
    sheet = f'<table:table table:name="March">{lines}</table:table>'
    content = f"<office:body><office:spreadsheet>{sheet}</office:spreadsheet></office:body>"
    return zipped(
        {
            "mimetype": "application/vnd.oasis.opendocument.spreadsheet",
            "META-INF/manifest.xml": "<m:manifest "
            'xmlns:m="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"/>',
            "content.xml": f"<office:document-content {names}>{content}</office:document-content>",
        }
    )


def zipped(files: dict[str, str]) -> bytes:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return buffer.getvalue()


HEADS: list[str | float | date] = ["Name", "Date of birth", "Visit", "Appointment"]
ROWS: Cells = [
    HEADS,
    ["André Müller", BORN, 10042.0, datetime(2027, 3, 31, 14, 30)],  # noqa: DTZ001 - as spreadsheets keep it
    ["", "", "", ""],
    ["王小明", "12.03.1988", "V-2", "2027-03-31T14:30"],
]


@pytest.mark.parametrize("content", [xlsx(("March", ROWS)), ods(ROWS)], ids=["xlsx", "ods"])
def test_a_workbook_is_read_with_its_days_and_numbers(content: bytes) -> None:
    assert invited(content) == [("André Müller", BORN, "10042"), ("王小明", BORN, "V-2")]
    invitations = read(content)
    assert {invitation.appointment for invitation in invitations.to_invite(SEED).values()} == {
        datetime(2027, 3, 31, 12, 30, tzinfo=UTC)
    }
    assert [row.number for row in invitations.rows] == [2, 4]


def test_a_workbook_with_day_and_time_in_two_columns() -> None:
    rows: Cells = [
        ["Name", "DOB", "Appointment", "Time"],
        ["Ana", BORN, date(2027, 3, 31), 14.5 / 24],
    ]
    invitations = read(xlsx(("March", rows)))
    assert faults(invitations) == []
    (invitation,) = invitations.to_invite(SEED).values()
    assert invitation.appointment == datetime(2027, 3, 31, 12, 30, tzinfo=UTC)


def test_of_several_sheets_the_visible_one_with_the_list_is_read_and_the_others_are_named() -> None:
    other: Cells = [["Read me"], ["Nothing"]]
    content = xlsx(
        ("About", other), ("Old!", ROWS), ("March", ROWS[:2]), ("April", [HEADS[:2], ["Bo", BORN]])
    )
    assert [name for name, *_ in invited(content)] == ["André Müller"]
    assert "Only the sheet “March” was read, not: About, April." in map(str, read(content).notes)


def test_a_workbook_that_unfolds_into_too_much_is_refused_and_harms_nothing() -> None:
    invitations = read(xlsx(("March", ROWS), dimension="XFD1048576"))
    assert "has very many cells" in faults(invitations)[0]


def test_a_small_workbook_with_very_much_text_is_refused_before_the_server_holds_it() -> None:
    text = "a" * 30000
    rows: Cells = [HEADS, *([text] * 4 for _ in range(300))]
    assert "has very many cells" in faults(read(xlsx(("March", rows))))[0]
    assert len(read(xlsx(("March", [HEADS, ["Ana", BORN, "V-1", ""]]))).to_invite(SEED)) == 1


@pytest.mark.parametrize("fraction", [0.60416666, 0.604166666666666, 0.60416667])
def test_a_time_of_a_workbook_is_that_which_the_spreadsheet_shows(fraction: float) -> None:
    at = datetime(2027, 3, 31) + timedelta(days=fraction)  # noqa: DTZ001 - as spreadsheets keep it
    two: Cells = [
        ["Name", "DOB", "Appointment", "Time"],
        ["Ana", BORN, date(2027, 3, 31), fraction],
    ]
    one_column: Cells = [["Name", "DOB", "Appointment"], ["Ana", BORN, at]]
    for rows in (two, one_column):
        invitations = read(xlsx(("March", rows)))
        assert faults(invitations) == []
        (invitation,) = invitations.to_invite(SEED).values()
        assert invitation.appointment == datetime(2027, 3, 31, 12, 30, tzinfo=UTC)


def test_a_list_reads_ordinals_as_well_but_never_two_days_as_a_date() -> None:
    assert readings("1º de marzo de 1988", ("es",))[Order.DAY_FIRST] == date(1988, 3, 1)
    with pytest.raises(ValueError, match="1 o 2"):
        readings("1 o 2 1988", ("es",))


@pytest.mark.parametrize(
    ("region", "birth_date", "appointment"),
    [
        ("", "1988-03-27", "2027-03-31 14:30"),
        ("US", "3/27/1988", "3/31/2027 14:30"),
        ("GB", "27/03/1988", None),
    ],
)
def test_the_examples_for_a_list_are_written_as_in_the_region(
    tmp_path: Path, region: str, birth_date: str, appointment: str | None
) -> None:
    settings = Settings(instance=tmp_path, clinic_region=region)
    content = b"name,birth_date,appointment\nAna,x,\nAna,,\nAna,1988-03-12,x\n"
    invitations = read_list(content, settings=settings, today=date(2026, 3, 14), order=None)
    said = [str(fault) for row in invitations.rows for fault in row.faults.values()]
    assert [birth_date in message for message in said] == [True, True, False]
    assert appointment is None or appointment in said[2]
    assert date(1988, 3, 27) in readings(birth_date, ("en",)).values()
