"""TriviaSearch: an agent that knows how questions and articles are phrased; the random one is MultiHopSearch's."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache

from agents.scripted.atlas_reader import Step, phrase_pattern, read, shown_article
from turnenv.actions import XmlGrammar
from turnenv.atlas.tables import topics

_XML = XmlGrammar()


def make_expert() -> Callable[[str], str]:
    """Searches for the question, and answers with the article's value for the relation that the question is about."""
    readings: Sequence[Step] = ()

    def act(observation: str) -> str:
        nonlocal readings
        if asked := re.match(r"Question: (.*)", observation):
            readings = asked_for(asked[1])
            return _XML.call("search", {"query": asked[1]}, "I look the question up.")
        _, text = shown_article(observation)
        values = [value for step in readings for value in read(step, text)]
        return _XML.answer(values[0] if values else "unknown", "The article says it.")

    return act


def asked_for(question: str) -> Sequence[Step]:
    """The readings of a question by the public phrasings, the one with the most fixed characters first."""
    return [step for _, pattern, step in _phrasings() if pattern.fullmatch(question)]


@cache
def _phrasings() -> Sequence[tuple[int, re.Pattern[str], Step]]:
    found = [
        (len(re.sub(r"\{\w+\}", "", phrase)), phrase_pattern(phrase), Step((topic.name,), relation.name))
        for topic in topics()
        for relation in topic.relations
        for phrase in relation.questions
    ]
    return sorted(found, key=lambda entry: -entry[0])
