"""One file that is PDF/A-3a and PDF/UA-1 at once: what WeasyPrint 70 leaves to be done.

It touches private parts of WeasyPrint, whose version is therefore pinned. Each repair has a test of
its own.
"""

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pydyf

from screening.printing import text_extraction

VARIANT = "pdf/a-3a"
SIGNATURE_FIELD = "Signature"
POINTS = 0.75  # in a CSS pixel
# PDF/A wants every property that it does not know itself described in an extension schema (ISO
# 19005-3, 6.6.2.3).
_IDENTIFIER = b"""
<rdf:Description rdf:about="" xmlns:pdfuaid="http://www.aiim.org/pdfua/ns/id/"><pdfuaid:part>1</pdfuaid:part>
</rdf:Description>
<rdf:Description rdf:about="" xmlns:pdfaExtension="http://www.aiim.org/pdfa/ns/extension/"
 xmlns:pdfaSchema="http://www.aiim.org/pdfa/ns/schema#" xmlns:pdfaProperty="http://www.aiim.org/pdfa/ns/property#">
<pdfaExtension:schemas><rdf:Bag><rdf:li rdf:parseType="Resource">
<pdfaSchema:schema>PDF/UA identification</pdfaSchema:schema>
<pdfaSchema:namespaceURI>http://www.aiim.org/pdfua/ns/id/</pdfaSchema:namespaceURI>
<pdfaSchema:prefix>pdfuaid</pdfaSchema:prefix>
<pdfaSchema:property><rdf:Seq><rdf:li rdf:parseType="Resource">
<pdfaProperty:name>part</pdfaProperty:name><pdfaProperty:valueType>Integer</pdfaProperty:valueType>
<pdfaProperty:category>internal</pdfaProperty:category>
<pdfaProperty:description>The part of PDF/UA that this file conforms to</pdfaProperty:description>
</rdf:li></rdf:Seq></pdfaSchema:property>
</rdf:li></rdf:Bag></pdfaExtension:schemas>
</rdf:Description>
"""


def identify(document: Any) -> None:
    """Let the metadata name PDF/UA too, within the one `rdf:RDF` that readers look at."""
    generate: Callable[..., bytes] = document.metadata.generate_rdf_metadata
    end = b"</rdf:RDF>"
    document.metadata.generate_rdf_metadata = lambda *about: generate(*about).replace(
        end, _IDENTIFIER + end
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair:
    """Mends a PDF that is about to be written, and makes the field for a signature if it is `to_be_signed`."""

    to_be_signed: bool = False

    def __call__(self, document: Any, pdf: Any) -> None:
        """Mend what WeasyPrint is about to write."""
        tree = dict(_below(pdf, _object(pdf, pdf.catalog["StructTreeRoot"])))
        for element in tree.values():
            match element["S"]:
                case "/TH":  # all our headers are those of columns
                    element["A"]["Scope"] = "/Column"
                case "/L":  # its boxes are drawn, there are no numbers or bullets to read out
                    element["A"] = pydyf.Dictionary({"O": "/List", "ListNumbering": "/None"})
                case "/Figure":
                    _place(pdf, element)
        for number, page in enumerate(_object(pdf, page) for page in pdf.page_references):
            _take_out_margins(pdf, page, number, tree)
            text_extraction.say(_owners(pdf, number), _object(pdf, page["Contents"]), tree)
        text_extraction.map_codes(document, pdf)
        metadata = _object(pdf, pdf.catalog["Metadata"])
        metadata.compress = False  # archives, and `/verify`, read them without a PDF reader
        _name_files_once(pdf)
        if self.to_be_signed:
            _add_signature_field(pdf)
        _put_together_once(pdf)


def _place(pdf: Any, figure: Any) -> None:
    """Give the box of a figure in points from the bottom of the page, instead of CSS pixels from its top."""
    _, _, _, height = _object(pdf, figure["Pg"])["MediaBox"]
    left, top, right, bottom = (length * POINTS for length in figure["A"]["BBox"])
    figure["A"]["BBox"][:] = left, height - bottom, right, height - top


def _take_out_margins(pdf: Any, page: Any, number: int, tree: dict[bytes, Any]) -> None:
    """Mark what stands in the margins of each page as such: it is in no branch of the tree and is not read out."""
    owners = _owners(pdf, number)
    drawn = _object(pdf, page["Contents"]).stream
    for place, item in enumerate(drawn):
        if isinstance(item, dict) and owners[item["MCID"]] not in tree:
            owners[item["MCID"]] = "null"
            drawn[place - 1 : place + 1] = ["/Artifact", pydyf.Dictionary({"Type": "/Pagination"})]


def _owners(pdf: Any, number: int) -> list[Any]:
    """The elements that the parts of a page belong to, by the numbers of the parts."""
    parents: list[Any] = _object(pdf, _object(pdf, pdf.catalog["StructTreeRoot"])["ParentTree"])[
        "Nums"
    ]
    owners: list[Any] = parents[2 * number + 1]
    return owners


def _name_files_once(pdf: Any) -> None:
    """What is attached is the source of the whole document and stands once in its list; FHIR has a type of its own."""
    if "AF" not in pdf.catalog:
        return
    files = list(dict.fromkeys(pdf.catalog["AF"]))
    pdf.catalog["AF"] = pydyf.Array(files)
    for file in files:
        _object(pdf, _object(pdf, file)["EF"]["F"]).extra["Subtype"] = "/application#2Ffhir+json"


def _put_together_once(pdf: Any) -> None:
    """Compress each stream here: pydyf would do it twice, to write it and to work out the identifier of the file."""
    for stream in pdf.objects:
        if isinstance(stream, pydyf.Stream) and stream.compress:
            whole = b"\n".join(map(pydyf._to_bytes, stream.stream))
            stream.stream = [zlib.compress(whole)]
            stream.compress = False
            stream.extra["Filter"] = "/FlateDecode"


def _add_signature_field(pdf: Any) -> None:
    """An invisible field on the first page, in the tag tree, so that signing changes nothing that a tag describes."""
    page = _object(pdf, pdf.page_references[0])
    root = _object(pdf, pdf.catalog["StructTreeRoot"])
    numbers = _object(pdf, root["ParentTree"])["Nums"]
    document = _object(pdf, root["K"][0])
    place = max(numbers[::2]) + 1
    field = pydyf.Dictionary(
        {
            "Type": "/Annot",
            "Subtype": "/Widget",
            "FT": "/Sig",
            "T": pydyf.String(SIGNATURE_FIELD),
            "TU": pydyf.String("Signature of the clinic"),
            "F": 132,  # printed, and locked
            "Rect": pydyf.Array([0, 0, 0, 0]),
            "P": page.reference,
            "StructParent": place,
        }
    )
    pdf.add_object(field)
    element = pydyf.Dictionary(
        {
            "Type": "/StructElem",
            "S": "/Form",
            "P": document.reference,
            "Pg": page.reference,
            "K": pydyf.Array(
                [pydyf.Dictionary({"Type": "/OBJR", "Obj": field.reference, "Pg": page.reference})]
            ),
        }
    )
    pdf.add_object(element)
    document["K"].append(element.reference)
    numbers.extend([place, element.reference])
    page.setdefault("Annots", pydyf.Array()).append(field.reference)
    page["Tabs"] = "/S"
    pdf.catalog["AcroForm"] = pydyf.Dictionary(
        {"Fields": pydyf.Array([field.reference]), "SigFlags": 3}
    )


def _below(pdf: Any, element: Any) -> Iterator[tuple[bytes, Any]]:
    """Every element of the tag tree below this one, by its reference."""
    for kid in element["K"]:
        if isinstance(kid, bytes) and _object(pdf, kid).get("Type") == "/StructElem":
            yield kid, _object(pdf, kid)
            yield from _below(pdf, _object(pdf, kid))


def _object(pdf: Any, reference: bytes) -> Any:
    return pdf.objects[int(reference.split()[0])]
