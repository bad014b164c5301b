"""Repairs that make a file of WeasyPrint 70 conform to PDF/A-3a and to PDF/UA-1.

This module uses private parts of WeasyPrint, so the version is pinned. Each repair has a test.
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
# PDF/A requires an extension schema for each property that it does not define (ISO 19005-3,
# 6.6.2.3).
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
    """Add the identifier of PDF/UA to the one `rdf:RDF` of the metadata that readers look at."""
    generate: Callable[..., bytes] = document.metadata.generate_rdf_metadata
    end = b"</rdf:RDF>"

    def generate_with_identifier(*arguments: Any) -> bytes:
        return generate(*arguments).replace(end, _IDENTIFIER + end)

    document.metadata.generate_rdf_metadata = generate_with_identifier


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair:
    """Repairs of a PDF before it is written; a PDF `to_be_signed` gets a signature field."""

    to_be_signed: bool = False

    def __call__(self, document: Any, pdf: Any) -> None:
        """Repair the PDF; WeasyPrint calls this as its `finisher`."""
        root = _object(pdf, pdf.catalog["StructTreeRoot"])
        tree = dict(_descendants(pdf, root))
        for element in tree.values():
            match element["S"]:
                case "/TH":  # each header in our tables heads a column
                    element["A"]["Scope"] = "/Column"
                case "/L":  # its boxes are drawings: no numbers or bullets to read aloud
                    element["A"] = pydyf.Dictionary({"O": "/List", "ListNumbering": "/None"})
                case "/Figure":
                    _convert_box(pdf, element)
        for page_index, reference in enumerate(pdf.page_references):
            owners = _owners(pdf, page_index)
            contents = _object(pdf, _object(pdf, reference)["Contents"])
            _mark_margins(contents, owners, tree)
            text_extraction.write_actual_text(owners, contents, tree)
        text_extraction.map_codes(document, pdf)
        metadata = _object(pdf, pdf.catalog["Metadata"])
        metadata.compress = False  # archives and `/verify` read the metadata without a PDF reader
        _list_attachments_once(pdf)
        if self.to_be_signed:
            _add_signature_field(pdf)
        _compress_streams(pdf)


def _convert_box(pdf: Any, figure: Any) -> None:
    """Convert the box of a figure to points above the bottom of its page: left, bottom, right, top.

    WeasyPrint gives it in CSS pixels below the top.
    """
    _, _, _, height = _object(pdf, figure["Pg"])["MediaBox"]
    left, top, right, bottom = (length * POINTS for length in figure["A"]["BBox"])
    figure["A"]["BBox"][:] = left, height - bottom, right, height - top


def _mark_margins(contents: Any, owners: list[Any], tree: dict[bytes, Any]) -> None:
    """Mark the text in the margins of a page as pagination, which is not read aloud.

    Its owner is outside of the tag tree.
    """
    operators = contents.stream
    for index, operator in enumerate(operators):
        if isinstance(operator, dict) and owners[operator["MCID"]] not in tree:
            owners[operator["MCID"]] = "null"
            pagination = pydyf.Dictionary({"Type": "/Pagination"})
            operators[index - 1 : index + 1] = ["/Artifact", pagination]


def _owners(pdf: Any, page_index: int) -> list[Any]:
    """Return the tag that owns each marked part of a page, in the order of the parts' MCID."""
    root = _object(pdf, pdf.catalog["StructTreeRoot"])
    owners: list[Any] = _object(pdf, root["ParentTree"])["Nums"][2 * page_index + 1]
    return owners


def _list_attachments_once(pdf: Any) -> None:
    """List each attachment once, as the source of the document, with the media type of FHIR."""
    if "AF" not in pdf.catalog:
        return
    files = list(dict.fromkeys(pdf.catalog["AF"]))
    pdf.catalog["AF"] = pydyf.Array(files)
    for file in files:
        _object(pdf, _object(pdf, file)["EF"]["F"]).extra["Subtype"] = "/application#2Ffhir+json"


def _compress_streams(pdf: Any) -> None:
    """Compress each stream once.

    pydyf would compress it twice: to write it and to compute the identifier of the file.
    """
    for stream in pdf.objects:
        if isinstance(stream, pydyf.Stream) and stream.compress:
            whole = b"\n".join(map(pydyf._to_bytes, stream.stream))
            stream.stream = [zlib.compress(whole)]
            stream.compress = False
            stream.extra["Filter"] = "/FlateDecode"


def _add_signature_field(pdf: Any) -> None:
    """Add an invisible field to the first page and the tag tree, so that signing changes no tag."""
    page = _object(pdf, pdf.page_references[0])
    root = _object(pdf, pdf.catalog["StructTreeRoot"])
    numbers = _object(pdf, root["ParentTree"])["Nums"]
    document = _object(pdf, root["K"][0])
    key = max(numbers[::2]) + 1
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
            "StructParent": key,
        }
    )
    pdf.add_object(field)
    kid = pydyf.Dictionary({"Type": "/OBJR", "Obj": field.reference, "Pg": page.reference})
    element = pydyf.Dictionary(
        {
            "Type": "/StructElem",
            "S": "/Form",
            "P": document.reference,
            "Pg": page.reference,
            "K": pydyf.Array([kid]),
        }
    )
    pdf.add_object(element)
    document["K"].append(element.reference)
    numbers.extend([key, element.reference])
    page.setdefault("Annots", pydyf.Array()).append(field.reference)
    page["Tabs"] = "/S"
    pdf.catalog["AcroForm"] = pydyf.Dictionary(
        {"Fields": pydyf.Array([field.reference]), "SigFlags": 3}
    )


def _descendants(pdf: Any, element: Any) -> Iterator[tuple[bytes, Any]]:
    """Yield the reference of each element below this one in the tag tree, and the element."""
    for kid in element["K"]:
        if isinstance(kid, bytes) and _object(pdf, kid).get("Type") == "/StructElem":
            yield kid, _object(pdf, kid)
            yield from _descendants(pdf, _object(pdf, kid))


def _object(pdf: Any, reference: bytes) -> Any:
    return pdf.objects[int(reference.split()[0])]
