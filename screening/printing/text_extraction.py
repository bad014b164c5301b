"""Make text that is copied from a PDF, or read aloud, the text as written, in its order.

WeasyPrint 70 maps each glyph to the text for which it was first drawn. Where glyphs are reordered,
joined or split, that text is wrong in the next word. This module maps each glyph to its own part of
the text, under another code where it needs one, and writes the whole text into the tag tree.
It uses private parts of WeasyPrint, as conformance.py does.
"""

import re
from collections.abc import Iterator
from itertools import groupby, pairwise
from typing import Any

import pydyf

from screening.reports.bidi import has_right_to_left

LAST_SIMPLE = "\u02ff"  # each character up to this one is drawn as one glyph
ZERO_WIDTH_NON_JOINER = 0x200C  # its glyph is empty and has no width
ZERO_WIDTH_SPACE = "\u200b"  # the text of a glyph without text of its own: PDF/UA requires some
HIGHEST_CODE = 0xFFFF  # in a PDF
RESERVED_CODES = 4096  # after the glyphs: WeasyPrint uses them for characters that a font lacks
_WITHOUT_DIRECTION_MARKS = dict.fromkeys(
    map(ord, "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
)
_MIRRORED = str.maketrans("()[]{}<>«»", ")(][}{><»«")  # readers mirror these again
_GLYPHS = re.compile(rb"<([0-9a-f]+)>")


def install() -> None:
    """Make WeasyPrint record the text of each line that it draws. Later calls do nothing."""
    from weasyprint.draw import text
    from weasyprint.text.ffi import ffi

    draw = text.draw_first_line
    if draw.__module__ == __name__:
        return
    ffi.cdef(
        "int hb_font_get_nominal_glyph("
        "hb_font_t *font, hb_codepoint_t character, hb_codepoint_t *glyph);"
    )

    def draw_first_line(stream: Any, box: Any, *arguments: Any) -> Any:
        if max(box.text, default="") <= LAST_SIMPLE:
            return draw(stream, box, *arguments)
        start = len(stream.stream)
        mapped = {font: set(font.to_unicode) for font in stream._fonts.values()}
        emojis = draw(stream, box, *arguments)
        codes = []
        is_simple = True
        for font, glyphs in _glyphs(stream, box):
            glyphs_mapped = mapped.setdefault(font, set())
            numbers = [_code(font, glyph, part, glyphs_mapped) for glyph, part in glyphs]
            codes.append(b"".join(b"%04x" % number for number in numbers))
            is_simple = is_simple and len(glyphs) == len(glyphs[0][1]) == 1
        stream.stream[start:] = _with_codes(stream.stream[start:], codes)
        line = box.text.translate(_WITHOUT_DIRECTION_MARKS)
        is_right_to_left = has_right_to_left(line)
        if is_right_to_left or not is_simple:
            vars(stream).setdefault("lines", {})[stream._tags[box]["mcid"]] = line
        # not for text from right to left: readers would reverse it a second time
        if not is_right_to_left and not is_simple:
            marked = next(item for item in reversed(stream.stream) if isinstance(item, dict))
            marked["ActualText"] = pydyf.String(line)
        return emojis

    text.draw_first_line = draw_first_line


def write_actual_text(owners: list[Any], contents: Any, tree: dict[bytes, Any]) -> None:
    """Write the recorded lines of a page into the tags that own them."""
    for mcid, line in vars(contents).get("lines", {}).items():
        if owners[mcid] in tree:
            tree[owners[mcid]]["ActualText"] = pydyf.String(line)


def map_codes(document: Any, pdf: Any) -> None:
    """Add to each font with codes of our own the table that gives the glyph of each code."""
    own = {font.name: font for font in document.fonts.values() if vars(font).get("codes")}
    for item in pdf.objects:
        if not isinstance(item, pydyf.Dictionary) or item.get("Subtype") != "/Type0":
            continue
        if (font := own.get(item["BaseFont"])) is None:
            continue
        glyphs = {code: code for code in font.to_unicode}
        glyphs |= {code: glyph for (glyph, _), code in font.codes.items()}
        table = (glyphs.get(code, 0).to_bytes(2, "big") for code in range(max(glyphs) + 1))
        stream = pydyf.Stream([b"".join(table)], compress=True)
        pdf.add_object(stream)
        descendant = pdf.objects[int(item["DescendantFonts"][0].split()[0])]
        descendant["CIDToGIDMap"] = stream.reference


def _glyphs(stream: Any, box: Any) -> Iterator[tuple[Any, list[tuple[int, str]]]]:
    """Yield for each glyph of a line, from left to right, its font and a list: glyph and text.

    If text is left over, the list goes on with empty glyphs that stand for the rest.
    """
    from weasyprint.text.ffi import ffi, pango

    written = box.pango_layout.text.encode()
    run = box.pango_layout.get_first_line()[0].runs[0]
    while run != ffi.NULL:
        item = run.data.item
        shaped = run.data.glyphs
        run = run.next
        font, _size = stream.add_font(item.analysis.font)
        # WeasyPrint would embed all of a font of which nothing is drawn, such as for marks.
        if not font.to_unicode:
            font.to_unicode[0] = ZERO_WIDTH_SPACE
        step = -1 if item.analysis.level % 2 else 1
        clusters = [shaped.log_clusters[index] for index in range(shaped.num_glyphs)]
        starts = [*sorted(set(clusters)), item.length]
        ends = dict(pairwise(starts))
        for start, indices in groupby(range(len(clusters)), clusters.__getitem__):
            cluster = written[item.offset + start : item.offset + ends[start]].decode()
            text = cluster.translate(_WITHOUT_DIRECTION_MARKS)
            if step < 0:
                text = text.translate(_MIRRORED)
            glyphs = [shaped.glyphs[index].glyph for index in indices]
            glyphs = [glyph for glyph in glyphs if glyph != pango.PANGO_GLYPH_EMPTY]
            drawn = [
                font.missing.get(glyph - pango.PANGO_GLYPH_UNKNOWN_FLAG, glyph)
                for glyph in glyphs[::step]
            ]
            shares = [[(glyph, text[index : index + 1])] for index, glyph in enumerate(drawn)]
            if shares and (rest := text[len(drawn) :]):
                empty = _empty_glyph(font) if step < 0 else 0
                if empty:  # readers reverse the characters of the rest one by one
                    shares[-1] += [(empty, character) for character in rest]
                else:
                    shares[-1] = [(drawn[-1], text[len(drawn) - 1 :])]
            for share in shares[::step]:
                yield font, share[::step]


def _empty_glyph(font: Any) -> int:
    """Return the number of an empty glyph of the font, or 0 if it has none."""
    from weasyprint.text.ffi import ffi, harfbuzz

    glyph = ffi.new("hb_codepoint_t *")
    if harfbuzz.hb_font_get_nominal_glyph(font.hb_font, ZERO_WIDTH_NON_JOINER, glyph):
        font.widths.setdefault(glyph[0], 0)
        font.to_unicode.setdefault(glyph[0], chr(ZERO_WIDTH_NON_JOINER))
    return int(glyph[0])


def _code(font: Any, glyph: int, text: str, mapped: set[int]) -> int:
    """Return the code of a glyph that stands for this text.

    It is the number of the glyph, unless the glyph is already `mapped` to another text.
    """
    text = text or ZERO_WIDTH_SPACE
    if glyph >= font.glyph_count:
        return glyph
    codes: dict[tuple[int, str], int] = vars(font).setdefault("codes", {})
    code: int = codes.get((glyph, text), font.glyph_count + RESERVED_CODES + len(codes))
    # The font for Chinese, Japanese and Korean, without "glyf", has one glyph for each character.
    if "glyf" not in font.tables or code > HIGHEST_CODE:
        font.to_unicode[glyph] = font.to_unicode[glyph] or text
        return glyph
    if glyph not in mapped:
        mapped.add(glyph)
        font.to_unicode[glyph] = text
    if font.to_unicode[glyph] == text:
        return glyph
    codes[glyph, text] = code
    font.to_unicode[code] = text
    font.widths[code] = font.widths[glyph]
    return code


def _with_codes(operators: list[Any], codes: list[bytes]) -> Iterator[Any]:
    """Yield the operators that draw a line, with our codes in place of each glyph's number."""
    remaining = iter(codes)

    def replace(glyphs: re.Match[bytes]) -> bytes:
        return b"<%s>" % b"".join(next(remaining) for _ in glyphs[1][::4])

    for operator in operators:
        if isinstance(operator, bytes) and operator.endswith(b"] TJ"):
            yield _GLYPHS.sub(replace, operator)
        else:
            yield operator
