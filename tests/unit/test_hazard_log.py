"""The check of the hazard log tells each fault with its line and what to do.

`make check` runs it on the log of this project. A copy without a feature lacks some controls.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.check_hazards import LOG, SETTINGS, faults, main

SOUND = """# Hazard log

| likelihood | minor | major |
| --- | --- | --- |
| high | 2 | 4 |
| low | 1 | 3 |

| | hazard | severity | risk before | risk after |
| --- | --- | --- | ---: | ---: |
| [H01](#h01) | The wrong patient. | major | 4 | 3 |
| [H02](#h02) | A lost answer. | minor | 2 | 1 |

### H01

- **Hazard:** The wrong patient.
- **Cause:** Two patients
  have one name.
- **Effect:** They are mixed up.
- **Harm:** A wrong decision.
- **Severity:** major
- **Likelihood:** high before controls, low after
- **Risk:** 4 before controls, 3 after
- **Controls:**
  - The name stands on each page.
    `tests/unit/test_name.py::test_on_each_page`
    `tests/unit/test_name.py::TestInPrint::test_on_paper`
  - So does the guide. [Guide](guide.md)
- **Remains:** Nothing known.

### H02

- **Hazard:** A lost answer.
- **Cause:** A crash.
- **Effect:** It is gone.
- **Harm:** Loss of time.
- **Severity:** minor
- **Likelihood:** high before controls, low after
- **Risk:** 2 before controls, 1 after
- **Controls:**
  - Answers are kept. `setting: draft_hours`
  - A killed server loses none. `tests/unit/test_slow.py::test_killed`
    (in `make audit`)
- **Remains:** Nothing known.
"""
TESTS = """import pytest

def page(): ...

@pytest.mark.parametrize("page", [1, 2])
def test_on_each_page(page): ...

@pytest.mark.skip(reason="later")
def test_another(): ...

class TestInPrint:
    def test_on_paper(self): ...
"""
SLOW = """import pytest

pytestmark = pytest.mark.audit

def test_killed(): ...
"""
OPTIONS = """class Settings(Options):
    instance: Path
    draft_hours: Whole = setting(4, "hours")
"""
NAME = "tests/unit/test_name.py"
FIRST, SECOND = "### H01", "### H02"
NAMED = "  - The name stands on each page."
KEPT = "  - Answers are kept."
KILLED = "  - A killed server loses none."


def line_of(text: str) -> int:
    """Return the number of the line of the sound log that begins with the text."""
    return SOUND[: SOUND.index(f"\n{text}")].count("\n") + 2


def project(folder: Path, log: str = SOUND, **files: str) -> Path:
    """Return the folder of a project with a hazard log, a setting and some tests."""
    texts = {LOG: log, SETTINGS: OPTIONS, Path(NAME): TESTS, Path("tests/unit/test_slow.py"): SLOW}
    texts |= {Path("tests/unit") / f"{name}.py": text for name, text in files.items()}
    for path, text in texts.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    return folder


def test_a_sound_log_has_no_fault(tmp_path: Path) -> None:
    assert faults(project(tmp_path)) == []


@pytest.mark.parametrize(
    ("old", "new", "place", "fault"),
    [
        ("test_name.py::test_on_each", "test_gone.py::test_on_each", NAMED, "there is no file of"),
        ("::test_on_each_page", "::test_gone", NAMED, f"{NAME} has no test test_gone; name"),
        ("::test_on_each_page", "::page", NAMED, f"{NAME} has no test page; name"),
        (
            "::test_on_each_page",
            "::test_on_paper",
            NAMED,
            f"{NAME} has no test test_on_paper; name",
        ),
        ("::TestInPrint::test_on_paper", "::TestInPrint", NAMED, "has no test TestInPrint; name"),
        ("::test_on_each_page", "::test_another", NAMED, f"{NAME}::test_another can be skipped"),
        ("setting: draft_hours", "setting: draft_days", KEPT, "there is no setting draft_days;"),
        ("setting: draft_hours", "setting: instance", KEPT, "there is no setting instance;"),
        ("`setting: draft_hours`", "", KEPT, "this control names no test, setting or document;"),
        ("(in `make audit`)\n", "\n", KILLED, "test_killed runs in `make audit` alone; write"),
        ("test_on_paper`", "test_on_paper` (in `make audit`)", NAMED, "runs in `make test`; take"),
        ("### H02", "### H03", SECOND, "H02 is to stand here, not H03"),
        ("### H02", "### H01", SECOND, "H02 is to stand here, not H01"),
        ("- **Cause:** A crash.\n", "", SECOND, "H02 has no Cause; write"),
        ("- **Harm:** Loss of time.", "- **Harm:**", SECOND, "H02 has no Harm; write"),
        ("- **Cause:** A", "- **Causes:** A", SECOND, "H02 has a field Causes; there are Hazard,"),
        ("**Severity:** minor", "**Severity:** small", SECOND, "H02: 'small', 'high' or 'low' is"),
        ("high before controls, low after", "high", FIRST, "or '' is not in the matrix; write"),
        ("Risk:** 2 before", "Risk:** 1 before", SECOND, "H02: by the matrix Risk is: 2 before"),
        ("| minor | 2 | 1 |", "| minor | 1 | 1 |", SECOND, "lacks the row: | [H02](#h02) | A lost"),
    ],
)
def test_a_fault_is_told_with_its_line_and_what_to_do(
    tmp_path: Path, old: str, new: str, place: str, fault: str
) -> None:
    assert old in SOUND
    found = faults(project(tmp_path, SOUND.replace(old, new, 1)))
    start = f"{LOG}:{line_of(place)}: "
    assert any(one.startswith(start) and fault in one for one in found), found


def test_a_row_without_a_section_is_a_fault(tmp_path: Path) -> None:
    log = SOUND.replace(
        "| 2 | 1 |\n\n", "| 2 | 1 |\n| [H03](#h03) | Gone. | minor | 2 | 1 |\n\n", 1
    )
    (fault,) = faults(project(tmp_path, log))
    assert fault == f"{LOG}:{line_of('| [H02]') + 1}: this row has no section; take it away"


def controls(*lines: str) -> str:
    """Return the sound log with these controls of the second hazard."""
    before, _, rest = SOUND.rpartition("- **Controls:**\n")
    return f"{before}- **Controls:**\n{''.join(lines)}{rest[rest.index('- **Remains') :]}"


def test_a_hazard_without_a_control_is_a_fault(tmp_path: Path) -> None:
    (fault,) = faults(project(tmp_path, controls()))
    assert f"{LOG}:{line_of(SECOND)}: H02 has no Controls; write" in fault


def test_documents_alone_are_no_control(tmp_path: Path) -> None:
    (fault,) = faults(project(tmp_path, controls("  - The guide says so. [Guide](guide.md)\n")))
    assert f"{LOG}:{line_of(SECOND)}: H02 has documents alone as controls; name a test" in fault


def test_a_log_without_hazards_is_a_fault(tmp_path: Path) -> None:
    (fault,) = faults(project(tmp_path, "# Hazard log\n"))
    assert fault.startswith(f"{LOG}:1: there is no hazard; write")


@pytest.mark.parametrize(
    "changed",
    [
        '@pytest.mark.skip(reason="later")\ndef test_it(): ...',
        '@pytest.mark.skipif(True, reason="here")\ndef test_it(): ...',
        "@pytest.mark.xfail\ndef test_it(): ...",
        '@pytest.mark.parametrize("one", [pytest.param(1, marks=pytest.mark.skip)])\n'
        "def test_it(one): ...",
        'def test_it():\n    pytest.skip("later")',
        'def test_it():\n    pytest.importorskip("other")',
        'from pytest import skip\ndef test_it():\n    skip("later")',
        "pytestmark = [pytest.mark.skipif(True, reason='here')]\ndef test_it(): ...",
        "@pytest.fixture\ndef it():\n    pytest.skip('later')\ndef test_it(it): ...",
        "later = pytest.mark.skip\n@later\ndef test_it(): ...",
    ],
)
def test_a_test_that_may_be_skipped_or_may_fail_is_no_control(tmp_path: Path, changed: str) -> None:
    log = SOUND.replace("test_name.py::test_on_each_page", "test_it.py::test_it")
    (fault,) = faults(project(tmp_path, log, test_it=f"import pytest\n{changed}\n"))
    assert "tests/unit/test_it.py::test_it can be skipped or may fail" in fault


@pytest.mark.parametrize(
    "changed",
    [
        "@pytest.mark.skip\nclass TestIt:\n    def test_it(self): ...",
        "class TestIt:\n    pytestmark = pytest.mark.xfail\n    def test_it(self): ...",
        "class TestIt:\n    def setup_method(self): pytest.skip()\n    def test_it(self): ...",
    ],
)
def test_nor_is_one_of_a_class_that_may_be_skipped(tmp_path: Path, changed: str) -> None:
    log = SOUND.replace("test_name.py::test_on_each_page", "test_it.py::TestIt::test_it")
    (fault,) = faults(project(tmp_path, log, test_it=f"import pytest\n{changed}\n"))
    assert "tests/unit/test_it.py::TestIt::test_it can be skipped or may fail" in fault


def test_nor_is_one_that_a_conftest_may_skip(tmp_path: Path) -> None:
    conftest = "import pytest\n@pytest.fixture(autouse=True)\ndef here(): pytest.skip('later')\n"
    found = faults(project(tmp_path, conftest=conftest))
    assert len(found) == 3
    assert all("can be skipped or may fail" in fault for fault in found)


@pytest.mark.parametrize(
    "marked",
    [
        "@pytest.mark.audit\ndef test_it(): ...",
        '@pytest.mark.parametrize("one", [pytest.param(1, marks=pytest.mark.audit)])\n'
        "def test_it(one): ...",
    ],
)
def test_a_test_of_make_audit_is_shown_as_such(tmp_path: Path, marked: str) -> None:
    log = SOUND.replace("test_slow.py::test_killed", "test_it.py::test_it")
    root = project(tmp_path, log, test_it=f"import pytest\n{marked}\n")
    assert faults(root) == []


def test_a_test_with_one_slow_case_runs_in_make_test(tmp_path: Path) -> None:
    some = '@pytest.mark.parametrize("one", [0, pytest.param(1, marks=pytest.mark.audit)])\n'
    log = SOUND.replace("test_slow.py::test_killed", "test_it.py::test_it")
    found = faults(project(tmp_path, log, test_it=f"import pytest\n{some}def test_it(one): ...\n"))
    assert ["runs in `make test`" in fault for fault in found] == [True]


def test_the_command_of_make_check_prints_faults_and_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(project(tmp_path / "sound")) == 0
    assert capsys.readouterr().out == ""
    assert main(project(tmp_path / "other", SOUND.replace("draft_hours", "draft_days"))) == 1
    assert capsys.readouterr().out.startswith(f"{LOG}:{line_of(KEPT)}: there is no setting")
