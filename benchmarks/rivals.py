"""The text of the same summary printed by ReportLab and by Typst, as a lower limit of the time.

Neither page has tags, an attachment or a signature, and both layouts are simpler than ours.
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
    """Return a function that prints a summary with ReportLab."""
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
        parts = [
            Paragraph(summary.title, title),
            Table([[Paragraph(text, bold) for text in _identity(summary)]], style=lines),
        ]
        parts += [
            Paragraph(summary.headline, title),
            Paragraph(summary.sentence, body),
            Paragraph(summary.standing, bold),
        ]
        for finding in summary.findings:
            parts += [
                Paragraph(f"{finding.number}. {finding.label} {finding.title}", bold),
                Paragraph(f"{finding.reported} {finding.reason} {finding.source}", body),
                Paragraph(finding.evidence, body),
            ]
        parts += [
            Paragraph(f"{finding.number} {finding.confirm}", body) for finding in summary.findings
        ]
        parts += [Paragraph(f"{text} {facts}", body) for text, facts in summary.checklist]
        rows = [
            [Paragraph(text, body) for text in (row.asked, row.answer, row.findings)]
            for row in summary.answers
        ]
        parts += [Table(rows, colWidths=[90 * mm, 80 * mm, 14 * mm], style=lines)]
        parts += [Paragraph(summary.not_screened, body), Spacer(1, 4 * mm)]
        parts += [Paragraph(text, body) for text in (*summary.provenance, summary.check_code)]
        buffer = io.BytesIO()
        SimpleDocTemplate(buffer, pagesize=A4, margin=13 * mm).build(parts)
        return buffer.getvalue()

    return print_one


def _identity(summary: Summary) -> list[str]:
    return [summary.name, summary.born, summary.visit, summary.submitted, summary.reference]


def typst_printer(fonts: Path) -> Callable[[Summary], bytes]:
    """Return a function that prints a summary with Typst; all calls share a compiler."""
    source = """
#let summary = json(bytes(sys.inputs.summary))
#set page(paper: "a4", margin: 13mm)
#set text(font: "FiraGO", size: 8.5pt)
#text(14pt, weight: "bold", summary.title)
#table(columns: 5, ..summary.identity.map(text => strong(text)))
#text(16pt, weight: "bold", summary.headline)

#summary.sentence

#strong(summary.standing)
#for finding in summary.findings [
  *#finding.at(0)*

  #finding.at(1)

]
#for point in summary.points [- #point
]
#table(columns: (1fr, 1fr, 14mm), stroke: 0.3pt, ..summary.answers.flatten())
#for paragraph in summary.provenance [#paragraph

]
#image(bytes(summary.qr), format: "svg", width: 20mm)
"""
    compiler = typst.Compiler(font_paths=[str(fonts)], ignore_system_fonts=True)

    def print_one(summary: Summary) -> bytes:
        content = {
            "title": summary.title,
            "identity": _identity(summary),
            "headline": summary.headline,
            "sentence": summary.sentence,
            "standing": summary.standing,
            "findings": [
                (
                    f"{finding.number}. {finding.label} {finding.title}",
                    f"{finding.reported} {finding.reason} {finding.source} {finding.evidence}",
                )
                for finding in summary.findings
            ],
            "points": [
                *(finding.confirm for finding in summary.findings),
                *(text for text, _ in summary.checklist),
            ],
            "answers": [(row.asked, row.answer, row.findings) for row in summary.answers],
            "provenance": [summary.not_screened, *summary.provenance, summary.check_code],
            "qr": segno.make(summary.verify_at, error="m", micro=False).svg_inline(),
        }
        inputs = {"summary": json.dumps(content)}
        printed: bytes = compiler.compile(source.encode(), sys_inputs=inputs)
        return printed

    return print_one
