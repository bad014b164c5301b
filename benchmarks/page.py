"""A question page, with the draft loaded and decrypted, compared to a bare page of Flask-WTF."""

from __future__ import annotations

import secrets
import time
from datetime import UTC, datetime, timedelta

from flask import Flask, render_template
from flask.testing import FlaskClient
from flask_wtf import FlaskForm
from jinja2 import DictLoader
from wtforms import RadioField

from benchmarks.installed import installed
from benchmarks.timing import Side, Table, fastest, milliseconds, take_turns
from benchmarks.usual_case import usual_patient
from screening.domain.answers import read_answers
from screening.extensions import db
from screening.installation import current_installation
from screening.services import questionnaire
from screening.storage.audit import Actor
from screening.storage.drafts import Draft

ROUNDS = 400
QUICK_ROUNDS = 40
REQUESTS = 5  # in a row; the fastest counts
WARM_UP = 10
QUESTION = "infection"
# the pages before the question
ANSWERED = {"pregnancy": "no", "pregnancy_planned": "no", "breastfeeding": "no"}
NUMBER = 17
DRAFT_COOKIE = "draft"  # its name without TLS

_BARE_TEMPLATE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>{{ form.answer.label.text }}</title></head>
<body>
<h1>{{ form.answer.label.text }}</h1>
<form method="post">
{{ form.hidden_tag() }}
{% for choice in form.answer %}
<p>{{ choice }} {{ choice.label }}</p>
{% endfor %}
<button type="submit">Continue</button>
</form>
</body>
</html>
"""


class BareForm(FlaskForm):  # type: ignore[misc]
    """A form with the same question and nothing else."""

    answer = RadioField(
        "Do you have an infection now?",
        choices=[
            ("yes", "Yes"),
            ("no", "No"),
            ("unsure", "I am not sure"),
            ("private", "I would rather tell staff in private"),
        ],
    )


def measure(quick: bool) -> Table:
    """Time a GET of both pages, through Flask's test client."""
    with installed() as app:
        token = begin_draft(app)
        client = app.test_client()
        bare_client = bare_app().test_client()
        client.set_cookie(DRAFT_COOKIE, token)
        bare_client.set_cookie(DRAFT_COOKIE, token)
        address = f"/questions/{QUESTION}"
        sides = [
            Side(name="a question page", run=lambda: _processor_time(client, address)),
            Side(name="a bare page", run=lambda: _processor_time(bare_client, "/")),
        ]
        rounds = QUICK_ROUNDS if quick else ROUNDS
        ours, bare = take_turns("page", sides, rounds=rounds, warm_up=WARM_UP)
    time_of_ours = milliseconds(ours.median)
    ratio = ours.ratio_to(bare)
    return Table(
        title="A question page",
        head=("Page", "median", "ratio to the bare page", "to reach"),
        rows=(
            ("Question page: draft loaded, decrypted", time_of_ours, ratio, "at most 2.0"),
            ("Bare Flask-WTF page: one field, CSRF", milliseconds(bare.median), "1", ""),
        ),
        notes=(
            f"{len(ours.seconds)} rounds, in turns; of {REQUESTS} requests in a row the fastest "
            "counts. The middle half of the ratios is in brackets. Times are of the processor: "
            "neither side waits for a disk.",
        ),
    )


def bare_app() -> Flask:
    """Return a Flask application with a form on a single page."""
    app = Flask("bare")
    app.config["SECRET_KEY"] = secrets.token_hex(32)
    app.jinja_loader = DictLoader({"bare.html": _BARE_TEMPLATE})

    @app.get("/")
    def page() -> str:
        return render_template("bare.html", form=BareForm())

    return app


def begin_draft(app: Flask) -> str:
    """Store a draft with answers up to the question, and return its token."""
    now = datetime.now(UTC)
    keep = timedelta(hours=4)
    with app.app_context():
        installation = current_installation()
        book = installation.books[installation.settings.languages[0]]
        actor = Actor(session=db.session, keys=installation.keys, now=now, by="patient")
        token = questionnaire.begin(actor, address="", keep=keep)
        answers = read_answers(book, ANSWERED)
        filled_in = Draft(patient=usual_patient(NUMBER), answers=answers)
        questionnaire.record(actor, token, lambda _: filled_in, keep=keep)
    return token


def _processor_time(client: FlaskClient, address: str) -> float:
    return fastest(lambda: _get(client, address), REQUESTS, time.thread_time)


def _get(client: FlaskClient, address: str) -> None:
    status = client.get(address).status_code
    if status != 200:
        raise RuntimeError(
            f"{address} answered {status}: the benchmark must prepare what the page needs"
        )
