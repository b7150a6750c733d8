"""Reads an article of the atlas by the public phrasings of the facts of its topic."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from turnenv.atlas.tables import topics

_RESULT = re.compile(r"<result>\n(.*)\n</result>", re.DOTALL)
_YEARS = frozenset({"born", "died", "year", "admitted"})
# A full stop after a single letter may be an initial's: J. R. R. Tolkien.
_SENTENCE_ENDS = (re.compile(r"(?<! [A-Z])(?<!^[A-Z])\. (?=[A-Z\d])"), re.compile(r"\. (?=[A-Z\d])"))


@dataclass(frozen=True)
class Step:
    """Read `relation` in an article of one of the topics; with a `season`, the year read there names Olympic Games."""

    topics: tuple[str, ...]
    relation: str
    season: str = ""


def shown_article(observation: str) -> tuple[str, str]:
    """Title and text of the article that a search result shows, both empty if there is none."""
    shown = _RESULT.search(observation)
    title, _, text = shown[1].partition(": ") if shown else ("", "", "")
    return title, text


def read(step: Step, text: str) -> list[str]:
    """The values that an article may state for the step's relation, the likeliest first.

    One sentence may fit two relations ("It stands in …", a city or a country): a value that another sentence states
    for another relation comes last.
    """
    for end in _SENTENCE_ENDS:
        for topic in step.topics:
            found_in = [_facts_in(topic, sentence) for sentence in end.split(text.removesuffix("."))]
            values = [found[step.relation] for found in found_in if step.relation in found]
            if values:
                others = [value for found in found_in for relation, value in found.items() if relation != step.relation]
                return sorted(dict.fromkeys(values), key=lambda value: others.count(value) - values.count(value))
    return []


def _facts_in(topic: str, sentence: str) -> Mapping[str, str]:
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


def phrase_pattern(phrase: str) -> re.Pattern[str]:
    """A pattern for a public phrasing of a question, with a group for each of its placeholders."""
    parts = re.split(r"\{(\w+)\}", phrase)
    kinds = [
        f"(?P<{part}>{'.+' if part == 'name' else '[a-z ]+?'})" if at % 2 else re.escape(part)
        for at, part in enumerate(parts)
    ]
    return re.compile("".join(kinds), re.IGNORECASE)
