"""A clinic that adds a question to the shipped rule book breaks no test of the engine."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from screening.rulebooks.load import load
from screening.rulebooks.translation import UNTRANSLATED, wording_hash

REPOSITORY = Path(__file__).parents[3]
NOT_COPIED = shutil.ignore_patterns(".*", "__pycache__", "build", "instance", "wheels")
BOOKS = Path("screening") / "rulebooks"
THIS_FOLDER = Path(__file__).parent.relative_to(REPOSITORY)
MEETS_IT = "test_the_questions_and_follow_ups_are_asked_in_this_order"

ADDED = """
[[question]]
id = "wishes"
ask = "Is there something you wish to ask?"
unanswered = "Select whether you wish to ask something"
why = "Your doctor will take time for it."
topic = "Questions of the patient"
clarify = "Ask what the patient wishes to know."
choices = ["yes", "no", "unsure", "private"]
valid_for_hours = 24

[[rule]]
id = "wishes"
when = { wishes = ["yes"] }
severity = "caution"
title = "The patient wishes to ask something"
reason = "According to the source, the instructions are to be followed exactly."
confirm = "Answer the questions."
cites = ["F13"]

"""


def put_before_the_first_question(folder: Path) -> None:
    """Add a question and its rule before all others, which changes every place and number."""
    english = folder / "azathioprine.toml"
    text = english.read_text(encoding="utf-8")
    english.write_text(text.replace("[[question]]", f"{ADDED}[[question]]", 1), encoding="utf-8")
    with (folder / "azathioprine.es.toml").open("a", encoding="utf-8") as spanish:
        for kind, tables in tomllib.loads(ADDED).items():
            spanish.write(f"\n[{kind}.wishes]\n")
            spanish.writelines(
                f'{key} = {{ of = "{wording_hash(words)}", text = "({words})" }}\n'
                for key, words in tables[0].items()
                if isinstance(words, str) and key not in UNTRANSLATED
            )


def repository_with_another_question(folder: Path) -> Path:
    """Return a copy of the repository whose shipped rule book asks one question more."""
    shutil.copytree(REPOSITORY, folder, ignore=NOT_COPIED, dirs_exist_ok=True)
    put_before_the_first_question(folder / BOOKS)
    return folder


def pytest_in(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.audit
def test_the_tests_of_the_engine_pass_when_the_shipped_book_asks_one_question_more(
    tmp_path: Path,
) -> None:
    folder = repository_with_another_question(tmp_path)
    assert load(folder / BOOKS / "azathioprine.toml")["es"].questions[0].id == "wishes"
    engine = pytest_in(folder, "tests/unit", f"--ignore={THIS_FOLDER}")
    assert engine.returncode == 0, engine.stdout
    shipped = pytest_in(folder, str(THIS_FOLDER), "-k", MEETS_IT)
    assert "2 failed" in shipped.stdout, f"the copy is not what was tested: {shipped.stdout}"
