"""Settings: `instance/settings.toml`, each overridden by `SCREENING_<NAME>` in the environment.

No default secret.
"""

import json
import os
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel import Locale, UnknownLocaleError

from screening.domain.invitation import LONGEST_DAYS

PREFIX = "SCREENING_"
FILE_NAME = "settings.toml"
ROOT = Path(__file__).parent.parent
Options = TypeVar("Options")
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def as_called(words: str) -> str:
    """Words with the commands as they are called here: `screening backup` on an installed server, not `flask backup`.

    docs/deploy sets COMMAND_NAME.
    """
    return re.sub(r"\bflask (?=[a-z])", os.environ.get("COMMAND_NAME", "flask") + " ", words)


class InvalidSettings(Exception):
    """Raised with every wrong setting at once, one per line."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


def text(raw: object) -> str:
    """A text, without blanks around it. Raises ValueError."""
    if not isinstance(raw, str):
        raise ValueError(f"{raw!r} must be a text; write it between quotes")
    return raw.strip()


def filled(raw: object) -> str:
    """A text that is not empty. Raises ValueError."""
    if not text(raw):
        raise ValueError("must not be empty")
    return text(raw)


def number(lowest: int, highest: int) -> Callable[[object], int]:
    """What reads a whole number between these. It raises ValueError."""

    def read(raw: object) -> int:
        digits = str(raw).strip()
        if isinstance(raw, bool) or not digits.isdecimal() or not lowest <= int(digits) <= highest:
            raise ValueError(f"must be a whole number from {lowest} to {highest}")
        return int(digits)

    return read


whole = number(1, 9999)
count = number(0, 9999)
port = number(0, 65535)


def flag(raw: object) -> bool:
    """True or false. Raises ValueError."""
    words = {
        "true": True,
        "1": True,
        "yes": True,
        "false": False,
        "0": False,
        "no": False,
        "": False,
    }
    if str(raw).strip().lower() not in words:
        raise ValueError("must be true or false")
    return words[str(raw).strip().lower()]


def _timezone(raw: object) -> str:
    name = text(raw)
    try:
        ZoneInfo(name)
    except (OSError, ValueError, ZoneInfoNotFoundError) as err:
        raise ValueError(f"{name!r} is not a time zone; write one such as Europe/Madrid") from err
    return name


def _language(raw: object) -> str:
    code = text(raw)
    try:
        Locale.parse(code, sep="-")
    except (UnknownLocaleError, ValueError) as err:
        raise ValueError(f"{code!r} is not a language code; write one such as en or es") from err
    return code


def _region(raw: object) -> str:
    code = text(raw).upper()
    if code and not (len(code) == 2 and code in Locale("en").territories):
        raise ValueError(
            f"{code!r} is not a country or region; write its two letters, such as US, GB or ES"
        )
    return code


def _languages(raw: object) -> tuple[str, ...]:
    codes = (
        raw if isinstance(raw, list) else [part for part in text(raw).split(",") if part.strip()]
    )
    if not codes:
        raise ValueError("must name at least one language")
    return tuple(dict.fromkeys(_language(code) for code in codes))


def _no_languages(raw: object) -> tuple[str, ...]:
    return _languages(raw) if raw else ()


def _paper(raw: object) -> str:
    for paper in ("A4", "Letter"):
        if text(raw).lower() == paper.lower():
            return paper
    raise ValueError("must be A4 or Letter")


def _url(raw: object) -> str:
    url = text(raw).rstrip("/")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path or parts.query:
        raise ValueError(f"{url!r} must be like https://screening.clinic.example, without a path")
    return url


def _fhir_url(raw: object) -> str:
    url = text(raw).rstrip("/")
    parts = urlsplit(url)
    if url and (
        parts.scheme not in ("http", "https") or not parts.hostname or set("|?# ") & set(url)
    ):
        raise ValueError(f"{url!r} must be like https://screening.clinic.example/fhir, or empty")
    return url


def _database_url(raw: object) -> str:
    url = text(raw)
    if url and not url.startswith(
        ("sqlite:///", "postgresql://", "postgres://", "postgresql+psycopg://")
    ):
        raise ValueError("must be like postgresql://user@host/database, or empty for SQLite")
    return url


def setting(
    read: Callable[[object], Any], what: str, default: Any = MISSING, *, secret: bool = False
) -> Any:
    """A field that is read from a settings file, with what it is for.

    Without a default it must be there.
    """
    return field(default=default, metadata={"read": read, "what": what, "secret": secret})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings, checked. `instance` is the folder with keys, settings file and database."""

    instance: Path
    came_from: Mapping[str, str] = field(default_factory=dict, compare=False)
    # as written; `delivery` reads them
    channels: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    database_url: str = setting(
        _database_url,
        "database as a SQLAlchemy URL; empty: SQLite in the instance folder",
        "",
        secret=True,
    )
    public_url: str = setting(
        _url,
        "the address patients open; its host is the only one answered",
        "http://127.0.0.1:8000",
    )
    fhir_url: str = setting(
        _fhir_url,
        "where the addresses of our FHIR questions and codes begin, the same for ever; empty: /fhir at public_url",
        "",
    )
    allow_plain_http: bool = setting(
        flag,
        "serve without TLS beyond this machine: anyone on the network can then read the answers",
        False,
    )
    proxies: int = setting(
        count,
        "how many reverse proxies stand in front, such as nginx; their X-Forwarded headers are believed",
        0,
    )
    clinic_name: str = setting(text, "shown on every page and on the summary", "Our clinic")
    clinic_phone: str = setting(
        text, "shown to patients who need to talk to someone; may be empty", ""
    )
    emergency_phone: str = setting(
        text, "emergency number, shown to patients who feel very unwell; may be empty", ""
    )
    clinic_timezone: str = setting(_timezone, "for the times on pages and summaries", "UTC")
    clinic_language: str = setting(
        _language, "language of the summary, whatever the patient's", "en"
    )
    clinic_region: str = setting(
        _region,
        "country whose dates are shown and asked for, such as US or GB; empty: as the language has them",
        "",
    )
    languages: tuple[str, ...] = setting(
        _languages, "languages offered to patients, the first is the default", ("en", "es")
    )
    unreviewed_languages: tuple[str, ...] = setting(
        _no_languages, "languages that are offered although nobody has reviewed the translation", ()
    )
    approvals_needed: int = setting(
        number(1, 2),
        "how many prescribers must approve a rule book before it comes into force: 1 or 2",
        1,
    )
    paper: str = setting(_paper, "paper of the summary: A4 or Letter", "A4")
    draft_hours: int = setting(whole, "hours after which answers that were not sent are deleted", 4)
    continue_codes: bool = setting(
        flag, "whether patients without an invitation get a code to go on elsewhere", True
    )
    invitation_days: int = setting(
        number(1, LONGEST_DAYS), "days for which the link of an invitation can be used", 14
    )
    change_hours: int = setting(
        count,
        "hours after sending for which an invited patient can change answers by the link; 0: not at all",
        24,
    )
    retention_days: int = setting(
        whole,
        "days after which a screening is deleted, counted from its review, or else from when it was sent",
        90,
    )
    outbox_in_server: bool = setting(
        flag,
        "whether the server itself prints and delivers summaries; if not, keep `flask outbox run` running",
        True,
    )
    idle_minutes: int = setting(
        whole, "minutes without use after which a signed-in person is signed out", 20
    )
    longest_hours: int = setting(
        whole, "hours after which a signed-in person must sign in again", 12
    )
    copy_minutes: int = setting(
        whole, "minutes for which a patient can open their own copy after sending", 60
    )

    def described(self) -> Iterator[tuple[str, object, str, str]]:
        """Each setting's name, value (secrets hidden), where it came from and what it does."""
        yield (
            "instance",
            self.instance,
            self.came_from.get("instance", "default"),
            "folder with keys and database",
        )
        for one in fields(self):
            if "read" in one.metadata:
                value = getattr(self, one.name)
                value = ", ".join(value) if isinstance(value, tuple) else value
                hidden = "(hidden)" if one.metadata["secret"] and value else value
                yield (
                    one.name,
                    hidden,
                    self.came_from.get(one.name, "default"),
                    one.metadata["what"],
                )

    def place(self, name: str) -> str:
        """Where a setting was written, or is to be."""
        return _place(name, self.came_from, self.instance)

    @property
    def database(self) -> str:
        """The database's SQLAlchemy URL.

        A PostgreSQL URL without a driver gets psycopg, the one installed.
        """
        if not self.database_url:
            return f"sqlite:///{(self.instance / 'screening.db').as_posix()}"
        for scheme in ("postgresql://", "postgres://"):
            if self.database_url.startswith(scheme):
                return "postgresql+psycopg://" + self.database_url.removeprefix(scheme)
        return self.database_url

    @property
    def fhir_base(self) -> str:
        """Where the canonical addresses of our Questionnaire and CodeSystem begin."""
        return self.fhir_url or f"{self.public_url}/fhir"

    def locale(self, language: str) -> Locale:
        """How the language is written in the clinic's region: the order, names and forms of dates."""
        own = Locale.parse(language, sep="-")
        # English in a region that CLDR does not know has the day first, unlike that of the US.
        for region in filter(None, (self.clinic_region, self.clinic_region and "001")):
            try:
                return Locale(own.language, territory=region, script=own.script)
            except UnknownLocaleError:
                continue
        return own

    @property
    def over_tls(self) -> bool:
        """Whether patients reach the application by https."""
        return self.public_url.startswith("https://")

    @property
    def hosts(self) -> list[str]:
        """The host names that requests may ask for."""
        host = urlsplit(self.public_url).hostname or ""
        return sorted(LOOPBACK | {host})  # whoever watches it on this machine asks by these


def _place(name: str, came_from: Mapping[str, str], instance: Path) -> str:
    if came_from.get(name) == "environment":
        return f"{PREFIX}{name.upper()}"
    return f"{instance / FILE_NAME}: {name}"


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """The settings, each with where it came from. Raises InvalidSettings with every fault."""
    environ = os.environ if environ is None else environ
    instance = Path(environ.get(f"{PREFIX}INSTANCE", ROOT / "instance")).absolute()
    faults: list[str] = []
    file = instance / FILE_NAME
    written: dict[str, object] = {}
    try:
        written = tomllib.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    except (OSError, ValueError) as err:
        faults.append(f"{file}: {err}; correct the file or remove it to have a new one written")
    channels = written.pop("deliver", {})
    if not isinstance(channels, dict) or not all(
        isinstance(one, dict) for one in channels.values()
    ):
        faults.append(f'{file}: deliver: must be tables such as [deliver.mail] with kind = "email"')
    variables = {
        name.removeprefix(PREFIX).lower(): value
        for name, value in environ.items()
        if name.startswith(PREFIX)
    }
    came_from = dict.fromkeys(written, "file") | dict.fromkeys(variables, "environment")
    variables.pop("instance", None)
    place = partial(_place, came_from=came_from, instance=instance)
    try:
        given = {"instance": instance, "came_from": came_from, "channels": channels}
        settings = read_options(Settings, written | variables, place, **given)
    except InvalidSettings as err:
        raise InvalidSettings(faults + err.faults) from err
    if urlsplit(settings.public_url).hostname not in LOOPBACK and not (
        settings.over_tls or settings.allow_plain_http
    ):
        faults.append(
            f"{place('public_url')}: {settings.public_url} would send health data unencrypted over the network; "
            "use an https address, or set allow_plain_http = true if you accept that"
        )
    if faults:
        raise InvalidSettings(faults)
    return settings


def read_options(
    declared: type[Options],
    written: Mapping[str, object],
    place: Callable[[str], str],
    **values: Any,
) -> Options:
    """What was written, as a dataclass of settings. Raises InvalidSettings with every fault.

    `place` tells where a name stands; `values` fill the fields that are not read.
    """
    known = {one.name: one for one in fields(declared) if "read" in one.metadata}  # type: ignore[arg-type]
    faults = [
        f"{place(name)}: is not known; there are {', '.join(known)}"
        for name in written
        if name not in known
    ]
    for name, one in known.items():
        try:
            if name in written:
                values[name] = one.metadata["read"](written[name])
            elif one.default is MISSING:
                faults.append(f"{place(name)}: is missing: {one.metadata['what']}")
        except ValueError as err:
            faults.append(f"{place(name)}: {err}")
    if faults:
        raise InvalidSettings(faults)
    return declared(**values)


def settings_file() -> str:
    """The text of a new settings file: every setting with what it does, all commented out at their defaults."""
    lines = [
        "# Settings of this installation. Remove the # before a line to change it; restart afterwards.",
        f"# Each can also be set in the environment, as {PREFIX} and its name in capitals.",
    ]
    for one in fields(Settings):
        if "read" in one.metadata:
            default = list(one.default) if isinstance(one.default, tuple) else one.default
            lines += ["", f"# {one.metadata['what']}", f"# {one.name} = {json.dumps(default)}"]
    return "\n".join(lines) + "\n"
