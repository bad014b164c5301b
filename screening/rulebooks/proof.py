"""What must hold between the tables of a rule book, each of which has its shape."""

from collections.abc import Collection, Sequence

from screening.domain.rules import Open
from screening.rulebooks.reading import Content, Note, name_of

OPEN_CHOICES = frozenset({Open.UNSURE.value, Open.PRIVATE.value})
Places = list[tuple[str, Content]]  # tables, each with its place


class Proof:
    """Notes every fault between tables.

    Keys may be missing here: that is noted when the shape is read.
    """

    def __init__(self, book: Content, note: Note) -> None:
        self.note = note
        self.questions = self._array(book, "question")
        self.follow_ups = {
            place: self._array(one, "follow_up", f"{place}.") for place, one in self.questions
        }
        self.asked: dict[str, Content] = {}
        self.parents: dict[str, Content] = {}
        self.read_by_rules: set[str] = set()
        for place, question in self.questions:
            self._asked(place, question)
            for inside, follow_up in self.follow_ups[place]:
                self.parents[follow_up.get("id", "")] = question
                self._asked(inside, follow_up)
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
        self._all_is_read()

    def _array(self, table: Content, key: str, path: str = "") -> Places:
        """Return the tables of an array. An id that is used twice is a fault."""
        found: Places = []
        for number, one in enumerate(table.get(key, ()), start=1):
            place = f"{path}{key}.{name_of(one, number)}"
            if place in dict(found):
                self.note(f"{place}.id", "is used twice", f"give each {key} an id of its own")
            found.append((place, one))
        return found

    def _words(self, place: str, words: Sequence[str], allowed: Collection[str]) -> None:
        for number, word in enumerate(words):
            if word not in allowed:
                self.note(
                    place, f"{word!r} is not known", f"use some of: {', '.join(sorted(allowed))}"
                )
            elif word in words[:number]:
                self.note(place, f"{word!r} stands there twice", "remove one of them")

    def _asked(self, place: str, item: Content) -> None:
        asked = item.get("id", "")
        if asked in self.asked:
            self.note(
                f"{place}.id",
                f"{asked!r} is asked twice",
                "give each question and follow-up an id of its own",
            )
        self.asked[asked] = item
        choices = item.get("choices", ())
        self._words(f"{place}.choices", choices, choices)
        if choices and not set(choices) >= OPEN_CHOICES:
            self.note(
                f"{place}.choices", "leaves no way to leave it open", "offer unsure and private too"
            )

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
        for asked in when:
            self.read_by_rules.add(asked)
            self._condition(f"{place}.when.{asked}", asked, when)

    def _condition(self, place: str, asked: str, when: Content) -> None:
        if asked not in self.asked:
            self.note(
                place, "is not a question or follow-up", f"use one of: {', '.join(self.asked)}"
            )
            return
        item = self.asked[asked]
        parent = self.parents.get(asked, {}).get("id")
        if not _options(item):
            self.note(
                place, "is answered in own words", "rules can read only answers that are chosen"
            )
            return
        self._words(place, when[asked], _options(item))
        if OPEN_CHOICES & set(when[asked]):
            self.note(
                place,
                "reads an open answer",
                "remove unsure and private: they always ask to clarify",
            )
        if parent in when and not set(item.get("when", ())) & set(when[parent]):
            opening = " or ".join(sorted(item.get("when", ())))
            problem = f"can never fire: it is only asked when {parent} is {opening}"
            self.note(place, problem, f"correct the values of {parent} or remove the rule")

    def _facts(self, book: Content, citing: Places) -> None:
        sections: dict[str, Sequence[str]] = {
            one.get("id", ""): one.get("sections", ()) for _, one in self._array(book, "source")
        }
        facts = self._array(book, "fact")
        ids = {one.get("id", "") for _, one in facts}
        cited = {fact for _, table in citing for fact in table.get("cites", ())}
        for place, table in citing:
            self._words(f"{place}.cites", table.get("cites", ()), ids)
        for place, fact in facts:
            source = fact.get("source", "")
            for key, allowed in (("source", sections), ("section", sections.get(source, ()))):
                if key in fact and fact[key] not in allowed:
                    self.note(
                        f"{place}.{key}",
                        f"{fact[key]!r} is not known",
                        f"use one of: {', '.join(allowed)}",
                    )
            if fact.get("id") not in cited:
                remedy = "cite it in a rule, the checklist or the leaflet, or remove it"
                self.note(place, "is cited nowhere", remedy)

    def _all_is_read(self) -> None:
        for place, question in self.questions:
            if question.get("id") not in self.read_by_rules:
                self.note(place, "is read by no rule", "add a rule for it or remove the question")
            for inside, follow_up in self.follow_ups[place]:
                if follow_up.get("id") in self.read_by_rules and "clarify" not in follow_up:
                    remedy = "say what the prescriber is to establish when it is open"
                    self.note(
                        f"{inside}.clarify", "is empty although a rule reads the answer", remedy
                    )


def _options(item: Content) -> list[str]:
    return item.get("choices") or [one.get("id", "") for one in item.get("options", ())]
