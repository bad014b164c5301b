"""What patients can keep: the copy of their answers, the form on paper, the leaflet, the clinic's notice on privacy."""

from flask import Blueprint, abort, render_template, request, url_for
from markupsafe import Markup
from werkzeug.wrappers import Response

from screening.domain.assessment import Screening
from screening.domain.rules import RuleBook
from screening.extensions import db
from screening.installation import installation
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
    """The patient's own record of the answers."""
    return copy_page(
        what_was_sent(),
        language.book(),
        back=url_for("patient.done"),
        pdf=url_for("papers.copy_pdf"),
    )


@blueprint.get("/copy.pdf")
def copy_pdf() -> Page:
    """The same as a PDF."""
    return in_turn(
        lambda: copy_response(what_was_sent(), language.book()), back=url_for("papers.copy")
    )


def copy_response(screening: Screening, book: RuleBook) -> Response:
    """The patient's copy as a PDF. Raises PrintingFailed."""
    here = installation()
    if _with_answers():
        content = here.printer.copy(screening, book)
    else:
        db.session.rollback()  # nobody should wait for what is being printed
        content = printed_paper.copy(screening, book, here.settings, answers=False).content
    return pdf_response(content, f"answers-{screening.reference}.pdf")


def _with_answers() -> bool:
    """Whether a copy has the answers; those who share a phone may ask for one that has none."""
    return request.args.get("answers") != "no"


@blueprint.get("/paper/<kind>/<code>.pdf")
def blank(kind: str, code: str) -> Page:
    """The form for a pen, or the leaflet, in a language; some in large print."""
    here = installation()
    if kind not in printed_paper.BLANKS or code not in here.languages:
        abort(404)

    def make() -> Response:
        return pdf_response(
            printed_paper.blank(kind, here.books[code], here.settings), f"{kind}-{code}.pdf"
        )

    return in_turn(make, back=url_for("patient.start"))


@blueprint.get("/leaflet")
def leaflet() -> Page:
    """What the rule book tells patients about the medicine."""
    return render_template("patient/leaflet.html", book=language.book())


@blueprint.get("/privacy")
def privacy() -> Page:
    """What the clinic does with the answers, in its own words."""
    return render_template("patient/privacy.html") if _own_words("privacy") else abort(404)


@blueprint.app_template_global("own_words")
def _own_words(place: str) -> Markup:
    """What the clinic says in this place in the language of the page."""
    return Markup(texts.html(installation().settings.instance, place, language.chosen()))  # noqa: S704 - no raw HTML in it


def copy_page(screening: Screening, book: RuleBook, *, back: str, pdf: str) -> str:
    """The patient's record of the answers, without any outcome.

    `back` is where it was opened from.
    """
    about = [
        (name, value, "")
        for name, value in paper.particulars(screening, book, installation().settings)
    ]
    answered = paper.asked_and_answered(screening.answers, book) if _with_answers() else ()
    rows = [(asked, answer, "") for _question, asked, answer in answered]
    private = paper.private_label(book)
    pdf = pdf if _with_answers() else f"{pdf}?answers=no"
    return render_template(
        "patient/copy.html", about=about, rows=rows, back=back, pdf=pdf, private=private
    )
