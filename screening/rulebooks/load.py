"""TOML -> RuleBook. Everything is checked, and every fault is reported at once with file, place and remedy."""

import hashlib
import json
import tomllib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

from screening.domain import rules as domain
from screening.rulebooks.reading import Overlay, RuleBookFault, Table

AZATHIOPRINE = Path(__file__).with_name("azathioprine.toml")
RANKS = 10_000  # more than any book has rules: ranks within one question's findings
OPEN_CHOICES = frozenset({domain.Open.UNSURE.value, domain.Open.PRIVATE.value})


class InvalidRuleBook(Exception):
    """Raised with every fault found in a rule book and its translations."""

    def __init__(self, faults: list[RuleBookFault]) -> None:
        super().__init__("\n".join(map(str, faults)))
        self.faults = faults


def load(path: Path = AZATHIOPRINE) -> Mapping[str, domain.RuleBook]:
    """The rule book at `path` in each of its languages, by language code, the base language first.

    Translations are the files beside it named `<name>.<language>.toml`. Raises InvalidRuleBook with all faults.
    """
    faults: list[RuleBookFault] = []
    files = {domain.BASE_LANGUAGE: path}
    for overlay in sorted(path.parent.glob(f"{path.stem}.*.toml")):
        language = overlay.stem.removeprefix(f"{path.stem}.")
        if language == domain.BASE_LANGUAGE:
            faults.append(RuleBookFault(overlay.name, "the file", "would replace the English book", "remove it"))
        files.setdefault(language, overlay)
    content: dict[str, object] = {}
    for language, file in files.items():
        try:
            content[language] = tomllib.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as err:
            faults.append(RuleBookFault(file.name, "the file", str(err), "make it a readable UTF-8 TOML file"))
    if faults:
        raise InvalidRuleBook(faults)
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), default=str)
    return _read(content, canonical, {language: file.name for language, file in files.items()})


@lru_cache(maxsize=8)
def load_content(content: str) -> Mapping[str, domain.RuleBook]:
    """The rule book kept as `domain.Edition.content`, in each of its languages. Raises InvalidRuleBook."""
    languages = json.loads(content)  # its digest was proven: it is what `load` made
    names = {language: f"stored edition ({language})" for language in languages}
    return _read(dict(sorted(languages.items(), key=lambda item: item[0] != domain.BASE_LANGUAGE)), content, names)


def _read(content: Mapping[str, object], canonical: str, names: Mapping[str, str]) -> Mapping[str, domain.RuleBook]:
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    faults: list[RuleBookFault] = []
    books = {}
    for language in content:
        overlay = None if language == domain.BASE_LANGUAGE else Overlay(names[language], content[language], faults)
        base = Table(names[domain.BASE_LANGUAGE], "", content[domain.BASE_LANGUAGE], faults, overlay=overlay)
        books[language] = _BookReader(base).book(language, digest, canonical)
        if overlay is not None:
            overlay.refuse_unused()
    if faults:
        raise InvalidRuleBook(list(dict.fromkeys(faults)))
    return MappingProxyType(books)


class _BookReader:
    """Reads one book in one language; faults collect in the table it reads from."""

    def __init__(self, top: Table) -> None:
        self.top = top
        self.facts: dict[str, domain.Fact] = {}
        self.cited: set[str] = set()
        self.asked: dict[str, domain.Question | domain.FollowUp] = {}
        self.read_by_rules: dict[str, list[domain.Fact]] = {}

    def book(self, language: str, digest: str, content: str) -> domain.RuleBook:
        """The whole book; only to be used when no fault was collected."""
        top = self.top
        edition = self._edition(top.table("edition"), digest, content)
        plain = "title publisher sections note"
        sources = tuple(one.read(domain.Source, plain=plain, optional="note") for one in top.tables("source"))
        for table in top.tables("fact"):
            fact = self._fact(table, sources)
            self.facts[fact.id] = fact
        medicine = top.table("medicine")
        self._cites(medicine)
        choice, open_ = top.table("choice"), top.table("open")
        labels = {key: choice.text(key) for key in ("yes", "no", "unsure", "private")}
        reasons = {key: open_.text(key) for key in (*domain.Open, "alone")}
        questions = tuple(self._question(table, labels) for table in top.tables("question"))
        for item in (item for question in questions for item in question.page):
            if item.id in self.asked:
                inside = f"{item.parent}.follow_up." if isinstance(item, domain.FollowUp) else ""
                remedy = "give each question and follow-up an id of its own"
                top.fault(f"question.{inside}{item.id}.id", f"{item.id!r} is asked twice", remedy)
            self.asked[item.id] = item
        rank = {asked: place for place, asked in enumerate(self.asked)}
        rules = tuple(self._rule(table, rank) for table in top.tables("rule"))
        book = domain.RuleBook(
            edition=edition,
            language=language,
            translation_status=self._translation_status(),
            medicine=medicine.read(domain.Medicine, plain="brand atc rxnorm", optional="rxnorm"),
            sources=sources,
            facts=tuple(self.facts.values()),
            questions=questions,
            rules=rules,
            open_findings=self._open_findings(reasons, rank),
            checklist=tuple(one.read(domain.ChecklistItem, cites=self._cites(one)) for one in top.tables("checklist")),
            leaflet=tuple(self._leaflet_part(table) for table in top.tables("leaflet")),
            not_screened=tuple(self._not_screened(table) for table in top.tables("not_screened")),
        )
        self._check_whole(questions)
        top.refuse_rest()
        return book

    def _edition(self, table: Table, digest: str, content: str) -> domain.Edition:
        status = table.one_of("status", ("draft", "approved"))
        approved = status == "approved"
        return table.read(
            domain.Edition,
            plain="version approved_by",
            optional="" if approved else "approved_by",
            status=status,
            approved_on=table.date("approved_on", required=approved),
            digest=digest,
            content=content,
        )

    def _translation_status(self) -> str:
        if self.top.overlay is None:
            return "reviewed"
        table = self.top.overlay.about
        status = table.one_of("status", ("draft", "reviewed"))
        table.refuse_rest()
        return status

    def _fact(self, table: Table, sources: tuple[domain.Source, ...]) -> domain.Fact:
        sections = {source.id: source.sections for source in sources}
        source = table.one_of("source", tuple(sections))
        section = table.one_of("section", sections.get(source, ()))
        return table.read(domain.Fact, plain="says", source=source, section=section)

    def _question(self, table: Table, labels: dict[str, str]) -> domain.Question:
        asked, options = table.id(), self._choices(table, labels)
        choices = tuple(option.id for option in options)
        inside = table.tables("follow_up", required=False)
        return table.read(
            domain.Question,
            id=asked,
            plain="loinc",
            optional="hint loinc",
            options=options,
            option_ids=frozenset(choices),
            follow_ups=tuple(self._follow_up(inner, asked, choices, labels) for inner in inside),
        )

    def _follow_up(
        self, table: Table, parent: str, choices: tuple[str, ...], labels: dict[str, str]
    ) -> domain.FollowUp:
        kind = table.one_of("kind", tuple(domain.Kind))
        if "choices" in table:
            options = self._choices(table, labels)
        else:
            options = tuple(one.read(domain.Option) for one in table.tables("options", required=False))
        if (kind == domain.Kind.TEXT) == bool(options):
            table.fault("options", f"do not fit kind {kind!r}", "give options to `one` and `several`, none to `text`")
        return table.read(
            domain.FollowUp,
            optional="hint clarify",
            parent=parent,
            when=frozenset(table.several_of("when", choices)),
            kind=domain.Kind(kind or domain.Kind.TEXT),
            options=options,
            option_ids=frozenset(option.id for option in options),
        )

    def _choices(self, table: Table, labels: dict[str, str]) -> tuple[domain.Option, ...]:
        values = table.several_of("choices", tuple(labels))
        if values and not set(values) >= OPEN_CHOICES:
            table.fault("choices", "leaves no way to leave it open", "offer unsure and private too")
        return tuple(domain.Option(id=value, label=labels[value]) for value in values)

    def _rule(self, table: Table, rank: dict[str, int]) -> domain.Rule:
        when = self._when(table)
        facts = self._cites(table)
        answer = max((asked for asked, _ in when), key=lambda asked: rank.get(asked, 0), default="")
        for asked, _ in when:
            self.read_by_rules.setdefault(asked, []).extend(facts)
        word = table.one_of("severity", ("contraindication", "caution"))
        name = table.id()
        if name.startswith("clarify-"):
            table.fault("id", "begins like the id of an open question", "choose another id")
        finding = table.read(
            domain.Finding,
            rule=name,
            answer=answer,
            severity=domain.Severity[word.upper()] if word else domain.Severity.NONE,
            open=None,
            evidence=self._evidence(table),
            cites=facts,
            rank=rank.get(answer, 0) * RANKS + table.number,
        )
        return domain.Rule(when=when, finding=finding)

    def _when(self, table: Table) -> tuple[tuple[str, frozenset[str]], ...]:
        inner = table.table("when")
        accepted: dict[str, frozenset[str]] = {}
        for asked in inner.names():
            about = self.asked.get(asked)
            if about is None:
                inner.fault(asked, "is not a question or follow-up", f"use one of: {', '.join(self.asked)}")
            elif not about.options:
                inner.fault(asked, "is answered in own words", "rules can read only answers that are chosen")
            else:
                accepted[asked] = frozenset(inner.several_of(asked, [option.id for option in about.options]))
        if not accepted:
            table.fault("when", "names no question", "name at least one question and the values that fire the rule")
        for asked, values in accepted.items():
            about = self.asked[asked]
            if values & OPEN_CHOICES:
                inner.fault(asked, "reads an open answer", "remove unsure and private: they always ask to clarify")
            if not values:
                inner.fault(asked, "can never fire: it accepts no value", "name the values that fire the rule")
            if not isinstance(about, domain.FollowUp) or about.parent not in accepted:
                continue
            if not accepted[about.parent] & about.when:
                inner.fault(
                    asked,
                    f"can never fire: it is only asked when {about.parent} is {' or '.join(sorted(about.when))}",
                    f"correct the values of {about.parent} or remove the rule",
                )
        return tuple(sorted(accepted.items()))

    def _evidence(self, table: Table) -> domain.Evidence | None:
        if "evidence" not in table:
            return None
        inner = table.table("evidence")
        status = inner.one_of("status", ("draft", "approved"))
        return inner.read(domain.Evidence, plain="references", status=status)

    def _leaflet_part(self, table: Table) -> domain.LeafletPart:
        optional = "points text" if "points" in table else "points"  # one of them has to be there
        return table.read(domain.LeafletPart, optional=optional, cites=self._cites(table))

    def _not_screened(self, table: Table) -> str:
        table.id()
        return table.text("text")

    def _cites(self, table: Table) -> tuple[domain.Fact, ...]:
        ids = table.several_of("cites", tuple(self.facts))
        self.cited.update(ids)
        return tuple(self.facts[one] for one in ids if one in self.facts)

    def _check_whole(self, questions: tuple[domain.Question, ...]) -> None:
        for fact in self.facts.values():
            if fact.id not in self.cited:
                remedy = "cite it in a rule, the checklist or the leaflet, or remove it"
                self.top.fault(f"fact.{fact.id}", "is cited nowhere", remedy)
        for question in questions:
            place = f"question.{question.id}"
            if question.id not in self.read_by_rules:
                self.top.fault(place, "is read by no rule", "add a rule for it or remove the question")
            for follow_up in question.follow_ups:
                if follow_up.id in self.read_by_rules and not follow_up.clarify:
                    self.top.fault(
                        f"{place}.follow_up.{follow_up.id}.clarify",
                        "is empty although a rule reads the answer",
                        "say what the prescriber is to establish when it is open",
                    )

    def _open_findings(
        self, reasons: dict[str, str], rank: dict[str, int]
    ) -> Mapping[tuple[str, domain.Open], domain.Finding]:
        return MappingProxyType(
            {
                (item.id, how): domain.Finding(
                    rule=f"clarify-{item.id}",
                    answer=item.id,
                    severity=domain.Severity.CLARIFY,
                    title=item.topic,
                    reason=reasons[how.value],
                    confirm=f"{reasons['alone']} {item.clarify}" if how is domain.Open.PRIVATE else item.clarify,
                    open=how,
                    evidence=None,
                    cites=tuple(dict.fromkeys(self.read_by_rules[item.id])),
                    rank=rank[item.id] * RANKS,
                )
                for item in self.asked.values()
                if item.id in self.read_by_rules
                for how in domain.Open
            }
        )
