"""Documents for patients: the copy of their answers, paper form, leaflet, privacy notice."""

from flask import Blueprint, abort, render_template, request, url_for
from markupsafe import Markup
from werkzeug.wrappers import Response

from screening.domain.assessment import Screening
from screening.domain.rules import RuleBook
from screening.extensions import db
from screening.installation import current_installation
from screening.printing import paper as printed_paper
from screening.reports import paper
from screening.services import texts
from screening.web import language
from screening.web.errors import Page
from screening.web.patient.draft import what_was_sent
from screening.web.pdf import in_turn, pdf_response

blueprint = Blueprint("papers", __name__)


@blueprint.get("/copy")
def copy() -> Page:
    """Show the patient's copy of the answers."""
    return copy_page(
        what_was_sent(),
        language.book(),
        back=url_for("patient.done"),
        pdf=url_for("papers.copy_pdf"),
    )


@blueprint.get("/copy.pdf")
def copy_pdf() -> Page:
    """Return the patient's copy as a PDF."""
    return in_turn(
        lambda: copy_response(what_was_sent(), language.book()), back=url_for("papers.copy")
    )


def copy_response(screening: Screening, book: RuleBook) -> Response:
    """Return the copy of a screening as a PDF. Raises PrintingFailed."""
    installation = current_installation()
    if _with_answers():
        content = installation.printer.copy(screening, book)
    else:
        db.session.rollback()  # no transaction stays open while the page is printed
        content = printed_paper.copy(screening, book, installation.settings, answers=False).content
    return pdf_response(content, f"answers-{screening.reference}.pdf")


def _with_answers() -> bool:
    """Return whether the copy has the answers. A patient who shares a phone can leave them out."""
    return request.args.get("answers") != "no"


@blueprint.get("/paper/<kind>/<code>.pdf")
def blank(kind: str, code: str) -> Page:
    """Return the paper form or the leaflet in a language, also in large print, as a PDF."""
    installation = current_installation()
    if kind not in printed_paper.BLANKS or code not in installation.languages:
        abort(404)

    def make() -> Response:
        content = printed_paper.blank(kind, installation.books[code], installation.settings)
        return pdf_response(content, f"{kind}-{code}.pdf")

    return in_turn(make, back=url_for("patient.start"))


@blueprint.get("/leaflet")
def leaflet() -> Page:
    """Show the leaflet of the rule book about the medicine."""
    return render_template("patient/leaflet.html", book=language.book())


@blueprint.get("/privacy")
def privacy() -> Page:
    """Show the clinic's privacy notice."""
    return render_template("patient/privacy.html") if _own_words("privacy") else abort(404)


@blueprint.app_template_global("own_words")
def _own_words(place: str) -> Markup:
    """Return the clinic's own text for this place, in the language of the page."""
    html = texts.html(current_installation().settings.instance, place, language.chosen())
    return Markup(html)  # noqa: S704 - no raw HTML in it


def copy_page(screening: Screening, book: RuleBook, *, back: str, pdf: str) -> str:
    """Return the page with the copy of a screening, which has no outcome.

    `back` is the address of the page before it, `pdf` that of the same copy as a PDF.
    """
    particulars = paper.particulars(screening, book, current_installation().settings)
    about = [(name, value, "") for name, value in particulars]
    answered = paper.asked_and_answered(screening.answers, book) if _with_answers() else ()
    rows = [(asked, answer, "") for _question, asked, answer in answered]
    private = paper.private_label(book)
    pdf = pdf if _with_answers() else f"{pdf}?answers=no"
    return render_template(
        "patient/copy.html", about=about, rows=rows, back=back, pdf=pdf, private=private
    )
