"""The account of the signed-in person."""

from flask import Blueprint, redirect, render_template, request, session, url_for
from flask_security import current_user
from werkzeug.wrappers import Response

from screening.extensions import db
from screening.services import people
from screening.storage.drafts import hash_token
from screening.web.sign_in.guards import current_actor, needs

blueprint = Blueprint("account", __name__, url_prefix="/account")


@blueprint.get("/")
@needs()
def own() -> str:
    """Show the account: password, second factor, sign-ins."""
    return render_template(
        "clinic/account.html",
        sign_ins=people.own_sign_ins(db.session, current_user),
        this_one=hash_token(session["sign_in"]),
    )


@blueprint.post("/sign-ins/end")
@needs()
def end_sign_in() -> Response:
    """End one sign-in of the signed-in person."""
    people.end(
        current_actor(), current_user.sign_in_name, token_hash=request.form.get("sign_in", "")
    )
    return redirect(url_for("account.own"), code=303)
