"""Check the references between the tables of a rule book; `shape.py` checks each table."""

from collections.abc import Collection, Sequence

from screening.domain.rules import Open
from screening.rulebooks.reading import Content, Note, name_of

OPEN_CHOICES = frozenset({Open.UNSURE.value, Open.PRIVATE.value})
Places = list[tuple[str, Content]]  # tables, each with its place


class Proof:
    """Note every fault between tables. Missing keys are noted when the shape is read."""

    def __init__(self, book: Content, note: Note) -> None:
        self.note = note
        self.questions = self._array(book, "question")
        self.follow_ups = {
            place: self._array(question, "follow_up", f"{place}.")
            for place, question in self.questions
        }
        self.asked: dict[str, Content] = {}
        self.parents: dict[str, Content] = {}
        self.read_by_rules: set[str] = set()
        for place, question in self.questions:
            self._item(place, question)
            for inside, follow_up in self.follow_ups[place]:
                self.parents[follow_up.get("id", "")] = question
                self._item(inside, follow_up)
                self._follow_up(inside, follow_up, _options(question))
        rules = self._array(book, "rule")
        leaflet = self._array(book, "leaflet")
        for place, rule in rules:
            self._rule(place, rule)
        for place, part in leaflet:
            if "text" not in part and "points" not in part:
                note(f"{place}.text", "is missing", "add it")
        self._array(book, "not_screened")
        medicine = ("medicine", book.get("medicine", {}))
        self._facts(book, [medicine, *rules, *self._array(book, "checklist"), *leaflet])
        self._unread()

    def _array(self, table: Content, key: str, path: str = "") -> Places:
        """Return the tables of an array. An id that is used twice is a fault."""
        tables: Places = []
        for number, item in enumerate(table.get(key, ()), start=1):
            place = f"{path}{key}.{name_of(item, number)}"
            if place in dict(tables):
                self.note(f"{place}.id", "is used twice", f"give each {key} an id of its own")
            tables.append((place, item))
        return tables

    def _words(self, place: str, words: Sequence[str], allowed: Collection[str]) -> None:
        for number, word in enumerate(words):
            if word not in allowed:
                remedy = f"use some of: {', '.join(sorted(allowed))}"
                self.note(place, f"{word!r} is not known", remedy)
            elif word in words[:number]:
                self.note(place, f"{word!r} stands there twice", "remove one of them")

    def _item(self, place: str, item: Content) -> None:
        item_id = item.get("id", "")
        if item_id in self.asked:
            remedy = "give each question and follow-up an id of its own"
            self.note(f"{place}.id", f"{item_id!r} is asked twice", remedy)
        self.asked[item_id] = item
        choices = item.get("choices", ())
        self._words(f"{place}.choices", choices, choices)
        if choices and not set(choices) >= OPEN_CHOICES:
            remedy = "offer unsure and private too"
            self.note(f"{place}.choices", "leaves no way to leave it open", remedy)

    def _follow_up(self, place: str, item: Content, opening: Collection[str]) -> None:
        self._words(f"{place}.when", item.get("when", ()), opening)
        self._array(item, "options", f"{place}.")
        kind = item.get("kind")
        if kind and (kind == "text") == bool(_options(item)):
            remedy = "give options to `one` and `several`, none to `text`"
            self.note(f"{place}.options", f"do not fit kind {kind!r}", remedy)

    def _rule(self, place: str, rule: Content) -> None:
        when = rule.get("when", {})
        if not when:
            remedy = "name at least one question and the values that fire the rule"
            self.note(f"{place}.when", "names no question", remedy)
        if rule.get("id", "").startswith("clarify-"):
            self.note(f"{place}.id", "begins like the id of an open question", "choose another id")
        for item_id in when:
            self.read_by_rules.add(item_id)
            self._condition(f"{place}.when.{item_id}", item_id, when)

    def _condition(self, place: str, item_id: str, when: Content) -> None:
        if item_id not in self.asked:
            remedy = f"use one of: {', '.join(self.asked)}"
            self.note(place, "is not a question or follow-up", remedy)
            return
        item = self.asked[item_id]
        parent = self.parents.get(item_id, {}).get("id")
        if not _options(item):
            remedy = "rules can read only answers that are chosen"
            self.note(place, "is answered in own words", remedy)
            return
        self._words(place, when[item_id], _options(item))
        if OPEN_CHOICES & set(when[item_id]):
            remedy = "remove unsure and private: they always ask to clarify"
            self.note(place, "reads an open answer", remedy)
        if parent in when and not set(item.get("when", ())) & set(when[parent]):
            opening = " or ".join(sorted(item.get("when", ())))
            problem = f"can never fire: it is only asked when {parent} is {opening}"
            self.note(place, problem, f"correct the values of {parent} or remove the rule")

    def _facts(self, book: Content, citing: Places) -> None:
        sections: dict[str, Sequence[str]] = {
            source.get("id", ""): source.get("sections", ())
            for _place, source in self._array(book, "source")
        }
        facts = self._array(book, "fact")
        ids = {fact.get("id", "") for _place, fact in facts}
        cited = {fact_id for _place, table in citing for fact_id in table.get("cites", ())}
        for place, table in citing:
            self._words(f"{place}.cites", table.get("cites", ()), ids)
        for place, fact in facts:
            source = fact.get("source", "")
            for key, allowed in (("source", sections), ("section", sections.get(source, ()))):
                if key in fact and fact[key] not in allowed:
                    remedy = f"use one of: {', '.join(allowed)}"
                    self.note(f"{place}.{key}", f"{fact[key]!r} is not known", remedy)
            if fact.get("id") not in cited:
                remedy = "cite it in a rule, the checklist or the leaflet, or remove it"
                self.note(place, "is cited nowhere", remedy)

    def _unread(self) -> None:
        for place, question in self.questions:
            if question.get("id") not in self.read_by_rules:
                self.note(place, "is read by no rule", "add a rule for it or remove the question")
            for inside, follow_up in self.follow_ups[place]:
                if follow_up.get("id") in self.read_by_rules and "clarify" not in follow_up:
                    problem = "is empty although a rule reads the answer"
                    remedy = "say what the prescriber is to establish when it is open"
                    self.note(f"{inside}.clarify", problem, remedy)


def _options(item: Content) -> list[str]:
    return item.get("choices") or [option.get("id", "") for option in item.get("options", ())]
