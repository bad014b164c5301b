"""One visitor with many connections does not delay the pages of other patients."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.browsing import Patient, wrong_sign_ins
from tests.faults.crowd import crowd
from tests.faults.serving import served

SIGN_INS = 40  # connections
LOOKS = 60
AT_MOST = 0.5  # seconds that 95 of 100 pages of a patient may take


def slowest_but_few(patient: Patient) -> float:
    """Return the seconds within which 95 of 100 pages of this patient come."""
    return sorted(patient.waits("/questions/pregnancy", LOOKS))[round(0.95 * (LOOKS - 1))]


@pytest.mark.audit
@pytest.mark.parametrize("connections", [60, 400])
@pytest.mark.parametrize("path", ["/copy.pdf", "/paper/form/en.pdf", "/check"])
def test_many_connections_of_one_visitor(tmp_path: Path, connections: int, path: str) -> None:
    with served(tmp_path, prints=True) as server:
        patient = Patient(server.url, "patient")
        visitor = Patient(server.url, "crowd")
        patient.fill_in()
        visitor.fill_in()
        if path == "/copy.pdf":
            visitor.send()
        with crowd(server.address, connections, [visitor.asking(path)]) as answers:
            assert slowest_but_few(patient) <= AT_MOST
        assert answers.keys() <= {"200", "503"}
        assert path != "/check" or answers["200"] == answers.total()


@pytest.mark.audit
@pytest.mark.parametrize("visitors", [1, 40])
def test_many_who_sign_in_wrongly(tmp_path: Path, visitors: int) -> None:
    """Test before their address is refused, and afterwards."""
    with served(tmp_path, prints=True) as server:
        patient = Patient(server.url, "patient")
        patient.fill_in()
        requests = wrong_sign_ins(server.url, visitors)
        with crowd(server.address, SIGN_INS, requests) as answers:
            assert slowest_but_few(patient) <= AT_MOST
        assert answers.keys() == {"200"}
