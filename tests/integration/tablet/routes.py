"""Who may open what on a tablet: see test_security.py."""

ROUTES = {
    "tablet.static": "everyone: style sheets and scripts, nothing personal",
    "tablet.begin": "prescriber, staff",
    "tablet.page": "everyone: who has no tablet is led to start one",
    "tablet.hand_over": "the browser of a tablet, after its PIN",
    "tablet.lock": "the browser of a tablet",
    "tablet.unlock": "the browser of a tablet",
    "tablet.end": "the browser of a tablet, after its PIN or its time",
}
