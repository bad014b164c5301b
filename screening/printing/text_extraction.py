"""What is copied out of a PDF, or read aloud, is what was written, in its order.

WeasyPrint 70 tells readers what each glyph stood for where it was first drawn. Where glyphs change
their order, join or split, that is wrong for the next word. Here each glyph stands for its own part
of the text, by a code of its own where it needs one, and the tag tree holds the text as a whole.
Private parts of WeasyPrint are used, as in conformance.py.
"""

import re
from collections.abc import Iterator
from itertools import groupby, pairwise
from typing import Any

import pydyf

from screening.reports.bidi import has_right_to_left

SIMPLE = "\u02ff"  # up to here each letter is one glyph
NOTHING = 0x200C  # a character whose glyph is empty and takes no room
NO_LETTER = "\u200b"  # a second glyph for one letter must stand for something (PDF/UA)
LAST = 0xFFFF  # of the codes in a PDF
# WeasyPrint has numbers of its own, after those of the glyphs, for characters that a font lacks
ROOM = 4096
_NOT_SAID = dict.fromkeys(
    map(ord, "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
)
_MIRRORED = str.maketrans("()[]{}<>«»", ")(][}{><»«")  # readers turn these round again
_DRAWN = re.compile(rb"<([0-9a-f]+)>")


def install() -> None:
    """Let WeasyPrint note what each line that it draws says. Once in a process."""
    from weasyprint.draw import text
    from weasyprint.text.ffi import ffi

    draw = text.draw_first_line
    if draw.__module__ == __name__:
        return
    ffi.cdef(
        "int hb_font_get_nominal_glyph(hb_font_t *font, hb_codepoint_t letter, hb_codepoint_t *glyph);"
    )

    def draw_first_line(stream: Any, box: Any, *how: Any) -> Any:
        if max(box.text, default="") <= SIMPLE:
            return draw(stream, box, *how)
        begin = len(stream.stream)
        known = {font: set(font.to_unicode) for font in stream._fonts.values()}
        emojis = draw(stream, box, *how)
        codes = []
        is_simple = True
        for font, parts in _glyphs(stream, box):
            codes.append(
                b"".join(
                    b"%04x" % _code(font, *one, known.setdefault(font, set())) for one in parts
                )
            )
            is_simple = is_simple and len(parts) == len(parts[0][1]) == 1
        stream.stream[begin:] = _with_codes(stream.stream[begin:], codes)
        said = box.text.translate(_NOT_SAID)
        if (backwards := has_right_to_left(said)) or not is_simple:
            vars(stream).setdefault("said", {})[stream._tags[box]["mcid"]] = said
        # what is written from right to left, readers would turn round once more
        if not (backwards or is_simple):
            next(one for one in reversed(stream.stream) if isinstance(one, dict))["ActualText"] = (
                pydyf.String(said)
            )
        return emojis

    text.draw_first_line = draw_first_line


def say(owners: list[Any], drawn: Any, tree: dict[bytes, Any]) -> None:
    """Write into the elements of a page's tag tree what was noted about its lines."""
    for number, said in vars(drawn).get("said", {}).items():
        if owners[number] in tree:
            tree[owners[number]]["ActualText"] = pydyf.String(said)


def map_codes(document: Any, pdf: Any) -> None:
    """Tell readers which glyph our codes mean."""
    own = {font.name: font for font in document.fonts.values() if vars(font).get("codes")}
    for found in pdf.objects:
        if (
            isinstance(found, pydyf.Dictionary)
            and found.get("Subtype") == "/Type0"
            and found["BaseFont"] in own
        ):
            font = own[found["BaseFont"]]
            glyphs = {code: code for code in font.to_unicode} | {
                code: glyph for (glyph, _), code in font.codes.items()
            }
            table = (glyphs.get(code, 0).to_bytes(2, "big") for code in range(max(glyphs) + 1))
            stream = pydyf.Stream([b"".join(table)], compress=True)
            pdf.add_object(stream)
            descendant = pdf.objects[int(found["DescendantFonts"][0].split()[0])]
            descendant["CIDToGIDMap"] = stream.reference


def _glyphs(stream: Any, box: Any) -> Iterator[tuple[Any, list[tuple[int, str]]]]:
    """For each glyph that was drawn, from left to right: its font, and itself with the text that it stands for.

    Where there is more text than glyphs, a glyph that draws nothing stands for what is left of it.
    """
    from weasyprint.text.ffi import ffi, pango

    written = box.pango_layout.text.encode()
    run = box.pango_layout.get_first_line()[0].runs[0]
    while run != ffi.NULL:
        item = run.data.item
        shaped = run.data.glyphs
        run = run.next
        font, _size = stream.add_font(item.analysis.font)
        # WeasyPrint embeds the whole of a font of which nothing is drawn, as of marks
        if not font.to_unicode:
            font.to_unicode[0] = NO_LETTER
        step = -1 if item.analysis.level % 2 else 1
        places = [shaped.log_clusters[number] for number in range(shaped.num_glyphs)]
        starts = [*sorted(set(places)), item.length]
        ends = dict(pairwise(starts))
        for place, numbers in groupby(range(len(places)), places.__getitem__):
            part = (
                written[item.offset + place : item.offset + ends[place]]
                .decode()
                .translate(_NOT_SAID)
            )
            if step < 0:
                part = part.translate(_MIRRORED)
            glyphs = [shaped.glyphs[number].glyph for number in numbers]
            glyphs = [glyph for glyph in glyphs if glyph != pango.PANGO_GLYPH_EMPTY]
            drawn = [
                font.missing.get(glyph - pango.PANGO_GLYPH_UNKNOWN_FLAG, glyph)
                for glyph in glyphs[::step]
            ]
            shared = [[(glyph, part[number : number + 1])] for number, glyph in enumerate(drawn)]
            if shared and (rest := part[len(drawn) :]):
                nothing = _nothing(font) if step < 0 else 0
                if nothing:  # read letter by letter from the other side
                    shared[-1] += [(nothing, letter) for letter in rest]
                else:
                    shared[-1] = [(drawn[-1], part[len(drawn) - 1 :])]
            for one in shared[::step]:
                yield font, one[::step]


def _nothing(font: Any) -> int:
    """The glyph of the font that draws nothing; 0 if it has none."""
    from weasyprint.text.ffi import ffi, harfbuzz

    found = ffi.new("hb_codepoint_t *")
    if harfbuzz.hb_font_get_nominal_glyph(font.hb_font, NOTHING, found):
        font.widths.setdefault(found[0], 0)
        font.to_unicode.setdefault(found[0], chr(NOTHING))
    return int(found[0])


def _code(font: Any, glyph: int, text: str, known: set[int]) -> int:
    """The code by which a glyph stands for this text; its own number where it was not `known` with another."""
    text = text or NO_LETTER
    if glyph >= font.glyph_count:
        return glyph
    codes: dict[tuple[int, str], int] = vars(font).setdefault("codes", {})
    code: int = codes.get((glyph, text), font.glyph_count + ROOM + len(codes))
    # Chinese, Japanese, Korean: each letter has a glyph
    if "glyf" not in font.tables or code > LAST:
        font.to_unicode[glyph] = font.to_unicode[glyph] or text
        return glyph
    if glyph not in known:
        known.add(glyph)
        font.to_unicode[glyph] = text
    if font.to_unicode[glyph] == text:
        return glyph
    codes[glyph, text] = code
    font.to_unicode[code] = text
    font.widths[code] = font.widths[glyph]
    return code


def _with_codes(drawn: list[Any], codes: list[bytes]) -> Iterator[Any]:
    """What was drawn, with our code in place of each glyph."""
    left = iter(codes)
    for one in drawn:
        if isinstance(one, bytes) and one.endswith(b"] TJ"):
            yield _DRAWN.sub(
                lambda found: b"<%s>" % b"".join(next(left) for _ in found[1][::4]), one
            )
        else:
            yield one
