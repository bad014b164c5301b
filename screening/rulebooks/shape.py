"""The shape of a rule book: its tables, their keys and values. `proof.py` checks references.

Tables are in lists and words in tuples, so that pydantic's errors distinguish the two.
"""

from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypeAliasType

Item = TypeVar("Item")
Filled = Field(min_length=1)
Tables = Annotated[list[Item], Filled]
Id = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]*$")]
Text = Annotated[str, Field(pattern=r"\S")]
Texts = Annotated[tuple[Text, ...], Filled]
Names = Annotated[tuple[str, ...], Filled]
Choices = Annotated[tuple[Literal["yes", "no", "unsure", "private"], ...], Filled]
Status = Literal["draft", "approved"]


class Table(BaseModel):
    """A table that has no other keys than its fields."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class Named(Table):
    """A table of an array."""

    id: Id


class Edition(Named):
    """The identity of a rule book."""

    version: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._+-]{0,39}$")]


class Medicine(Table):
    """The medicine that the book screens for."""

    name: Text
    brand: Text
    atc: Text
    rxnorm: Text = ""
    cites: Names


class Source(Named):
    """A document that facts are taken from."""

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
    """The labels of the choices."""

    yes: Text
    no: Text
    unsure: Text
    private: Text


class Reasons(Table):
    """The words for the prescriber about a question that is open."""

    unsure: Text
    private: Text
    missing: Text
    alone: Text


class Option(Named):
    """An option of a follow-up."""

    label: Text


class FollowUp(Named):
    """A question after certain choices of its parent question, with choices or own options."""

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
    """The statements of other references."""

    status: Status
    agreement: Text
    note: Text
    references: Texts


class Rule(Named):
    """A rule: it applies when every question named in `when` has one of the values there."""

    when: dict[str, Names]
    severity: Literal["contraindication", "caution"]
    title: Text
    reason: Text
    confirm: Text
    cites: Names
    evidence: Evidence | None = None


class ChecklistItem(Named):
    """One point for the prescriber to discuss with every patient."""

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
    """A subject that no question covers."""

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
    """The status of a translation: whether it was reviewed."""

    status: Literal["draft", "reviewed"]


class Translation(BaseModel):
    """A file with a translation. Its other tables follow those of the book."""

    translation: TranslationStatus


class Translated(Table):
    """The translation of a text and the hash of the English text (`translation.wording_hash`)."""

    of: Annotated[str, Field(pattern=r"^[0-9a-f]{8}$")]
    text: Text


TranslatedTexts = TypeAliasType("TranslatedTexts", "Translated | dict[str, TranslatedTexts]")


class TranslationFile(Translation):
    """The whole file of a translation, for the schema alone: `translation.py` reads it."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, TranslatedTexts]
