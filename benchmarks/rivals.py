"""The words of the same summary set by ReportLab and by Typst: the limit of what is possible, not the same document.

Neither page has tags, an attachment or a signature, and neither is laid out with the care of ours.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import segno
import typst
from reportlab.lib.colors import HexColor
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.platypus import Paragraph, SimpleDocTemplate, Spacer, Table

from screening.reports.summary import Summary


def reportlab_printer(fonts: Path) -> Callable[[Summary], bytes]:
    """A function that prints a summary with ReportLab."""
    pdfmetrics.registerFont(TTFont("FiraGO", fonts / "FiraGO_Regular.ttf"))
    pdfmetrics.registerFont(TTFont("FiraGO-Bold", fonts / "FiraGO_Bold.ttf"))
    body = ParagraphStyle("body", fontName="FiraGO", fontSize=8.5, leading=11)
    bold = ParagraphStyle("bold", parent=body, fontName="FiraGO-Bold", fontSize=10, leading=13)
    title = ParagraphStyle("title", parent=bold, fontSize=14, leading=17)
    lines = [
        ("LINEBELOW", (0, 0), (-1, -1), 0.3, HexColor("#777777")),
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
    ]

    def print_one(summary: Summary) -> bytes:
        identity = [summary.name, summary.born, summary.visit, summary.submitted, summary.reference]
        parts = [
            Paragraph(summary.title, title),
            Table([[Paragraph(one, bold) for one in identity]], style=lines),
        ]
        parts += [
            Paragraph(summary.headline, title),
            Paragraph(summary.sentence, body),
            Paragraph(summary.standing, bold),
        ]
        for one in summary.findings:
            parts += [Paragraph(f"{one.number}. {one.label} {one.title}", bold)]
            parts += [
                Paragraph(f"{one.reported} {one.reason} {one.source}", body),
                Paragraph(one.evidence, body),
            ]
        parts += [Paragraph(f"{one.number} {one.confirm}", body) for one in summary.findings]
        parts += [Paragraph(f"{text} {facts}", body) for text, facts in summary.checklist]
        rows = [
            [Paragraph(text, body) for text in (row.asked, row.answer, row.findings)]
            for row in summary.answers
        ]
        parts += [Table(rows, colWidths=[90 * mm, 80 * mm, 14 * mm], style=lines)]
        parts += [Paragraph(summary.not_screened, body), Spacer(1, 4 * mm)]
        parts += [Paragraph(line, body) for line in (*summary.provenance, summary.check_code)]
        written = io.BytesIO()
        SimpleDocTemplate(written, pagesize=A4, margin=13 * mm).build(parts)
        return written.getvalue()

    return print_one


def typst_printer(fonts: Path) -> Callable[[Summary], bytes]:
    """A function that prints a summary with Typst, whose compiler is kept."""
    source = """
#let it = json(bytes(sys.inputs.summary))
#set page(paper: "a4", margin: 13mm)
#set text(font: "FiraGO", size: 8.5pt)
#text(14pt, weight: "bold", it.title)
#table(columns: 5, ..it.identity.map(one => strong(one)))
#text(16pt, weight: "bold", it.headline)

#it.sentence

#strong(it.standing)
#for one in it.findings [
  *#one.at(0)*

  #one.at(1)

]
#for one in it.lines [- #one
]
#table(columns: (1fr, 1fr, 14mm), stroke: 0.3pt, ..it.answers.flatten())
#for one in it.provenance [#one

]
#image(bytes(it.qr), format: "svg", width: 20mm)
"""
    compiler = typst.Compiler(font_paths=[str(fonts)], ignore_system_fonts=True)

    def print_one(summary: Summary) -> bytes:
        content = {
            "title": summary.title,
            "identity": [
                summary.name,
                summary.born,
                summary.visit,
                summary.submitted,
                summary.reference,
            ],
            "headline": summary.headline,
            "sentence": summary.sentence,
            "standing": summary.standing,
            "findings": [
                (
                    f"{one.number}. {one.label} {one.title}",
                    f"{one.reported} {one.reason} {one.source} {one.evidence}",
                )
                for one in summary.findings
            ],
            "lines": [one.confirm for one in summary.findings]
            + [text for text, _ in summary.checklist],
            "answers": [(row.asked, row.answer, row.findings) for row in summary.answers],
            "provenance": [summary.not_screened, *summary.provenance, summary.check_code],
            "qr": segno.make(summary.verify_at, error="m", micro=False).svg_inline(),
        }
        printed: bytes = compiler.compile(
            source.encode(), sys_inputs={"summary": json.dumps(content)}
        )
        return printed

    return print_one
