"""The atlas as yes/no questions: which entities have which attribute, as the bits of one integer per question."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TypeVar

from turnenv.actions.numbers import whole
from turnenv.atlas.articles import Fact, facts

Key = TypeVar("Key")

#: topic -> what one of its entities is
NOUNS: Mapping[str, str] = {
    "animals": "animal",
    "books": "book",
    "composers": "composer",
    "countries": "country",
    "elements": "chemical element",
    "films": "film",
    "monuments": "monument",
    "mountains": "mountain",
    "music": "piece of music",
    "olympics": "Olympic Games",
    "painters": "painter",
    "paintings": "painting",
    "programming_languages": "programming language",
    "rivers": "river",
    "scientists": "scientist",
    "space": "celestial body",
    "us_states": "US state",
    "writers": "writer",
}

_SPOKEN = {
    "admitted": "year of admission",
    "born": "year of birth",
    "died": "year of death",
    "character": "main character",
    "domain": "internet domain",
    "female": "female form",
    "home": "home continent",
    "known_for": "claim to fame",
    "latin": "Latin name",
    "named_after": "namesake",
    "number": "atomic number",
    "order": "order from the Sun",
    "parent": "parent body",
    "young": "young animal",
}
_KINDS = ("category", "class", "kind")
_WORD = re.compile(r"(?:[^\W_]|[+#])+")


@dataclass(frozen=True, slots=True)
class Split:
    """How a question splits the entities: answer yes, answer no, or the question does not apply."""

    yes: int
    no: int
    neither: int


@dataclass(frozen=True)
class Attributes:
    """The entities of one topic or of all, and what is known of each; bit i stands for entity i.

    No two entities agree in their topic, in all numbers, and in all values that more than one entity has: questions can
    distinguish each from all others without naming a value that only it has.

    Attributes:
        entities: titles, in the atlas's order.
        by_topic: names of the attributes of each topic, as questions have them.
        numeric: the attributes whose values are all whole numbers.
        has: attribute -> the entities of which it is known.
        equal: (attribute, value in plain form) -> the entities with that value.
        numbers: numeric attribute -> pairs of a value and the entities with it, in order.
        kinds: a noun in plain form -> how `Is it a …?` splits the entities.
        names: a title in plain form -> the number of the entity.
    """

    entities: tuple[str, ...]
    by_topic: Mapping[str, tuple[str, ...]]
    numeric: frozenset[str]
    has: Mapping[str, int]
    equal: Mapping[tuple[str, str], int]
    numbers: Mapping[str, tuple[tuple[int, int], ...]]
    kinds: Mapping[str, Split]
    names: Mapping[str, int]

    @property
    def all(self) -> int:
        """All entities."""
        return (1 << len(self.entities)) - 1

    def with_value(self, attribute: str, value: str) -> Split:
        """How `Is its <attribute> <value>?` splits the entities."""
        return self._split(attribute, self.equal.get((attribute, plain(value)), 0))

    def below(self, attribute: str, number: int) -> Split:
        """How `Is its <attribute> less than <number>?` splits the entities."""
        return self._split(attribute, sum(mask for value, mask in self.numbers[attribute] if value < number))

    def above(self, attribute: str, number: int) -> Split:
        """How `Is its <attribute> more than <number>?` splits the entities."""
        return self._split(attribute, sum(mask for value, mask in self.numbers[attribute] if value > number))

    def _split(self, attribute: str, yes: int) -> Split:
        has = self.has[attribute]
        return Split(yes, has & ~yes, self.all & ~has)


@cache
def attributes(topic: str | None = None) -> Attributes:
    """The entities of a topic, or of all topics, and their attributes.

    Raises:
        ValueError: if there is no such topic.
    """
    if topic is not None and topic not in NOUNS:
        raise ValueError(f"there is no topic {topic!r}; the topics are {', '.join(NOUNS)}")
    known = _distinct([fact for fact in facts() if topic in (None, fact.topic)])
    entities = tuple({fact.subject: None for fact in known})
    number_of = {name: number for number, name in enumerate(entities)}
    topics = {fact.subject: fact.topic for fact in known}
    has: dict[str, int] = {"topic": (1 << len(entities)) - 1}
    equal: dict[tuple[str, str], int] = {}
    by_topic: dict[str, dict[str, None]] = {}
    for entity, value in topics.items():
        _add(equal, ("topic", plain(value)), number_of[entity])
    for fact in known:
        attribute, number = spoken(fact.relation), number_of[fact.subject]
        by_topic.setdefault(fact.topic, {})[attribute] = None
        _add(has, attribute, number)
        for value in dict.fromkeys(map(plain, (fact.value, *fact.aliases))):
            _add(equal, (attribute, value), number)
    numbers = _numbers(known, number_of)
    return Attributes(
        entities,
        {name: tuple(columns) for name, columns in by_topic.items()},
        frozenset(numbers),
        has,
        equal,
        numbers,
        _kinds(known, number_of, topics),
        {plain(name): number for name, number in number_of.items()},
    )


def spoken(relation: str) -> str:
    """What questions call a column of the atlas."""
    return _SPOKEN.get(relation, relation.replace("_", " "))


def plain(text: str) -> str:
    """The words of a text in lower case, without a leading article."""
    words = _WORD.findall(text.casefold())
    return " ".join(words[1:] if len(words) > 1 and words[0] in ("the", "a", "an") else words)


def as_number(value: str) -> int | None:
    """Read a whole number, with or without thousands separators and the unit metres; None if it is not one."""
    return whole(value.removesuffix(" metres"))


def _distinct(known: list[Fact]) -> list[Fact]:
    """The facts about entities that differ in what they share with others; of equal entities only the first stays."""
    numeric = _numeric(known)
    users: dict[tuple[str, str], int] = {}
    for fact in known:
        users[fact.relation, fact.value] = users.get((fact.relation, fact.value), 0) + 1
    profiles: dict[str, list[tuple[str, str]]] = {}
    for fact in known:
        shared = fact.relation in numeric or users[fact.relation, fact.value] > 1
        profiles.setdefault(fact.subject, [("topic", fact.topic)]).append((fact.relation, fact.value if shared else ""))
    kept = {tuple(profile): subject for subject, profile in reversed(profiles.items())}
    return [fact for fact in known if kept[tuple(profiles[fact.subject])] == fact.subject]


def _numeric(known: list[Fact]) -> frozenset[str]:
    texts = {fact.relation for fact in known if as_number(fact.value) is None}
    return frozenset(fact.relation for fact in known) - texts


def _numbers(known: list[Fact], number_of: Mapping[str, int]) -> dict[str, tuple[tuple[int, int], ...]]:
    masks: dict[str, dict[int, int]] = {}
    numeric = _numeric(known)
    for fact in known:
        value = as_number(fact.value)
        if fact.relation in numeric and value is not None:
            _add(masks.setdefault(spoken(fact.relation), {}), value, number_of[fact.subject])
    return {name: tuple(sorted(values.items())) for name, values in masks.items()}


def _kinds(known: list[Fact], number_of: Mapping[str, int], topics: Mapping[str, str]) -> dict[str, Split]:
    """Nouns of topics and of kinds inside a topic, for which an entity of the topic without a kind has no answer."""
    everything = (1 << len(number_of)) - 1
    members: dict[str, int] = {}
    for entity, topic in topics.items():
        _add(members, topic, number_of[entity])
    kinds = {plain(NOUNS[topic]): Split(mask, everything & ~mask, 0) for topic, mask in members.items()}
    for relation in _KINDS:
        column = [fact for fact in known if fact.relation == relation]
        stated = sum(1 << number_of[fact.subject] for fact in column)
        unstated = sum(members[topic] for topic in {fact.topic: None for fact in column}) & ~stated
        for noun, yes in _nouns(column, number_of):
            before = kinds.get(noun, Split(0, everything, 0))
            yes, neither = before.yes | yes, (before.neither | unstated) & ~(before.yes | yes)
            kinds[noun] = Split(yes, everything & ~yes & ~neither, neither)
    return kinds


def _nouns(column: list[Fact], number_of: Mapping[str, int]) -> Iterator[tuple[str, int]]:
    masks: dict[str, int] = {}
    for fact in column:
        for value in dict.fromkeys(map(plain, (fact.value, *fact.aliases))):
            _add(masks, value, number_of[fact.subject])
    yield from masks.items()


def _add(masks: dict[Key, int], key: Key, number: int) -> None:
    masks[key] = masks.get(key, 0) | 1 << number
