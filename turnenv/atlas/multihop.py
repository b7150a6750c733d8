"""Questions of two to four hops over the atlas: the answer of each hop names the article of the next."""

from __future__ import annotations

import re
import tomllib
import zlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from turnenv.atlas import articles as atlas
from turnenv.atlas.articles import SPLITS, Fact
from turnenv.atlas.tables import Row, topics
from turnenv.rewards import contains

__all__ = ["MAX_HOPS", "MIN_HOPS", "MultiHopQuestion", "Reference", "final_questions", "questions", "references"]

#: The number of hops of the shortest and of the longest question.
MIN_HOPS, MAX_HOPS = 2, 4

_YEAR = re.compile(r"\d{4}")
_SEASONS = ("Summer", "Winter")
_HELD_A_YEAR_LATER = frozenset({"2020 Summer Olympics"})


@dataclass(frozen=True)
class Reference:
    """How to refer to an entity by a fact that leads to it ("the author of {name}").

    Attributes:
        topic: the topic of the fact.
        relation: the relation of the fact.
        target: the topic of the entity that it leads to.
        phrases: wordings; `{name}` is the fact's subject, `{kind}` its kind.
        nested: wordings for a `{name}` that is a reference itself; empty if it must not be one.
    """

    topic: str
    relation: str
    target: str
    phrases: tuple[str, ...]
    nested: tuple[str, ...]


@dataclass(frozen=True)
class MultiHopQuestion:
    """One question.

    Attributes:
        id: depends only on the chain of facts.
        question: names the first entity alone.
        answers: the canonical answer, then its aliases; all are correct.
        hops: the facts to be read, in order; each leads to the next one's subject, and the last one answers.
    """

    id: int
    question: str
    answers: tuple[str, ...]
    hops: tuple[Fact, ...]

    @property
    def titles(self) -> tuple[str, ...]:
        """Titles of the articles that state the hops, in order; all differ."""
        return tuple(fact.subject for fact in self.hops)


@cache
def questions(split: str | None = None) -> tuple[MultiHopQuestion, ...]:
    """The questions, ordered by hops, then as `atlas.facts`.

    A training question names a training entity of the atlas and asks about one. A question of another split names an
    entity of that split and asks about an entity outside training. Other chains are no questions.

    Args:
        split: one of `atlas.SPLITS`, or None for all.

    Raises:
        ValueError: if there is no such split.
    """
    if split is None:
        return tuple(sorted(_ask_all(), key=lambda question: len(question.hops)))
    if split not in SPLITS:
        raise ValueError(f"unknown split {split!r}; it is one of {', '.join(SPLITS)}, or None for all")
    return tuple(question for question in questions() if _split_of(question.hops) == split)


@cache
def references() -> tuple[Reference, ...]:
    """Every way to refer to an entity by a fact that leads to it."""
    entries = _phrasings()["references"]
    return tuple(
        Reference(
            entry["topic"],
            entry["relation"],
            entry["target"],
            tuple(entry["phrases"]),
            tuple(entry.get("nested", entry["phrases"])),
        )
        for entry in entries
    )


def final_questions() -> Mapping[str, Mapping[str, Sequence[str]]]:
    """Topic -> relation -> phrasings of the question for it; `{name}` is a reference."""
    by_topic: Mapping[str, Mapping[str, Sequence[str]]] = _phrasings()["questions"]
    return by_topic


@cache
def _phrasings() -> Mapping[str, Any]:
    return tomllib.loads((files("turnenv.atlas") / "multihop.toml").read_text(encoding="utf-8"))


def _ask_all() -> Iterator[MultiHopQuestion]:
    """Make a question of every chain that is in a split and has no shortcut."""
    for hops, described in _chains():
        last = hops[-1]
        phrasings = final_questions().get(last.topic, {}).get(last.relation)
        if len(hops) < MIN_HOPS or not phrasings or not _split_of(hops):
            continue
        answers, number = (last.value, *last.aliases), _number(hops)
        text = phrasings[number % len(phrasings)].format(name=described)
        text = text[0].upper() + text[1:]
        if not contains(text, (*answers, *(fact.subject for fact in hops[1:]))) and not _has_shortcut(hops, answers):
            yield MultiHopQuestion(number, text, answers, hops)


def _chains() -> Iterator[tuple[tuple[Fact, ...], str]]:
    """Chains of facts, each leading to the subject of the next, with the reference to the last one's subject."""
    rows = {row.title: row for topic in topics() for row in topic.rows}
    for fact in atlas.facts():
        yield from _extend((fact,), rows[fact.subject], "")


def _extend(hops: tuple[Fact, ...], first: Row, described: str) -> Iterator[tuple[tuple[Fact, ...], str]]:
    """The chain itself, then all those that begin with it."""
    yield hops, described
    if len(hops) == MAX_HOPS:
        return
    last = hops[-1]
    for title, season in _leads_to(last):
        facts = _facts_of().get(title, ())
        reference = facts and _reference(last.topic, last.relation, facts[0].topic)
        phrases = reference and (reference.nested if described else reference.phrases)
        if not phrases or title in {fact.subject for fact in hops}:
            continue
        words = {"name": described or first.asked, "kind": first.cells.get("kind", ("",))[0], "season": season}
        described_next = phrases[_number(hops) % len(phrases)].format_map(words)
        for fact in facts:
            yield from _extend((*hops, fact), first, described_next)


def _leads_to(fact: Fact) -> Iterator[tuple[str, str]]:
    """Titles of the articles that a fact leads to, and the season of the Games where a year leads to them."""
    if fact.link:
        yield fact.link, ""
    elif _YEAR.fullmatch(fact.value):
        games = [(f"{fact.value} {season} Olympics", season) for season in _SEASONS]
        yield from ((title, season) for title, season in games if title not in _HELD_A_YEAR_LATER)


@cache
def _facts_of() -> Mapping[str, tuple[Fact, ...]]:
    facts: dict[str, tuple[Fact, ...]] = defaultdict(tuple)
    for fact in atlas.facts():
        facts[fact.subject] += (fact,)
    return facts


@cache
def _reference(topic: str, relation: str, target: str) -> Reference | None:
    wanted = (topic, relation, target)
    return next((entry for entry in references() if (entry.topic, entry.relation, entry.target) == wanted), None)


def _split_of(hops: Sequence[Fact]) -> str | None:
    """The split of a chain; None if it connects training entities with others."""
    named, asked = atlas.split_of(hops[0].subject), atlas.split_of(hops[-1].subject)
    return named if (named == "train") == (asked == "train") else None


def _has_shortcut(hops: Sequence[Fact], answers: Sequence[str]) -> bool:
    """True if an article before the last one also states the answer."""
    return any(contains(_texts()[fact.subject], answers) for fact in hops[:-1])


@cache
def _texts() -> Mapping[str, str]:
    return {article.title: f"{article.title}: {article.text}" for article in atlas.articles()}


def _number(hops: Sequence[Fact]) -> int:
    """32 bits that name a chain, the same in every process."""
    return zlib.crc32("/".join(f"{fact.subject}.{fact.relation}" for fact in hops).encode())
