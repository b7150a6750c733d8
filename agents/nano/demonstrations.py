"""Scripted demonstrations of mixed quality that teach the nano policy, with good and bad habits in given shares.

The shares below decide where the policy starts. They were set from the paper's base-model row (Qwen2.5-7B, arXiv
2505.11821 v2, Table 5: tool success 28 %, answer in the result 19 %, exact match 5 %) before any RL run.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from random import Random

from agents.nano.names import Inventor
from agents.nano.teaching import Message
from turnenv.actions import XmlGrammar
from turnenv.atlas.articles import Article, Question, articles, facts, questions
from turnenv.envs.trivia_search import TriviaSearch

GRAMMAR = XmlGrammar()


def answer(text: str, reasoning: str) -> str:
    """A message that answers."""
    # A word after a space has other tokens than at the start of a line; with the space, a copied word has the same.
    return GRAMMAR.answer(f" {text}", reasoning)


def _call(query: str, reasoning: str) -> str:
    return GRAMMAR.call("search", {"query": f" {query}"}, reasoning)


@dataclass(frozen=True)
class Habits:
    """How often a demonstrator does what; the shares of each mapping sum to 1.

    Attributes:
        first: the first message: a good call, a call about something else, a broken call, a guess, a broken guess.
        reading: the reply to a result: careful reading, careless reading, a guess, a broken answer, another search.
        careful: how often careful reading takes the value that was asked for, not another one of the article.
        careless: the same for careless reading.
    """

    first: Mapping[str, float]
    reading: Mapping[str, float]
    careful: float
    careless: float


SKILLED = Habits(
    first={"call": 0.92, "stray_call": 0.02, "broken_call": 0.01, "guess": 0.05, "broken_guess": 0.0},
    reading={"careful": 0.98, "careless": 0.0, "guess": 0.02, "broken": 0.0, "again": 0.0},
    careful=1.0,
    careless=0.2,
)
"""Teaches the skills: how to search, and how to find the value in the article."""

WEAK = Habits(
    first={"call": 0.36, "stray_call": 0.02, "broken_call": 0.20, "guess": 0.32, "broken_guess": 0.10},
    reading={"careful": 0.40, "careless": 0.25, "guess": 0.20, "broken": 0.10, "again": 0.05},
    careful=0.9,
    careless=0.05,
)
"""Teaches the weak habits with which training starts."""


class Demonstrator:
    """Makes conversations about the atlas's training entities; none is about a held-out entity.

    In most of them the article is made up: an atlas article with another name and other values, so that the answer can
    be read but not remembered.

    Args:
        rng: makes all random choices.
        invented: the probability that the article is made up, if the question contains the entity's name.
        knows: says of a question about a real entity whether a guess is the right answer; by default it is random.
    """

    def __init__(
        self, rng: Random, *, invented: float = 0.85, knows: Callable[[Question], bool] = lambda question: False
    ) -> None:
        self.rng, self._invented, self._knows = rng, invented, knows
        self._env = TriviaSearch(split="train")
        self._questions = questions("train")
        self._entities = sorted({question.title for question in self._questions})
        self._articles = {article.title: article for article in articles()}

    @cached_property
    def _values(self) -> dict[str, list[tuple[str, str]]]:
        """The (relation, value) pairs of each training article."""
        known = set(self._entities)
        values: dict[str, list[tuple[str, str]]] = {title: [] for title in self._entities}
        for fact in facts():
            if fact.subject in known:
                values[fact.subject].append((fact.relation, fact.value))
        return values

    @cached_property
    def _pools(self) -> dict[str, list[str]]:
        """The values of each relation."""
        pools: dict[str, set[str]] = {}
        for pairs in self._values.values():
            for relation, value in pairs:
                pools.setdefault(relation, set()).add(value)
        return {relation: sorted(pool) for relation, pool in pools.items()}

    @cached_property
    def _inventor(self) -> Inventor:
        text = " ".join([*self._entities, *(value for pool in self._pools.values() for value in pool)])
        return Inventor(self.rng, sorted(set(re.findall(r"[A-Za-z]{3,}", text))))

    def conversation(self, habits: Habits) -> list[Message]:
        """Demonstrate one episode: the messages in order, without the last observation."""
        asked = self.rng.choice(self._questions)
        values: Sequence[tuple[str, str]]
        article, values = self._articles[asked.title], self._values[asked.title]
        if self.rng.random() < self._invented:
            asked, article, values = self._invent(asked, article, values)
        messages = [Message("user", f"Question: {asked.question}")]
        kind = _draw(self.rng, habits.first)
        messages.append(Message("assistant", self._first(kind, asked)))
        if kind == "guess":
            return messages
        if kind == "call":
            messages.append(Message("user", GRAMMAR.result(f"{article.title}: {article.text}")))
        elif kind == "stray_call":
            other = self.rng.choice(self._entities)
            values = self._values[other]
            messages.append(Message("user", GRAMMAR.result(f"{other}: {self._articles[other].text}")))
        else:
            values = []
            messages.append(Message("user", self._refusal(messages[-1].text)))
        messages.append(Message("assistant", self._second(habits, asked, values)))
        return messages

    def _refusal(self, message: str) -> str:
        """What the environment replies to a broken message."""
        self._env.reset(seed=0)
        return self._env.step(message)[0]

    def _first(self, kind: str, asked: Question) -> str:
        if kind == "guess":
            return answer(self._guess(asked), self._pick("I know this.", "I think I know it."))
        if kind == "broken_guess":
            return self._broken(answer(self._guess(asked), "I know this."), "answer")
        topic = asked.relation.replace("_", " ")
        subject = self.rng.choice(self._entities) if kind == "stray_call" else asked.entity
        query = self._pick(f"{subject} {topic}", f"{topic} of {subject}", subject)
        thought = self._pick("I should search.", "I should look it up.")
        call = _call(query, thought)
        return self._broken(call, "tool") if kind == "broken_call" else call

    def _second(self, habits: Habits, asked: Question, values: Sequence[tuple[str, str]]) -> str:
        kind = _draw(self.rng, habits.reading)
        if kind == "again":
            return _call(asked.entity, "I should search.")
        if kind == "broken":
            return self._broken(answer(self._guess(asked), "I think I know it."), "answer")
        if kind == "guess" or not values:
            return answer(self._guess(asked), "I think I know it.")
        right = next((value for relation, value in values if relation == asked.relation), None)
        sure = habits.careful if kind == "careful" else habits.careless
        if right is None or self.rng.random() >= sure:
            right = self.rng.choice([value for _, value in values if value != right] or [self._guess(asked)])
        return answer(right, "The result says it." if kind == "careful" else "I have read it.")

    def _guess(self, asked: Question) -> str:
        if asked.title in self._values and self._knows(asked):
            return asked.answers[0]
        return self.rng.choice(self._pools[asked.relation])

    def _broken(self, message: str, tag: str) -> str:
        ways: list[Callable[[], str]] = [
            lambda: message.replace(f"\n</{tag}>", ""),
            lambda: message.replace(f"<{tag}>\n", ""),
        ]
        if tag == "tool":
            ways += [
                lambda: message.replace('"query"', '"q"'),
                lambda: message.replace('"search"', '"lookup"'),
                lambda: message.replace('"}}', '"'),
            ]
        return self.rng.choice(ways)()

    def _pick(self, *choices: str) -> str:
        return self.rng.choice(choices)

    def _invent(
        self, asked: Question, article: Article, values: Sequence[tuple[str, str]]
    ) -> tuple[Question, Article, Sequence[tuple[str, str]]]:
        """The same article and question about a made-up entity with other values."""
        if asked.entity.lower() not in asked.question.lower():
            return asked, article, values
        name = self._inventor.name()
        replaced = [(relation, self._other_value(relation)) for relation, _ in values]
        swaps = {old: new for (_, old), (_, new) in zip(values, replaced, strict=True)}
        swaps |= {article.title: name, asked.entity: name}
        text = _swap(article.text, swaps)
        question = _swap(asked.question, {asked.entity: name})
        invented = Question(asked.id, question, asked.answers, asked.topic, asked.relation, name, name)
        # Two relations with the same value still have the same value after the swap.
        pairs = [(relation, swaps[old]) for relation, old in values]
        return invented, Article(name, article.topic, text), pairs

    def _other_value(self, relation: str) -> str:
        other = self.rng.choice(self._pools[relation])
        if re.search(r"\d\d", other):
            return self._inventor.number(other)
        wordy = re.fullmatch(r"[A-Z][a-z]+( [A-Z][a-z]+)*", other) is not None
        return self._inventor.name() if wordy and self.rng.random() < 0.7 else other


def _draw(rng: Random, shares: Mapping[str, float]) -> str:
    return rng.choices(list(shares), list(shares.values()))[0]


def _swap(text: str, swaps: Mapping[str, str]) -> str:
    lowered = {old.lower(): new for old, new in swaps.items()}
    longest_first = sorted(map(re.escape, swaps), key=len, reverse=True)
    pattern = re.compile(rf"(?<!\w)({'|'.join(longest_first)})(?!\w)", re.IGNORECASE)
    return pattern.sub(lambda found: lowered[found[0].lower()], text)
