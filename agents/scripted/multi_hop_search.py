"""MultiHopSearch: an agent that splits the question into steps, and one that searches for random names."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache

import numpy as np

from agents.scripted.atlas_reader import Step, phrase_pattern, read, shown_article
from turnenv.actions import XmlGrammar
from turnenv.atlas.multihop import Reference, final_questions, references
from turnenv.rewards import normalise

_XML = XmlGrammar()
_HINTS: Mapping[str, str] = {"countries": "country capital", "space": "Solar System", "animals": "animal"}
_OTHER_HINTS = "novel play poem"
_NAME = re.compile(r"[A-Z][\w'.-]*(?: [A-Z][\w'.-]*)*")


def make_expert() -> Callable[[str], str]:
    """Follows the question from the entity that it names, reading one article per step."""
    steps: Sequence[Step] = ()
    query, at, retried = "", 0, False

    def act(observation: str) -> str:
        nonlocal steps, query, at, retried
        asked = re.match(r"Question: (.*\?)", observation)
        if asked:
            query, steps = plan(asked[1])
            return _look_up(query, steps[0])
        title, text = shown_article(observation)
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
    """Searches for a random name that it has seen, or (three turns in ten) answers with one."""
    rng = np.random.default_rng(seed)
    seen: list[str] = []

    def act(observation: str) -> str:
        seen.extend(_NAME.findall(observation))
        word = str(rng.choice(seen)) if seen else "France"
        return _XML.answer(word) if rng.random() < 0.3 else _XML.call("search", {"query": word})

    return act


def plan(question: str) -> tuple[str, Sequence[Step]]:
    """The entity that the question names, and the steps from there to the answer.

    Raises:
        ValueError: if no public phrasing fits the question.
    """
    for pattern, last in _final_patterns():
        if found := pattern.fullmatch(question):
            name, steps = _resolve(found["name"], last.topics)
            if steps:
                return name, (*steps, last)
    raise ValueError(f"no public phrasing fits the question {question!r}")


def _resolve(described: str, targets: Sequence[str]) -> tuple[str, tuple[Step, ...]]:
    """The entity that a reference starts from, and the steps from it to an article of a target topic.

    Of several readings the one with the most steps is used, since "the discoverer of the {kind} {name}" fits too much.
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


@cache
def _final_patterns() -> Sequence[tuple[re.Pattern[str], Step]]:
    asking: dict[tuple[str, str], list[str]] = {}
    for topic, relations in final_questions().items():
        for relation, phrases in relations.items():
            for phrase in phrases:
                asking.setdefault((phrase, relation), []).append(topic)
    return [(phrase_pattern(phrase), Step(tuple(topics), relation)) for (phrase, relation), topics in asking.items()]


@cache
def _reference_patterns() -> Sequence[tuple[re.Pattern[str], Sequence[Reference]]]:
    meaning: dict[str, list[Reference]] = {}
    for entry in references():
        for phrase in dict.fromkeys((*entry.phrases, *entry.nested)):
            meaning.setdefault(phrase, []).append(entry)
    return [(phrase_pattern(phrase), entries) for phrase, entries in meaning.items()]


def _names(title: str, query: str) -> bool:
    return set(normalise(title.partition(" (")[0]).split()) <= set(normalise(query).split())


def _look_up(query: str, step: Step) -> str:
    hints = {_HINTS[topic] for topic in step.topics if topic in _HINTS}
    return _XML.call("search", {"query": " ".join([query, *hints])}, f"I look up {query}.")
