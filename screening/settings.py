"""Settings from `instance/settings.toml`; a variable `SCREENING_<NAME>` overrides each of them.

There is no default secret.
"""

import json
import os
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel import Locale, UnknownLocaleError
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
)
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from screening.domain.faults import InvalidInput
from screening.domain.mailbox import is_mailbox

PREFIX = "SCREENING_"
FILE_NAME = "settings.toml"
ROOT = Path(__file__).parent.parent
LONGEST_DAYS = 90  # for which the link of an invitation works
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def allows_passkeys(url: str) -> bool:
    """Return whether browsers allow passkeys there: at a name, with TLS unless it is localhost."""
    parts = urlsplit(url)
    try:
        ip_address(parts.hostname or "")
    except ValueError:
        return parts.scheme == "https" or parts.hostname == "localhost"
    return False


def as_called(words: str) -> str:
    """Return the words with the name of the command on this installation in place of `flask`.

    The variable COMMAND_NAME (see docs/deploy) turns `flask backup` into `screening backup`.
    """
    return re.sub(r"\bflask (?=[a-z])", os.environ.get("COMMAND_NAME", "flask") + " ", words)


class InvalidSettings(InvalidInput[list[str]]):
    """Raised with every fault; each names its file or variable, the setting and the remedy."""


def _timezone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (OSError, ValueError, ZoneInfoNotFoundError) as err:
        raise ValueError(f"{name!r} is not a time zone; write one such as Europe/Madrid") from err
    return name


def _language(code: str) -> str:
    try:
        Locale.parse(code, sep="-")
    except (UnknownLocaleError, ValueError) as err:
        raise ValueError(f"{code!r} is not a language code; write one such as en or es") from err
    return code


def _region(code: str) -> str:
    code = code.upper()
    if code and not (len(code) == 2 and code in Locale("en").territories):
        raise ValueError(
            f"{code!r} is not a country or region; write its two letters, such as US, GB or ES"
        )
    return code


def _split(raw: object) -> object:
    """Return the words of a text such as "en, es"."""
    return raw.replace(",", " ").split() if isinstance(raw, str) else raw


def _url(url: str) -> str:
    url = url.rstrip("/")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path or parts.query:
        raise ValueError(f"{url!r} must be like https://screening.clinic.example, without a path")
    return url


def _fhir_url(url: str) -> str:
    url = url.rstrip("/")
    parts = urlsplit(url)
    if url and (
        parts.scheme not in ("http", "https") or not parts.hostname or set("|?# ") & set(url)
    ):
        raise ValueError(f"{url!r} must be like https://screening.clinic.example/fhir, or empty")
    return url


def _mailbox(address: str) -> str:
    if address and not is_mailbox(address):
        raise ValueError(f"{address!r} must be one address such as desk@clinic.example, or empty")
    return address


def _database_url(secret: SecretStr) -> SecretStr:
    url = secret.get_secret_value()
    if url and not url.startswith(
        ("sqlite:///", "postgresql://", "postgres://", "postgresql+psycopg://")
    ):
        raise ValueError("must be like postgresql://user@host/database, or empty for SQLite")
    return secret


def _paper(raw: object) -> object:
    return raw.strip().capitalize() if isinstance(raw, str) else raw


def _flag(raw: object) -> object:
    """Return False for an empty variable of the environment."""
    return raw.strip() or False if isinstance(raw, str) else raw


def _digits(raw: object) -> object:
    """Return None for values that pydantic would read as a number, such as true or "1_0"."""
    return None if isinstance(raw, bool) or not str(raw).strip().isdecimal() else raw


Flag = Annotated[bool, BeforeValidator(_flag)]
Number = Annotated[int, BeforeValidator(_digits)]
Count = Annotated[Number, Field(ge=0, le=9999)]
Whole = Annotated[Number, Field(ge=1, le=9999)]
Language = Annotated[str, AfterValidator(_language)]
Languages = Annotated[
    tuple[Language, ...],
    BeforeValidator(_split),
    AfterValidator(lambda codes: tuple(dict.fromkeys(codes))),
]
Roles = Annotated[
    tuple[Literal["all", "prescriber", "staff", "admin"], ...], BeforeValidator(_split)
]
Paper = Annotated[Literal["A4", "Letter"], BeforeValidator(_paper)]


def setting(default: Any, description: str) -> Any:
    """Declare an option that is read from the settings file; `...` stands for no default."""
    return Field(default, description=description)


class Options(BaseModel):
    """Options with their checks. Those with a description are read from the settings file."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", str_strip_whitespace=True, defer_build=True
    )

    @classmethod
    def declared(cls) -> dict[str, FieldInfo]:
        """Return the fields that are read from the settings file, by name."""
        return {name: field for name, field in cls.model_fields.items() if field.description}

    @classmethod
    def read(
        cls, written: Mapping[str, object], place: Callable[[str], str], **values: object
    ) -> Self:
        """Return the options that were written. Raises InvalidSettings with every fault.

        `place` returns where a name was written; `values` fill the fields that are not read.
        """
        declared = cls.declared()
        known = {name: value for name, value in written.items() if name in declared}
        unknown = [name for name in written if name not in declared]
        faults = dict.fromkeys(unknown, f"is not known; there are {', '.join(declared)}")
        try:
            options = cls(**known, **values)
        except ValidationError as err:
            for error in err.errors():
                name = str(error["loc"][0])
                faults.setdefault(name, _fault(declared[name], error))
        if faults:
            raise InvalidSettings([f"{place(name)}: {fault}" for name, fault in faults.items()])
        return options


def _fault(field: FieldInfo, error: ErrorDetails) -> str:
    """Return our words for an error of pydantic."""
    match error["type"].split("_"):
        case ["value", "error"]:
            return str(error["ctx"]["error"])
        case ["missing"]:
            return f"is missing: {field.description}"
        case ["string" | "tuple", "type"]:
            return f"{error['input']!r} must be a text; write it between quotes"
        case ["string", "too", "short"]:
            return "must not be empty"
        case ["too", "short"]:
            return "must name at least one language"
        case ["bool", _]:
            return "must be true or false"
        case ["literal", _]:
            return f"must be {error['ctx']['expected'].replace(chr(39), '')}"
    _digits, at_least, at_most = field.metadata
    return f"must be a whole number from {at_least.ge} to {at_most.le}"


class Settings(Options):
    """All settings. `instance` is the folder with keys, settings file and database."""

    instance: Path
    came_from: Mapping[str, str] = {}
    # The tables [deliver.NAME] as written; the feature that delivers reads them.
    channels: Mapping[str, Mapping[str, object]] = {}
    database_url: Annotated[SecretStr, AfterValidator(_database_url)] = setting(
        SecretStr(""), "database as a SQLAlchemy URL; empty: SQLite in the instance folder"
    )
    public_url: Annotated[str, AfterValidator(_url)] = setting(
        "http://127.0.0.1:8000", "the address patients open; its host is the only one answered"
    )
    fhir_url: Annotated[str, AfterValidator(_fhir_url)] = setting(
        "",
        "where the addresses of our FHIR definitions begin, for ever; empty: /fhir at public_url",
    )
    allow_plain_http: Flag = setting(
        False,
        "serve without TLS beyond this machine: anyone on the network can then read the answers",
    )
    proxies: Count = setting(
        0,
        "number of reverse proxies in front, such as nginx; their X-Forwarded headers are believed",
    )
    clinic_name: str = setting("Our clinic", "shown on every page and on the summary")
    clinic_phone: str = setting("", "shown to patients who need to talk to someone; may be empty")
    emergency_phone: str = setting(
        "", "emergency number, shown to patients who feel very unwell; may be empty"
    )
    clinic_timezone: Annotated[str, AfterValidator(_timezone)] = setting(
        "UTC", "for the times on pages and summaries"
    )
    clinic_language: Language = setting("en", "language of the summary, whatever the patient's")
    clinic_region: Annotated[str, AfterValidator(_region)] = setting(
        "",
        "country whose dates are shown and asked for, such as US; empty: as the language has them",
    )
    languages: Annotated[Languages, Field(min_length=1)] = setting(
        ("en", "es"), "languages offered to patients, the first is the default"
    )
    unreviewed_languages: Languages = setting(
        (), "languages that are offered although nobody has reviewed the translation"
    )
    approvals_needed: Annotated[Number, Field(ge=1, le=2)] = setting(
        1, "how many prescribers must approve a rule book before it comes into force: 1 or 2"
    )
    paper: Paper = setting("A4", "paper of the summary: A4 or Letter")
    draft_hours: Whole = setting(4, "hours after which answers that were not sent are deleted")
    continue_codes: Flag = setting(
        True, "whether patients without an invitation get a code to go on elsewhere"
    )
    invitation_days: Annotated[Number, Field(ge=1, le=LONGEST_DAYS)] = setting(
        14, "days for which the link of an invitation can be used"
    )
    change_hours: Count = setting(
        24, "hours after sending in which an invited patient can change answers; 0: not at all"
    )
    retention_days: Whole = setting(
        90,
        "days after which a screening is deleted, counted from its review, or else from its "
        "sending",
    )
    unopened_hours_contraindication: Count = setting(
        4, "hours after which an unopened screening with a contraindication is raised; 0: never"
    )
    unopened_hours_clarify: Count = setting(
        24, "the same where answers are to be clarified; 0: never"
    )
    unopened_hours_caution: Count = setting(24, "the same with a caution; 0: never")
    unopened_hours_none: Count = setting(72, "the same without any finding; 0: never")
    overlooked_mail: Annotated[str, AfterValidator(_mailbox)] = setting(
        "", "address that is told how many screenings are overlooked, by the first e-mail channel"
    )
    outbox_in_server: Flag = setting(
        True,
        "whether the server prints and delivers summaries; if not, keep `flask outbox run` running",
    )
    idle_minutes: Whole = setting(
        20, "minutes without use after which a signed-in person is signed out"
    )
    longest_hours: Whole = setting(12, "hours after which a signed-in person must sign in again")
    one_time_hours: Whole = setting(24, "hours after which a one-time password ends")
    require_second_factor: Roles = setting(
        (), "roles that need more than a password to sign in: prescriber, staff, admin, or all"
    )
    copy_minutes: Whole = setting(
        60, "minutes for which a patient can open their own copy after sending"
    )

    def described(self) -> Iterator[tuple[str, object, str, str]]:
        """Yield each setting's name, value (secrets hidden), origin and purpose."""
        came_from = self.came_from.get("instance", "default")
        yield "instance", self.instance, came_from, "folder with keys and database"
        for name, field in self.declared().items():
            value = getattr(self, name)
            if isinstance(value, SecretStr):
                value = "(hidden)" if value else ""
            elif isinstance(value, tuple):
                value = ", ".join(value)
            yield name, value, self.came_from.get(name, "default"), str(field.description)

    def place(self, name: str) -> str:
        """Return the place at which a setting was written, or is to be written."""
        return _place(name, self.came_from, self.instance)

    @property
    def database(self) -> str:
        """Return the SQLAlchemy URL of the database.

        A PostgreSQL URL without a driver gets psycopg, which is installed.
        """
        url = self.database_url.get_secret_value()
        if not url:
            return f"sqlite:///{(self.instance / 'screening.db').as_posix()}"
        return re.sub("^postgres(ql)?://", "postgresql+psycopg://", url)

    @property
    def fhir_base(self) -> str:
        """Return the first part of the addresses of our Questionnaire and CodeSystem."""
        return self.fhir_url or f"{self.public_url}/fhir"

    def locale(self, language: str) -> Locale:
        """Return the locale of a language in the clinic's region, which has the order of dates."""
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
        """Return whether patients reach the application by https."""
        return self.public_url.startswith("https://")

    @property
    def hosts(self) -> list[str]:
        """Return the host names that requests may have. Monitoring uses those of this machine."""
        host = urlsplit(self.public_url).hostname or ""
        return sorted(LOOPBACK | {host})


def _place(name: str, came_from: Mapping[str, str], instance: Path) -> str:
    if came_from.get(name) == "environment":
        return f"{PREFIX}{name.upper()}"
    return f"{instance / FILE_NAME}: {name}"


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Return the settings, each with its origin. Raises InvalidSettings with every fault."""
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
        isinstance(table, dict) for table in channels.values()
    ):
        faults.append(f'{file}: deliver: must be tables such as [deliver.mail] with kind = "email"')
        channels = {}
    variables = {
        name.removeprefix(PREFIX).lower(): value
        for name, value in environ.items()
        if name.startswith(PREFIX)
    }
    came_from = dict.fromkeys(written, "file") | dict.fromkeys(variables, "environment")
    variables.pop("instance", None)
    place = partial(_place, came_from=came_from, instance=instance)
    try:
        values = {"instance": instance, "came_from": came_from, "channels": channels}
        settings = Settings.read(written | variables, place, **values)
    except InvalidSettings as err:
        raise InvalidSettings(faults + err.faults) from err
    if urlsplit(settings.public_url).hostname not in LOOPBACK and not (
        settings.over_tls or settings.allow_plain_http
    ):
        faults.append(
            f"{place('public_url')}: {settings.public_url} would send health data unencrypted over "
            "the network; use an https address, or set allow_plain_http = true if you accept that"
        )
    if faults:
        raise InvalidSettings(faults)
    return settings


def settings_file() -> str:
    """Return the text of a new settings file: each setting with its purpose, commented out."""
    lines = [
        "# Settings of this installation. "
        "Remove the # before a line to change it; restart afterwards.",
        f"# Each can also be set in the environment, as {PREFIX} and its name in capitals.",
    ]
    for name, field in Settings.declared().items():
        default = json.dumps(field.default, default=str)
        lines += ["", f"# {field.description}", f"# {name} = {default}"]
    return "\n".join(lines) + "\n"
