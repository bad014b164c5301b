"""Several printed summaries as one file, with a bookmark for each.

The tags of each page and the conformance to PDF/A-3a and PDF/UA-1 stay. Signatures and attached
files do not: they belong to the files that are joined.
"""

import re
from collections.abc import Sequence
from io import BytesIO
from typing import Any
from xml.sax.saxutils import escape

# The entries of the first catalog that hold for all files.
CATALOG_ENTRIES = ("/Lang", "/ViewerPreferences", "/MarkInfo", "/OutputIntents", "/Metadata")
_TITLE = re.compile(r"(?<=<dc:title>)(<rdf:Alt><rdf:li[^>]*>)[^<]*")


def joined(files: Sequence[tuple[str, bytes]], *, title: str) -> bytes:
    """Return one PDF of several that `renderer` made, each with the name of its bookmark."""
    # Imported where it is used: most processes never join.
    from pypdf import PdfReader, PdfWriter
    from pypdf.generic import ArrayObject, DictionaryObject, NameObject, NumberObject

    output = PdfWriter()
    catalog: Any = output.root_object
    tags = DictionaryObject({NameObject("/Type"): NameObject("/StructTreeRoot")})
    catalog[NameObject("/StructTreeRoot")] = output._add_object(tags)
    documents = ArrayObject()
    numbers = ArrayObject()  # the number of each page, then its tags
    for name, content in files:
        reader = PdfReader(BytesIO(content))
        before = len(output.pages)
        output.append(reader, outline_item=name, import_outline=False)
        # The tags refer to pages: pypdf knows which page of the output each of them has become.
        tree: Any = reader.root_object["/StructTreeRoot"].clone(output)
        pairs = tree["/ParentTree"]["/Nums"]
        of_number = dict(zip(pairs[::2], pairs[1::2], strict=True))
        for source, page in zip(reader.pages, output.pages[before:], strict=True):
            number = NumberObject(len(numbers) // 2)
            numbers += [number, of_number[source["/StructParents"]]]
            page[NameObject("/StructParents")] = number
            page.pop("/Annots", None)  # on our pages, only the field of a signature
        for document in tree["/K"]:
            element = document.get_object()
            element[NameObject("/P")] = tags.indirect_reference
            # without the tag of that field
            children = [tag for tag in element["/K"] if tag.get_object()["/S"] != "/Form"]
            element[NameObject("/K")] = ArrayObject(children)
            documents.append(document)
        for key in CATALOG_ENTRIES:
            if key not in catalog:
                catalog[NameObject(key)] = reader.root_object.raw_get(key).clone(output)
    tags[NameObject("/K")] = documents
    tags[NameObject("/ParentTree")] = DictionaryObject({NameObject("/Nums"): numbers})
    about = _TITLE.sub(
        lambda match: match[1] + escape(title), catalog["/Metadata"].get_data().decode()
    )
    catalog["/Metadata"].set_data(about.encode())
    catalog.pop("/AcroForm", None)
    output.metadata = None  # the metadata in the catalog say the same
    output.generate_file_identifiers()
    written = BytesIO()
    output.write(written)
    return written.getvalue()
