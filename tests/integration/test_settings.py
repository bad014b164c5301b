"""Settings from the file and the environment; every fault at once."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from screening.application import create_app
from screening.settings import InvalidSettings, Settings, as_called, load_settings, settings_file


def load(tmp_path: Path, file: str = "", **environ: str) -> Settings:
    (tmp_path / "settings.toml").write_text(file, encoding="utf-8")
    named = {f"SCREENING_{name.upper()}": value for name, value in environ.items()}
    return load_settings({"SCREENING_INSTANCE": str(tmp_path), **named})


def values(settings: Settings) -> dict[str, object]:
    return settings.model_dump(exclude={"came_from"})


def test_defaults_hold_where_nothing_is_set(tmp_path: Path) -> None:
    assert values(load(tmp_path)) == values(Settings(instance=tmp_path))


def test_the_environment_comes_before_the_file(tmp_path: Path) -> None:
    settings = load(tmp_path, 'clinic_name = "File"\npaper = "letter"', clinic_name="Environment")
    assert (settings.clinic_name, settings.paper) == ("Environment", "Letter")


def test_values_have_types(tmp_path: Path) -> None:
    settings = load(
        tmp_path,
        'languages = ["es", "en"]\ndraft_hours = 2',
        allow_plain_http="true",
        copy_minutes="5",
    )
    assert settings.languages == ("es", "en")
    assert (settings.draft_hours, settings.copy_minutes, settings.allow_plain_http) == (2, 5, True)


def test_every_fault_is_reported_at_once_with_its_place(tmp_path: Path) -> None:
    file = (
        'paper = "A5"\nclinic_timezone = "Mars/Olympus"\nlanguages = []\n'
        "shoe_size = 43\nclinic_name = 7"
    )
    with pytest.raises(InvalidSettings) as raised:
        load(
            tmp_path,
            file,
            draft_hours="0",
            public_url="ftp://x",
            allow_plain_http="perhaps",
            colour="red",
        )
    faults = "\n".join(raised.value.faults)
    for place in ("paper", "clinic_timezone", "languages", "shoe_size", "clinic_name"):
        assert f"settings.toml: {place}: " in faults
    for name in ("DRAFT_HOURS", "PUBLIC_URL", "ALLOW_PLAIN_HTTP", "COLOUR"):
        assert f"SCREENING_{name}: " in faults
    assert len(raised.value.faults) == 9


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("clinic_name = 7", "clinic_name: 7 must be a text; write it between quotes"),
        ("languages = []", "languages: must name at least one language"),
        ('languages = ["en", "xx-yy-zz"]', "languages: 'xx-yy-zz' is not a language code"),
        ("retention_days = true", "retention_days: must be a whole number from 1 to 9999"),
        ("retention_days = 30.0", "retention_days: must be a whole number from 1 to 9999"),
        ('retention_days = "1_0"', "retention_days: must be a whole number from 1 to 9999"),
        ("approvals_needed = 3", "approvals_needed: must be a whole number from 1 to 2"),
        ('continue_codes = "perhaps"', "continue_codes: must be true or false"),
        ("paper = 4", "paper: must be A4 or Letter"),
        ('clinic_region = "Spain"', "clinic_region: 'SPAIN' is not a country or region"),
        (
            'database_url = "mysql://x"',
            "database_url: must be like postgresql://user@host/database",
        ),
        ("colour = 1", "colour: is not known; there are database_url, public_url, "),
        ("deliver = 7", "deliver: must be tables such as [deliver.mail]"),
    ],
)
def test_a_fault_names_file_setting_and_remedy(tmp_path: Path, line: str, fault: str) -> None:
    with pytest.raises(InvalidSettings) as raised:
        load(tmp_path, line)
    (message,) = raised.value.faults
    assert message.startswith(f"{tmp_path}/settings.toml: {fault}")


def test_an_empty_variable_means_no(tmp_path: Path) -> None:
    assert load(tmp_path, continue_codes="").continue_codes is False


def test_a_database_password_is_not_part_of_what_is_printed(tmp_path: Path) -> None:
    settings = load(tmp_path, database_url="postgresql://u:hushhush@127.0.0.1/x")
    assert "hushhush" not in f"{settings!r} {settings}"
    assert "hushhush" in settings.database


def test_a_file_that_is_not_toml_says_so(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings, match=r"settings\.toml"):
        load(tmp_path, "clinic_name = ")


@pytest.mark.parametrize("url", ["http://192.168.1.5", "http://screening.clinic.example"])
def test_plain_http_beyond_this_machine_needs_a_decision(tmp_path: Path, url: str) -> None:
    with pytest.raises(
        InvalidSettings, match=r"SCREENING_PUBLIC_URL: .* unencrypted over the network"
    ):
        load(tmp_path, public_url=url)
    with pytest.raises(
        InvalidSettings, match=f"{tmp_path}/settings.toml: public_url: .* unencrypted"
    ):
        load(tmp_path, f'public_url = "{url}"')
    assert load(tmp_path, public_url=url, allow_plain_http="true").public_url == url


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8000", "http://localhost", "https://screening.clinic.example"]
)
def test_loopback_and_tls_need_none(tmp_path: Path, url: str) -> None:
    assert load(tmp_path, public_url=url + "/").public_url == url


def test_postgresql_uses_the_driver_that_is_installed(tmp_path: Path) -> None:
    for url in ("postgresql://u@127.0.0.1/x", "postgres://u@127.0.0.1/x"):
        assert load(tmp_path, database_url=url).database == "postgresql+psycopg://u@127.0.0.1/x"


def test_the_settings_file_names_every_setting_at_its_default(tmp_path: Path) -> None:
    text = settings_file()
    assert tomllib.loads(text) == {}
    lines = [
        line[2:] if line.startswith("# ") and " = " in line else "" for line in text.splitlines()
    ]
    assert values(load(tmp_path, "\n".join(lines))) == values(Settings(instance=tmp_path))


def test_a_language_without_a_translation_of_the_pages_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        InvalidSettings, match=f"{tmp_path}/settings.toml: languages: .* not translated into fr"
    ):
        create_app(load(tmp_path, 'languages = ["en", "fr"]'))
    with pytest.raises(
        InvalidSettings, match="SCREENING_CLINIC_LANGUAGE: the pages are not translated into de"
    ):
        create_app(load(tmp_path, clinic_language="de"))
    create_app(Settings(instance=tmp_path, languages=("en", "es")))


@pytest.mark.parametrize(
    ("name", "words"), [("screening", "run `screening init`"), (None, "run `flask init`")]
)
def test_commands_are_named_as_they_are_called_here(
    monkeypatch: pytest.MonkeyPatch, name: str | None, words: str
) -> None:
    if name:
        monkeypatch.setenv("COMMAND_NAME", name)
    else:
        monkeypatch.delenv("COMMAND_NAME", raising=False)
    assert as_called("run `flask init`") == words
    assert as_called("flask 3.1") == "flask 3.1"


def test_the_readme_has_every_setting() -> None:
    table = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    names = {name for name, _value, _from, _what in Settings(instance=Path("nowhere")).described()}
    assert {name for name in names if f"| `{name}` | " not in table} == {"instance"}
