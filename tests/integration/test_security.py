"""Headers, cookies, tokens and limits, tried on every route there is."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest
from flask import Flask
from werkzeug.routing import Rule

from screening.application import create_app
from screening.settings import Settings
from screening.web.errors import BEGINNINGS
from screening.web.headers import CONTENT_SECURITY_POLICY
from tests.integration.colleague import Colleague
from tests.integration.visitor import SAMPLE, Visitor


def of_features() -> Iterator[ModuleType]:
    """The rules of access of each feature, from its folder of tests."""
    for file in Path(__file__).parent.glob("*/routes.py"):
        yield import_module(f"tests.integration.{file.parent.name}.routes")


# Who may open what. A route that is not listed here fails the test below until someone has thought
# about it.
ROUTES = {
    "static": "everyone: style sheets and icons, nothing personal",
    "verify.ask": "everyone: reference, edition and time of a printed page, nothing personal",
    "verify.file": "everyone: as above",
    "health.alive": "everyone: says only that the process lives",
    "health.ready": "everyone: says only whether it can serve",
    "health.metrics": "whoever is on this machine or has the token in metrics.token: figures",
    "language.switch_page": "everyone",
    "cookies": "everyone: says only whether the browser keeps cookies",
    "patient.start": "everyone",
    "patient.begin": "everyone",
    "patient.resume_by_code": "everyone: shows only what this browser has typed there",
    "papers.leaflet": "everyone: the same for all",
    "papers.privacy": "everyone, where the clinic has written one; nobody else",
    "patient.resume": "the holder of the draft's token",
    "patient.about_you": "the holder of the draft's token",
    "patient.question": "the holder of the draft's token",
    "patient.check": "the holder of the draft's token",
    "patient.submit": "the holder of the draft's token",
    "patient.done": "the holder of the draft's token, for copy_minutes",
    "papers.copy": "the holder of the draft's token, for copy_minutes",
    "papers.copy_pdf": "the holder of the draft's token, for copy_minutes",
    "papers.blank": "everyone: the same for all",
    "patient.stop": "the holder of the draft's token",
    "patient.delete": "the holder of the draft's token",
    "patient.finish": "everyone: only forgets",
    "patient.finished": "everyone: the same for all",
    "patient.deleted": "everyone: the same for all",
    "security.login": "everyone",
    "security.logout": "whoever is signed in",
    "security.verify": "whoever is signed in",
    "security.change_password": "whoever is signed in",
    "security.two_factor_setup": "whoever is signed in",
    "security.two_factor_setup_validate": "whoever is signed in",
    "security.two_factor_token_validation": "whoever has just given the password",
    "security.two_factor_rescue": "nobody: not used",
    "security.tf_select": "nobody: not used",
    "security.mf_recovery": "whoever has just given the password",
    "security.mf_recovery_codes": "whoever is signed in",
    "security.wan_signin": "everyone",
    "security.wan_signin_response": "everyone",
    "security.wan_register": "whoever is signed in",
    "security.wan_register_response": "whoever is signed in",
    "security.wan_delete": "whoever is signed in",
    "account.own": "whoever is signed in",
    "account.end_sign_in": "whoever is signed in",
    "clinic.inbox": "prescriber, staff; an admin is led to the people",
    "clinic.search": "prescriber, staff",
    "clinic.arrivals": "prescriber, staff",
    "clinic.screening": "prescriber",
    "clinic.decide": "prescriber",
    "same_person.decide": "prescriber",
    "clinic.clarify": "prescriber",
    "clinic.summary_pdf": "prescriber",
    "clinic.copy": "prescriber",
    "clinic.statistics": "prescriber",
    "clinic.copy_pdf": "prescriber",
    "clinic.paper": "prescriber, staff",
    "announced.listed": "prescriber",
    "announced.acknowledge": "prescriber",
    "paper_entry.start": "prescriber, staff",
    "paper_entry.begin": "prescriber, staff",
    "paper_entry.resume": "prescriber, staff, who has begun the form",
    "paper_entry.about_you": "prescriber, staff, who has begun the form",
    "paper_entry.question": "prescriber, staff, who has begun the form",
    "paper_entry.check": "prescriber, staff, who has begun the form",
    "paper_entry.submit": "prescriber, staff, who has begun the form",
    "paper_entry.stop": "prescriber, staff, who has begun the form",
    "paper_entry.delete": "prescriber, staff, who has begun the form",
    "rule_book.shown": "prescriber, admin",
    "rule_book.pdf": "prescriber, admin",
    "rule_book.approve": "prescriber",
    "rule_book.withdraw": "prescriber",
    "clinic.retry": "prescriber, staff",
    "clinic.print_chosen": "prescriber",
    "fhir.definition": "everyone: it holds no patient",
    "admin.people": "admin",
    "admin.add_person": "admin",
    "admin.change_person": "admin",
    "admin.audit": "admin",
    "admin.settings": "admin",
    "admin.confirm_clock": "admin",
}
# Those of features stand with their tests.
for routes in of_features():
    ROUTES |= routes.ROUTES
ROLES = ("prescriber", "staff", "admin")


def rules(app: Flask) -> list[Rule]:
    return list(app.url_map.iter_rules())


def address(rule: Rule, reference: str = "0000-0000") -> str:
    path = rule.rule.replace("<path:filename>", "css/app.css").replace("<question_id>", "iud")
    return (
        path.replace("<reference>", reference)
        .replace("<sign_in_name>", "nobody")
        .replace("<invitation_id>", "0" * 32)
        .replace("<token>", "x")
        .replace("<digest>", "0" * 64)
        .replace("<approval_id>", "0" * 32)
        .replace("<kind>/<code>", "leaflet/en")
        .replace("<code>/<number>", "en/0")
        .replace("<kind>/<name>", "Questionnaire/azathioprine")
    )


def test_every_route_has_a_rule_of_access(sqlite_app: Flask) -> None:
    assert {rule.endpoint for rule in rules(sqlite_app)} == set(ROUTES)


def test_only_the_holder_of_the_token_sees_personal_pages(sqlite_app: Flask) -> None:
    visitor = Visitor(sqlite_app)
    visitor.fill_in(name="Marker Name")
    stranger = Visitor(sqlite_app)
    for rule in rules(sqlite_app):
        if "GET" in (rule.methods or ()) and not rule.endpoint.endswith("static"):
            assert b"Marker Name" not in stranger.get(address(rule)).data
            expected = (
                410
                if "holder" in ROUTES[rule.endpoint]
                else 404
                if "nobody" in ROUTES[rule.endpoint]
                else 200
            )
            assert stranger.page.status_code == expected, rule.endpoint
            if expected == 200 and rule.rule.startswith(("/clinic", "/admin", "/account")):
                assert stranger.path in ("/account/sign-in", "/account/passkey")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> tuple[Flask, str, dict[str, Colleague]]:
    """An application with one screening, and somebody of each role signed in."""
    settings = Settings(instance=tmp_path_factory.mktemp("house") / "instance")
    create_app(settings).test_cli_runner().invoke(args=["init"])
    app = create_app(settings)
    visitor = Visitor(app)
    visitor.fill_in(name="Marker Name")
    return app, visitor.send(), {role: Colleague(app, role, role) for role in ROLES}


@pytest.mark.parametrize(
    "endpoint",
    [name for name, who in ROUTES.items() if who.startswith(ROLES)],
)
@pytest.mark.parametrize("role", [*ROLES, "nobody"])
def test_role_by_route(
    house: tuple[Flask, str, dict[str, Colleague]], endpoint: str, role: str
) -> None:
    app, reference, colleagues = house
    client = colleagues[role] if role in colleagues else Visitor(app)
    for rule in (candidate for candidate in rules(app) if candidate.endpoint == endpoint):
        for method in (rule.methods or set()) - {"OPTIONS", "HEAD"}:
            if method == "GET":
                client.get(address(rule, reference))
            else:
                client.get("/account/")
                client.post(address(rule, reference))
            status = client.page.status_code
            if role == "nobody":
                assert (
                    (status, client.path) == (200, "/account/sign-in")
                    if method == "GET"
                    else status == 401
                )
            elif role in ROUTES[endpoint]:
                there = (404,) if "0" * 32 in address(rule) else ()  # nothing has this id
                assert status in (200, 409, *there), (method, client.text)
                assert client.path != "/account/sign-in"
            else:
                assert status == 403, (method, client.text)
            if role in ("admin", "nobody"):
                assert "Marker Name" not in client.page.text


def test_every_answer_carries_the_security_headers(sqlite_app: Flask) -> None:
    client = sqlite_app.test_client()
    for rule in rules(sqlite_app):
        for method in (rule.methods or set()) - {"OPTIONS"}:
            response = client.open(address(rule), method=method)
            assert response.headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
            assert response.headers["X-Content-Type-Options"] == "nosniff"
            assert response.headers["Referrer-Policy"] == "no-referrer"
            assert "Permissions-Policy" in response.headers
            if not rule.endpoint.endswith("static") and rule.endpoint != "fhir.definition":
                assert response.headers["Cache-Control"] == "no-store"
            response.close()


def test_a_value_within_a_text_of_a_page_stays_words(make_app: Callable[..., Flask]) -> None:
    page = Visitor(make_app(clinic_name="<b>Rash</b> & Sons")).page.text
    assert (
        "Only the team that treats you at &lt;b&gt;Rash&lt;/b&gt; &amp; Sons reads your answers."
        in page
    )


def test_pages_hold_no_script_and_no_inline_style(sqlite_app: Flask) -> None:
    visitor = Visitor(sqlite_app)
    visitor.fill_in()
    for path in ("/", "/about-you", "/questions/infection", "/check", "/leaflet"):
        page = visitor.get(path).text
        assert "<script" not in page
        assert "style=" not in page
        assert "http://" not in page.replace("http://www.w3.org/2000/svg", "")
        assert "https://" not in page


def test_nothing_changes_without_a_token(sqlite_app: Flask) -> None:
    visitor = Visitor(sqlite_app)
    visitor.fill_in()
    for rule in rules(sqlite_app):
        if "POST" in (rule.methods or ()):
            response = visitor.client.post(address(rule), data={"iud": "yes", "language": "es"})
            if rule.endpoint in BEGINNINGS:
                assert (response.status_code, response.location) == (303, address(rule)), (
                    "shown once more"
                )
                continue
            assert response.status_code == 400, rule.endpoint
            assert "open for too long" in response.text
    assert visitor.get("/check").status_code == 200
    assert "Check your answers" in visitor.text


def test_a_form_of_the_last_patient_is_refused_after_finish(sqlite_app: Flask) -> None:
    """On a shared tablet, Back and reload would send a patient's form into the next one's draft."""
    visitor = Visitor(sqlite_app)
    visitor.fill_in(name="First Patient")
    old_page = visitor.page
    visitor.send()
    visitor.post("/finish")
    visitor.begin(name="Second Patient")
    visitor.page = old_page
    assert visitor.post("/about-you", {**SAMPLE, "name": "First Patient"}).status_code == 400
    assert "Second Patient" in visitor.get("/about-you").text


@pytest.mark.parametrize("target", ["//[", "http://[::1", "/x y", "/\x00"])
def test_an_odd_address_to_return_to_leads_to_the_start(sqlite_app: Flask, target: str) -> None:
    visitor = Visitor(sqlite_app)
    assert visitor.post("/language", {"language": "es", "next": target}).status_code == 200
    assert visitor.path == "/"


def test_a_file_sent_for_a_text_is_nothing(sqlite_app: Flask) -> None:
    visitor = Visitor(sqlite_app)
    visitor.post("/")
    visitor.post("/about-you", {"name": (io.BytesIO(b"x"), "name.txt"), "birth_day": "1"})
    assert visitor.page.status_code == 200
    assert "Enter your name" in visitor.text


def test_a_token_of_another_browser_is_refused(sqlite_app: Flask) -> None:
    visitor = Visitor(sqlite_app)
    other = Visitor(sqlite_app)
    visitor.fill_in()
    visitor.page = other.page
    assert visitor.post("/submit").status_code == 400


@pytest.mark.parametrize(
    ("url", "prefix", "secure"),
    [("http://127.0.0.1:8000", "", False), ("https://localhost", "__Host-", True)],
)
def test_cookies_are_as_closed_as_the_connection_allows(
    make_app: Callable[..., Flask], url: str, prefix: str, secure: bool
) -> None:
    app = make_app(public_url=url)
    client = app.test_client()
    page = client.get("/", base_url="https://localhost").text
    token = page.split('name="csrf_token" value="')[1].split('"')[0]
    response = client.post("/", data={"csrf_token": token}, base_url="https://localhost")
    (draft,) = [cookie for cookie in response.headers.getlist("Set-Cookie") if "draft=" in cookie]
    assert draft.startswith(f"{prefix}draft=")
    assert "HttpOnly" in draft
    assert "SameSite=Lax" in draft
    assert "Path=/" in draft
    assert "Domain" not in draft
    assert ("Secure" in draft) is secure
    assert app.config["SESSION_COOKIE_SECURE"] is secure
    assert ("Strict-Transport-Security" in response.headers) is secure


def test_another_host_is_refused_with_a_remedy(sqlite_app: Flask) -> None:
    response = sqlite_app.test_client().get("/", base_url="http://evil.example")
    assert response.status_code == 400
    assert "public_url" in response.text


def test_too_much_is_refused_with_a_clear_page(sqlite_app: Flask) -> None:
    visitor = Visitor(sqlite_app)
    visitor.begin()
    visitor.post("/questions/pregnancy", {"pregnancy": "no", "x": "y" * 100_000})
    assert visitor.page.status_code == 413
    assert "too much text" in visitor.text


def test_over_long_text_keeps_what_was_typed(sqlite_app: Flask) -> None:
    visitor = Visitor(sqlite_app)
    visitor.begin()
    visitor.answer({"pregnancy": {"pregnancy": "yes"}, "breastfeeding": {"breastfeeding": "no"}})
    typed = "word " * 101
    visitor.post("/questions/infection", {"infection": "yes", "infection_since": typed})
    assert "Write a little less: at most 500 letters" in visitor.text
    assert typed.strip() in visitor.text


@pytest.mark.parametrize("value", ["maybe", "", "YES", "yes\x00", "<script>"])
def test_a_choice_that_is_not_offered_is_refused(sqlite_app: Flask, value: str) -> None:
    visitor = Visitor(sqlite_app)
    visitor.begin()
    visitor.post("/questions/pregnancy", {"pregnancy": value})
    assert visitor.path == "/questions/pregnancy"
    assert (
        "Select whether you are pregnant. If you do not know, choose “I am not sure”"
        in visitor.text
    )


def test_the_database_being_away_is_a_kind_page(sqlite_app: Flask) -> None:
    visitor = Visitor(sqlite_app)
    visitor.fill_in()
    with sqlite_app.app_context():
        from screening.extensions import db

        db.session.connection().exec_driver_sql("ALTER TABLE drafts RENAME TO elsewhere")
        db.session.commit()
    visitor.post("/submit")
    assert visitor.page.status_code == 500
    assert "Something went wrong on our side" in visitor.text
