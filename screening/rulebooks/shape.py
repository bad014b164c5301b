"""The shape of a rule book: its tables, their keys and what stands there.

What holds between tables is in `proof.py`.

Tables are in lists and words in tuples: so pydantic tells which of the two is missing.
"""

from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypeAliasType

One = TypeVar("One")
Filled = Field(min_length=1)
Tables = Annotated[list[One], Filled]
Id = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]*$")]
Text = Annotated[str, Field(pattern=r"\S")]
Texts = Annotated[tuple[Text, ...], Filled]
Names = Annotated[tuple[str, ...], Filled]
Choices = Annotated[tuple[Literal["yes", "no", "unsure", "private"], ...], Filled]
Status = Literal["draft", "approved"]


class Table(BaseModel):
    """A table without other keys than these."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class Named(Table):
    """A table of an array."""

    id: Id


class Edition(Named):
    """Which rule book this is."""

    version: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._+-]{0,39}$")]


class Medicine(Table):
    """What the book is about."""

    name: Text
    brand: Text
    atc: Text
    rxnorm: Text = ""
    cites: Names


class Source(Named):
    """A document that facts come from."""

    title: Text
    publisher: Text
    sections: Texts
    note: Text = ""


class Fact(Named):
    """One statement of a source."""

    source: str
    section: str
    says: Text


class Labels(Table):
    """The words of the choices."""

    yes: Text
    no: Text
    unsure: Text
    private: Text


class Reasons(Table):
    """How the prescriber is told that a question is open."""

    unsure: Text
    private: Text
    missing: Text
    alone: Text


class Option(Named):
    """One thing that can be chosen."""

    label: Text


class FollowUp(Named):
    """A question that opens under certain choices of its parent question, with choices or with options of its own."""

    when: Names
    kind: Literal["one", "several", "text"]
    ask: Text
    hint: Text = ""
    unanswered: Text = ""
    topic: Text
    clarify: Text = ""
    choices: Choices = ()
    options: Tables[Option] = []


class Question(Named):
    """One main question."""

    ask: Text
    hint: Text = ""
    unanswered: Text = ""
    why: Text
    topic: Text
    clarify: Text
    choices: Choices
    loinc: Text = ""
    valid_for_hours: Annotated[int, Field(strict=True, ge=1)]
    follow_up: Tables[FollowUp] = []


class Evidence(Table):
    """What other references say."""

    status: Status
    agreement: Text
    note: Text
    references: Texts


class Rule(Named):
    """What applies when every question named in `when` has one of the values there."""

    when: dict[str, Names]
    severity: Literal["contraindication", "caution"]
    title: Text
    reason: Text
    confirm: Text
    cites: Names
    evidence: Evidence | None = None


class ChecklistItem(Named):
    """Something for the prescriber to cover with every patient."""

    text: Text
    cites: Names


class LeafletPart(Named):
    """One heading of the patient's leaflet with a paragraph, a list, or both."""

    urgent: Annotated[bool, Field(strict=True)] = False
    title: Text
    text: Text = ""
    points: Texts = ()
    cites: Names


class NotScreened(Named):
    """Something that nobody asked."""

    text: Text


class Book(Table):
    """The whole file."""

    edition: Edition
    medicine: Medicine
    source: Tables[Source]
    fact: Tables[Fact]
    choice: Labels
    open: Reasons
    question: Tables[Question]
    rule: Tables[Rule]
    checklist: Tables[ChecklistItem]
    leaflet: Tables[LeafletPart]
    not_screened: Tables[NotScreened]


class TranslationStatus(Table):
    """Whether somebody read the translation."""

    status: Literal["draft", "reviewed"]


class Translation(BaseModel):
    """A file that translates; its other tables follow those of the book."""

    translation: TranslationStatus


class Translated(Table):
    """The translation of a text, and the mark of the English text that it translates (`translation.wording_hash`)."""

    of: Annotated[str, Field(pattern=r"^[0-9a-f]{8}$")]
    text: Text


TranslatedTexts = TypeAliasType("TranslatedTexts", "Translated | dict[str, TranslatedTexts]")


class TranslationFile(Translation):
    """The whole file that translates, for the schema; `translation.py` reads it and tells its faults better."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, TranslatedTexts]
