"""Players of MultiHopSearch: one that takes the question apart, and one that searches words at random."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from turnenv.actions import XmlGrammar
from turnenv.data.multihop import Reference, final_questions, references
from turnenv.data.tables import topics
from turnenv.rewards import normalise

_XML = XmlGrammar()
_RESULT = re.compile(r"<result>\n(.*)\n</result>", re.DOTALL)
_HINTS: Mapping[str, str] = {"countries": "country capital", "space": "Solar System", "animals": "animal"}
_OTHER_HINTS = "novel play poem"
_YEARS = frozenset({"born", "died", "year", "admitted"})
# A full stop after a single letter may be an initial's: J. R. R. Tolkien.
_SENTENCE_ENDS = (re.compile(r"(?<! [A-Z])(?<!^[A-Z])\. (?=[A-Z\d])"), re.compile(r"\. (?=[A-Z\d])"))
_NAME = re.compile(r"[A-Z][\w'.-]*(?: [A-Z][\w'.-]*)*")


@dataclass(frozen=True)
class Step:
    """Read `relation` in an article of one of the topics; the year that it gives may lead to the Games of a season."""

    topics: tuple[str, ...]
    relation: str
    season: str = ""


def make_expert() -> Callable[[str], str]:
    """Follows the question from the entity that it names, reading one article a step."""
    steps: Sequence[Step] = ()
    query, at, retried = "", 0, False

    def act(observation: str) -> str:
        nonlocal steps, query, at, retried
        asked = re.match(r"Question: (.*\?)", observation)
        if asked:
            query, steps = plan(asked[1])
            return _look_up(query, steps[0])
        shown = _RESULT.search(observation)
        title, _, text = shown[1].partition(": ") if shown else ("", "", "")
        values = read(steps[at], text)
        if not retried and (not values or not _names(title, query)):
            retried = True
            return _look_up(f"{query} {steps[at].relation} {_OTHER_HINTS}", steps[at])
        value = values[0] if values else query
        if at + 1 == len(steps):
            return _XML.answer(value, "The article says it.")
        query = f"{value} {steps[at].season} Olympics" if steps[at].season else value
        at += 1
        return _look_up(query, steps[at])

    return act


def make_random(seed: int) -> Callable[[str], str]:
    """Searches for names that it has seen, and at some turn answers with one."""
    rng = np.random.default_rng(seed)
    seen: list[str] = []

    def act(observation: str) -> str:
        seen.extend(_NAME.findall(observation))
        word = str(rng.choice(seen)) if seen else "France"
        return _XML.answer(word) if rng.random() < 0.3 else _XML.call("search", {"query": word})

    return act


def plan(question: str) -> tuple[str, Sequence[Step]]:
    """What the question names, and the steps from there to the answer."""
    for pattern, last in _final_patterns():
        if found := pattern.fullmatch(question):
            name, steps = _resolve(found["name"], last.topics)
            if steps:
                return name, (*steps, last)
    raise ValueError(f"no public phrasing fits the question {question!r}")


def _resolve(described: str, targets: Sequence[str]) -> tuple[str, tuple[Step, ...]]:
    """The entity that a reference starts from, and the steps from it to an article of a target topic.

    Of several readings the one with most steps is taken: "the discoverer of the {kind} {name}" fits too much.
    """
    best: tuple[str, tuple[Step, ...]] = described, ()
    for pattern, entries in _reference_patterns():
        topics = tuple(entry.topic for entry in entries if entry.target in targets)
        found = pattern.fullmatch(described) if topics else None
        if found:
            name, before = _resolve(found["name"], topics)
            steps = (*before, Step(topics, entries[0].relation, found.groupdict().get("season", "")))
            best = max(best, (name, steps), key=lambda reading: len(reading[1]))
    return best


def read(step: Step, text: str) -> list[str]:
    """What an article may say of the step's relation, the likeliest first.

    One sentence may fit two relations ("It stands in …", of a city and of a country): what another sentence tells of
    another relation comes last.
    """
    for end in _SENTENCE_ENDS:
        for topic in step.topics:
            told = [_told(topic, sentence) for sentence in end.split(text.removesuffix("."))]
            values = [found[step.relation] for found in told if step.relation in found]
            if values:
                others = [value for found in told for relation, value in found.items() if relation != step.relation]
                return sorted(dict.fromkeys(values), key=lambda value: others.count(value) - values.count(value))
    return []


def _told(topic: str, sentence: str) -> Mapping[str, str]:
    """Relation -> value by the public phrasing that explains most of a sentence; several relations if it is a tie."""
    fits = [(literal, relations) for pattern, literal in _phrasings(topic) if (relations := _fit(pattern, sentence))]
    most = max((literal for literal, _ in fits), default=0)
    return {relation: value for literal, relations in fits if literal == most for relation, value in relations.items()}


def _fit(pattern: re.Pattern[str], sentence: str) -> Mapping[str, str]:
    found = pattern.fullmatch(sentence)
    values = found.groupdict() if found else {}
    sound = all(value.isdigit() for relation, value in values.items() if relation in _YEARS)
    return values if sound else {}


@cache
def _phrasings(topic_name: str) -> Sequence[tuple[re.Pattern[str], int]]:
    """A pattern for each public phrasing of a topic, with the number of its fixed characters."""
    topic = next(topic for topic in topics() if topic.name == topic_name)
    sentences = [*topic.intros, *(sentence for relation in topic.relations for sentence in relation.sentences)]
    return [(_sentence(sentence), len(re.sub(r"\{\w+\}", "", sentence))) for sentence in sentences]


def _sentence(phrasing: str) -> re.Pattern[str]:
    fixed = re.split(r"(\{\w+\})", phrasing.removesuffix("."))
    return re.compile(
        "".join(_field(part) if part.startswith("{") else re.escape(part) for part in fixed), re.IGNORECASE
    )


def _field(placeholder: str) -> str:
    name = placeholder.strip("{}")
    if name == "name":
        return ".+?"
    return f"an? (?P<{name[2:]}>.+?)" if name.startswith("a_") else f"(?P<{name}>.+?)"


@cache
def _final_patterns() -> Sequence[tuple[re.Pattern[str], Step]]:
    asking: dict[tuple[str, str], list[str]] = {}
    for topic, relations in final_questions().items():
        for relation, phrases in relations.items():
            for phrase in phrases:
                asking.setdefault((phrase, relation), []).append(topic)
    return [(_phrase(phrase), Step(tuple(topics), relation)) for (phrase, relation), topics in asking.items()]


@cache
def _reference_patterns() -> Sequence[tuple[re.Pattern[str], Sequence[Reference]]]:
    meaning: dict[str, list[Reference]] = {}
    for entry in references():
        for phrase in dict.fromkeys((*entry.phrases, *entry.nested)):
            meaning.setdefault(phrase, []).append(entry)
    return [(_phrase(phrase), entries) for phrase, entries in meaning.items()]


def _phrase(phrase: str) -> re.Pattern[str]:
    parts = re.split(r"\{(\w+)\}", phrase)
    kinds = [
        f"(?P<{part}>{'.+' if part == 'name' else '[a-z ]+?'})" if at % 2 else re.escape(part)
        for at, part in enumerate(parts)
    ]
    return re.compile("".join(kinds), re.IGNORECASE)


def _names(title: str, query: str) -> bool:
    return set(normalise(title.partition(" (")[0]).split()) <= set(normalise(query).split())


def _look_up(query: str, step: Step) -> str:
    hints = {_HINTS[topic] for topic in step.topics if topic in _HINTS}
    return _XML.call("search", {"query": " ".join([query, *hints])}, f"I look up {query}.")
