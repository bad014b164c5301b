"""A prescriber's day: find, read, clarify and decide on screenings, and lose no typed text."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from urllib.parse import unquote

from playwright.sync_api import Page

from tests.browser import colleague, journey
from tests.browser.colleague import PRIMARY, RECORD
from tests.browser.journey import ALL_NO, OpenPage, Person
from tests.browser.server import LiveServer

PATIENT = Person(
    name="Ñandúbay O'Hara <b>عمر</b>", day="29", month="2", year="1956", visit="V-9917 & <i>co</i>"
)
NOTE = 'First line\nsecond "line" & <b>more</b>, ¡ñ! عمر'
CLARIFY = 'a[href*="/clarify/pregnancy"]'
WORDS_OF_SEVERITY = ("contraindicat", "caution", "clarify", "finding", "severe", "outcome")
ARRIVED = "[data-arrivals]"


def test_from_the_first_sign_in_to_the_decision(open_page: OpenPage, server: LiveServer) -> None:
    patient = open_page()
    journey.jump_to(patient, "check", {**ALL_NO, "pregnancy": "unsure"}, PATIENT)
    reference = journey.send(patient)

    page = open_page(viewport=colleague.DESK)
    newcomer = colleague.add(server, "prescriber")
    colleague.sign_in(page, newcomer.name, newcomer.password)
    page.goto("/clinic/")
    assert journey.path(page) == "/account/password"
    colleague.choose_password(page, newcomer.password)
    assert journey.path(page) == "/account/"

    journey.press(page, 'nav.sections a[href="/clinic/"]')
    line = colleague.row(page, reference)
    assert line.locator(".outcome-tag.clarify").count() == 1
    assert line.locator("td:last-child").inner_text() == "New"
    assert line.locator("bdi").all_text_contents() == [PATIENT.name, PATIENT.visit]

    journey.press(page, f'.inbox a[href*="{reference}"]')
    assert page.locator("h1").text_content() == PATIENT.name
    assert (colleague.outcome(page), colleague.status(page)) == ("clarify", "Opened")
    journey.press(page, f"{CLARIFY} >> nth=0")
    page.check("[name=pregnancy][value=no]")
    page.check("[name=pregnancy_planned][value=yes]")
    page.fill("[name=why]", NOTE)
    journey.press(page, PRIMARY)
    assert journey.path(page) == f"/clinic/screenings/{reference}"
    assert (colleague.outcome(page), colleague.status(page)) == ("caution", "Opened")
    (clarified,) = colleague.entries(page)
    assert NOTE in clarified
    established = page.locator(".all-answers tr", has=page.locator(CLARIFY)).first
    assert "I am not sure" in established.inner_text()  # the patient's own answer stays
    assert f"Dr {newcomer.name}" in established.locator(".established").inner_text()

    colleague.fill_decision(page, "proceed_with_changes", note=NOTE)
    journey.press(page, RECORD)
    assert (colleague.outcome(page), colleague.status(page)) == ("caution", "Reviewed")
    assert colleague.entries(page)[0] == clarified
    assert NOTE in colleague.entries(page)[1]
    assert f"Dr {newcomer.name}" in colleague.entries(page)[1]

    journey.press(page, journey.BACK)
    assert colleague.row(page, reference).count() == 0
    page.goto("/clinic/?show=reviewed")
    line = colleague.row(page, reference)
    assert line.locator(".outcome-tag.caution").count() == 1
    assert line.locator("td:last-child").inner_text() == "Reviewed"


def test_proceeding_past_a_contraindication_asks_for_a_reason(
    open_page: OpenPage, server: LiveServer
) -> None:
    page = colleague.at_work(open_page, server, "prescriber")
    colleague.read(page, colleague.arrive(server, name="Contra Indicated", pregnancy="yes"))
    colleague.fill_decision(page, "proceed", note=NOTE)
    typed = colleague.held(page, "form.review")
    journey.press(page, RECORD)
    assert page.locator(".error-summary a").evaluate_all(
        "links => links.map(link => link.hash)"
    ) == ["#reason"]
    assert colleague.held(page, "form.review") == typed
    assert colleague.entries(page) == []
    page.fill("[name=reason]", "Discussed at length")
    journey.press(page, RECORD)
    (entry,) = colleague.entries(page)
    assert "Discussed at length" in entry
    assert NOTE in entry
    assert colleague.status(page) == "Reviewed"


def test_a_deferral_needs_a_later_day_and_is_found_under_its_filter(
    open_page: OpenPage, server: LiveServer
) -> None:
    page = colleague.at_work(open_page, server, "prescriber")
    reference = colleague.arrive(server, name="Deferred Patient", infection="yes")
    colleague.read(page, reference)
    today = datetime.now(UTC).date()
    for day in ("", today.isoformat()):
        colleague.fill_decision(page, "defer", until=day, note=NOTE)
        typed = colleague.held(page, "form.review")
        journey.press(page, RECORD)
        assert page.get_attribute(".error-summary a", "href") == "#until"
        assert colleague.held(page, "form.review") == typed
    later = today + timedelta(days=7)
    page.fill("[name=until]", later.isoformat())
    journey.press(page, RECORD)
    assert f"{later:%d-%b-%Y}" in colleague.entries(page)[0]

    page.goto("/clinic/")
    assert colleague.row(page, reference).count() == 0
    page.select_option("[name=show]", "deferred")
    journey.press(page, ".filters button")
    assert "Deferred until" in colleague.row(page, reference).locator("td:last-child").inner_text()


def test_searching_leads_to_a_patient_and_no_address_holds_the_words(
    open_page: OpenPage, server: LiveServer
) -> None:
    reference = colleague.arrive(
        server, name=PATIENT.name, visit=PATIENT.visit, birth_date=date(1956, 2, 29)
    )
    page = colleague.at_work(open_page, server, "prescriber")
    addresses: list[str] = []
    page.on("request", lambda request: addresses.append(unquote(request.url).casefold()))
    page.goto("/clinic/")
    for typed in (
        "NANDUBAY",
        "o'hara ñandúbay",
        "29.2.1956",
        "1956-02-29",
        PATIENT.visit,
        reference.lower(),
    ):
        page.fill("[name=search]", typed)
        addresses.clear()
        journey.press(page, ".search button")
        assert reference in colleague.references(page), typed
        assert page.input_value("[name=search]") == typed
        # shorter ones may occur by chance
        words = [word.casefold() for word in typed.split() if len(word) > 4]
        assert [address for address in addresses if any(word in address for word in words)] == []
    page.fill("[name=search]", reference)
    journey.press(page, ".search button")
    journey.press(page, ".inbox a")
    journey.go_back(page)
    assert colleague.references(page) == [reference]
    assert page.input_value("[name=search]") == reference
    page.fill("[name=search]", "Nobody of that name")
    journey.press(page, ".search button")
    assert colleague.references(page) == []
    assert page.locator(".nothing").count() == 1


def test_the_filter_is_in_the_address_and_survives_back(
    open_page: OpenPage, server: LiveServer
) -> None:
    contra = colleague.arrive(server, name="Filtered In", pregnancy="yes")
    caution = colleague.arrive(server, name="Filtered Out", vaccines="yes")
    page = colleague.at_work(open_page, server, "prescriber")
    chosen = {
        "show": "all",
        "outcome": "contraindication",
        "since": datetime.now(UTC).date().isoformat(),
        "to": "",
    }
    page.goto("/clinic/")
    page.select_option("[name=show]", chosen["show"])
    page.select_option("[name=outcome]", chosen["outcome"])
    page.fill("[name=since]", chosen["since"])
    journey.press(page, ".filters button")
    address = page.url
    listed = colleague.references(page)
    assert contra in listed
    assert caution not in listed
    journey.press(page, f'.inbox a[href*="{contra}"]')
    journey.go_back(page)
    assert page.url == address
    assert set(listed) <= set(colleague.references(page))
    assert chosen.items() <= dict(colleague.held(page, ".filters")).items()
    again = page.context.new_page()  # as from a bookmark
    again.goto(address)
    assert set(listed) <= set(colleague.references(again))
    assert chosen.items() <= dict(colleague.held(again, ".filters")).items()


def test_new_arrivals_are_announced_without_moving_the_page(
    open_page: OpenPage, server: LiveServer
) -> None:
    colleague.arrive(server, name="Early Patient", pregnancy="yes")
    page = colleague.at_work(
        open_page, server, "prescriber", viewport={"width": 1280, "height": 500}
    )
    page.goto("/clinic/")
    # a screen reader reads only changes of a region that was there before
    assert page.get_by_role("status").count() == 1
    page.fill("[name=search]", "Half a na")
    before = shown(page)
    colleague.arrive(server, name="Late Patient")
    assert announced(page, "1") == before
    reference = colleague.arrive(server, name="Later Patient")
    assert announced(page, "2") == before
    journey.press(page, f"{ARRIVED} a")
    assert reference in colleague.references(page)
    assert page.locator(f"{ARRIVED} a").is_hidden()


def test_the_pdf_opens_inline_or_is_saved(open_page: OpenPage, server: LiveServer) -> None:
    page = colleague.at_work(open_page, server, "prescriber")
    reference = colleague.arrive(server, name="Printed Patient")
    colleague.read(page, reference)
    links = page.locator(".links a[href*='summary.pdf']").evaluate_all(
        "links => links.map(link => link.href)"
    )
    for link, disposition in zip(links, ("inline", "attachment"), strict=True):
        answer = page.request.get(link)
        assert answer.headers["content-type"] == "application/pdf"
        assert (
            answer.headers["content-disposition"]
            == f"{disposition}; filename=summary-{reference}.pdf"
        )
        assert answer.body().startswith(b"%PDF")


def test_the_patients_copy_tells_the_answers_and_no_severity(
    open_page: OpenPage, server: LiveServer
) -> None:
    page = colleague.at_work(open_page, server, "prescriber")
    answers = {"pregnancy": "yes", "iud": "unsure"}
    reference = colleague.arrive(server, name=PATIENT.name, **answers)
    colleague.read(page, reference)
    journey.press(page, '.links a[href$="/copy"]')
    assert journey.listed(page)[5:] == journey.expected_rows({**ALL_NO, **answers}, "en")
    text = page.content().casefold()
    assert [word for word in WORDS_OF_SEVERITY if word in text] == []
    journey.press(page, journey.BACK)
    assert journey.path(page) == f"/clinic/screenings/{reference}"
    colleague.read(page, colleague.arrive(server, name="Paciente", language="es", **answers))
    journey.press(page, '.links a[href$="/copy"]')
    assert page.get_attribute("html", "lang") == "es"
    assert journey.listed(page)[5:] == journey.expected_rows({**ALL_NO, **answers}, "es")


def test_the_statistics_show_the_same_figures_as_a_picture_and_as_a_table(
    open_page: OpenPage, server: LiveServer
) -> None:
    for number, answers in enumerate(
        ({"pregnancy": "yes"}, {"iud": "unsure"}, {"iud": "private"}, {"vaccines": "yes"})
    ):
        colleague.arrive(server, name=f"Counted {number}", **answers)
    page = colleague.at_work(open_page, server, "prescriber")
    page.goto("/clinic/statistics")
    drawn = bars(page)
    tabled = figures(page)
    assert drawn == tabled
    assert set(tabled) >= {"contraindication", "clarify", "caution"}
    left_open = (
        page.locator("table >> nth=1")
        .locator("tr", has_text="IUD use")
        .locator("td")
        .all_inner_texts()
    )
    unsure, private, missing = map(int, left_open)
    assert unsure >= 1
    assert private >= 1
    assert missing == 0


def shown(page: Page) -> tuple[float, str]:
    """Return the position of the first row of the inbox, and the text in the focused field."""
    first_row = "document.querySelector('.inbox tbody tr')"
    top, typed = page.evaluate(
        f"[{first_row}.getBoundingClientRect().top, document.activeElement.value]"
    )
    return top, typed


def announced(page: Page, count: str) -> tuple[float, str]:
    """Wait until the page announces `count` new screenings, and return what it shows."""
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    page.locator(f"{ARRIVED}:visible", has_text=count).wait_for()
    return shown(page)


def bars(page: Page) -> dict[str, int]:
    """Return the number of screenings of each outcome by the heights of the bars."""
    highest = int(page.locator(".chart text").first.text_content() or "")
    script = "bars => bars.map(bar => [bar.classList[1], bar.height.baseVal.value])"
    height = max(
        bottom
        for bottom in page.locator(".chart .bar").evaluate_all(
            "bars => bars.map(bar => bar.y.baseVal.value + bar.height.baseVal.value)"
        )
    )
    counted: dict[str, int] = {}
    for word, drawn in page.locator(".chart .bar").evaluate_all(script):
        counted[word] = counted.get(word, 0) + round(drawn / height * highest)
    return counted


def figures(page: Page) -> dict[str, int]:
    """Return the number of screenings of each outcome by the table of days.

    Its columns have the order of the legend.
    """
    words = page.locator(".legend .swatch").evaluate_all(
        "swatches => swatches.map(swatch => swatch.classList[1])"
    )
    rows = [
        line.locator("td").all_inner_texts()
        for line in page.locator("table >> nth=0").locator("tbody tr").all()
    ]
    sums = {word: sum(int(row[place]) for row in rows) for place, word in enumerate(words)}
    return {word: count for word, count in sums.items() if count}
