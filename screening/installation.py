"""The installation of one clinic: settings, rule books, keys, and what features add."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import cached_property, lru_cache
from math import inf
from pathlib import Path
from threading import Event, Thread, current_thread
from time import monotonic
from zoneinfo import ZoneInfo

from flask import Flask, current_app, g
from sqlalchemy.exc import SQLAlchemyError

from screening.domain.rules import BASE_LANGUAGE
from screening.extension_points import ExtensionPoints
from screening.extensions import db
from screening.printing.signature import Signature
from screening.rulebooks.load import AZATHIOPRINE, load, load_content
from screening.services import editions
from screening.services.printing import Printer
from screening.settings import InvalidSettings, Settings
from screening.storage import outbox
from screening.storage.editions import content, in_force
from screening.storage.encryption import Keys, read_keys
from screening.storage.private_files import KeyFault, read_private
from screening.storage.worklist import Worklist


@dataclass
class Installation:
    """The installation of one clinic."""

    settings: Settings
    points: ExtensionPoints = field(default_factory=ExtensionPoints)
    worklist: Worklist = field(default_factory=Worklist)
    asleep: list[Event] = field(default_factory=list)  # one event of each background thread
    # Monotonic time at which each background thread last made progress; infinite during a pause.
    rounds: dict[Thread, float] = field(default_factory=dict)
    # The edition in force, by its digest.
    loaded: dict[str, editions.Books] = field(default_factory=dict)
    # Monotonic time of the last test write, and its fault or "".
    write_proved: tuple[float, str] = (-inf, "")

    def __post_init__(self) -> None:
        """Let the list of screenings ask the features for appointments."""
        self.worklist.appointments = self.points.appointments

    def wake(self) -> None:
        """Wake the background threads, which look for jobs at once."""
        for event in self.asleep:
            event.set()

    def note_progress(self, _done: int = 0, _total: int = 0) -> None:
        """Note that the background thread which calls this is not stuck."""
        self.rounds[current_thread()] = monotonic()

    def today(self) -> date:
        """Return the day at the clinic."""
        return datetime.now(ZoneInfo(self.settings.clinic_timezone)).date()

    @property
    def rule_book_file(self) -> Path:
        """Return the file in which the rule book is changed.

        It is in the clinic's own folder, if the clinic has adopted the packaged rule book.
        """
        own = self.rule_book_folder / AZATHIOPRINE.name
        return own if self.rule_book_folder.exists() else AZATHIOPRINE

    @property
    def rule_book_folder(self) -> Path:
        """Return the folder of the clinic's own rule book, which exists once one is adopted."""
        return self.settings.instance / "rulebook"

    @property
    def books(self) -> editions.Books:
        """Return the rule book in force, in each of its languages. Raises KeyFault.

        It stays the same during a request. Patients are asked by it, with or without an approval.
        Before `flask init` it is the one in the file.
        """
        books: editions.Books | None = g.get("books")
        if books is None:
            if not self.key_file.exists():
                books = self.read(self.rule_book_file)
            elif digest := in_force(db.session, self.keys, now=datetime.now(UTC)):
                books = self.loaded.get(digest) or load_content(content(db.session, digest))
                self.loaded = {digest: books}  # an edition never changes
            else:
                raise KeyFault(
                    "the database does not say which rule book is in force; restore a backup"
                )
            g.books = books
        return books

    @property
    def approved_books(self) -> editions.Books:
        """Return the rule book in force with its present approvals. Raises KeyFault."""
        if not self.key_file.exists():
            return self.books
        digest = self.books[BASE_LANGUAGE].edition.digest
        return editions.approved(self.books, editions.approvals_at(db.session, self.keys, digest))

    def read(self, file: Path) -> editions.Books:
        """Return the rule book in a file, in all languages offered. Raises InvalidRuleBook."""
        own = self.settings.clinic_language
        settings = self.settings
        return load(
            file, offered={own, *settings.languages}, drafts={own, *settings.unreviewed_languages}
        )

    @property
    def languages(self) -> tuple[str, ...]:
        """Return the languages offered to patients.

        Their translation is reviewed, or named in the setting unreviewed_languages.
        """
        try:
            return self._languages_of(self.books)
        except (SQLAlchemyError, KeyFault):  # the error page needs a language too
            return self.settings.languages

    def _languages_of(self, books: editions.Books) -> tuple[str, ...]:
        drafts = {code for code in books if books[code].translation_status == "draft"}
        unwanted = drafts - {*self.settings.unreviewed_languages}
        return tuple(
            code for code in self.settings.languages if code in books and code not in unwanted
        )

    @property
    def offering(self) -> Settings:
        """Return the settings, reduced to the languages offered to patients now."""
        return self.settings.model_copy(update={"languages": self.languages})

    def check_languages(self, books: editions.Books) -> None:
        """Raise InvalidSettings unless a rule book has the languages of clinic and patients.

        One language that is offered to patients is enough.
        """
        settings = self.settings
        own = self.settings.clinic_language
        place = self.settings.place
        if own not in books:
            raise InvalidSettings(
                [f"{place('clinic_language')}: the rule book has no {own}, only {', '.join(books)}"]
            )
        if not self._languages_of(books):
            codes = ", ".join(settings.languages)
            why = "nobody has reviewed the translation; see unreviewed_languages"
            raise InvalidSettings(
                [f"{place('languages')}: the rule book has none of {codes}, or {why}"]
            )

    @property
    def jobs_of_sent(self) -> list[str]:
        """Return the kinds of jobs that follow from answers that a patient sends."""
        return [outbox.SUMMARY, *(job_kind.kind for job_kind in self.points.job_kinds)]

    @property
    def jobs_of_entry(self) -> list[str]:
        """Return the kinds of jobs that follow from an entry of a professional."""
        kinds = [job_kind.kind for job_kind in self.points.job_kinds if job_kind.every_edition]
        return [outbox.SUMMARY, *kinds]

    @property
    def key_file(self) -> Path:
        """Return the file of the data keys."""
        return self.settings.instance / "data.key"

    @property
    def secret_file(self) -> Path:
        """Return the file of the key that signs cookies."""
        return self.settings.instance / "secret.key"

    @property
    def signing_file(self) -> Path:
        """Return the file of the key that signs PDFs, which may be missing."""
        return self.settings.instance / "signing.pem"

    @property
    def signature(self) -> Signature | None:
        """Return the signature of PDFs, or None without a key. Raises KeyFault, CannotSign.

        KeyFault: others can read the file.
        """
        return (
            _signature(read_private(self.signing_file), self.signing_file)
            if self.signing_file.exists()
            else None
        )

    @property
    def printer(self) -> Printer:
        """Return the printer of this installation's summaries. Raises KeyFault."""
        return Printer(
            session=db.session,
            keys=self.keys,
            settings=self.settings,
            signature=lambda: self.signature,
        )

    @cached_property
    def keys(self) -> Keys:
        """Return the data keys. Raises KeyFault where their file is missing or others can read it.

        The keys are read again when their file changes.
        """
        return read_keys(self.key_file)


@lru_cache(maxsize=1)
def _signature(pem: str, file: Path) -> Signature:
    return Signature(pem.encode(), file)


def current_installation(app: Flask | None = None) -> Installation:
    """Return the installation of the given or the current application."""
    found: Installation = (app or current_app).extensions["screening"]
    return found
