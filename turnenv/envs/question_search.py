"""What the families share that answer a question with a search tool: the dialogue, its limits and its outcome."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Annotated, ClassVar, Protocol, TypeVar

import numpy as np
from pydantic import Field

from turnenv.actions import Answer, Grammar, Invalid, Toolbox, ToolCall, ToolError, make_grammar
from turnenv.core import Reply, TextEnv
from turnenv.core.arguments import check_range
from turnenv.rewards import answer_presence, exact_match, fuzzy_match, whole_words
from turnenv.search import Passage, SearchBackend, SearchError, make_search


class Asked(Protocol):
    """A question and the answers to it that count as right."""

    @property
    def question(self) -> str:
        """The question as it is asked."""

    @property
    def answers(self) -> tuple[str, ...]:
        """The accepted answers."""


@dataclass(frozen=True, slots=True)
class Result:
    """The result of a search as the agent reads it, from which rewards are computed.

    Attributes:
        text: the result as the agent reads it.
        words: its whole words, without those that say that it was cut.
        titles: the titles of the articles found, if the agent reads them whole.
    """

    text: str
    words: str
    titles: tuple[str, ...]


@dataclass(slots=True)
class Dialogue:
    """A question, what was shown so far, and the sums of the messages' format scores."""

    task: int
    turn: int = 0
    searches: int = 0
    shown: list[str] = field(default_factory=list)
    format_totals: dict[str, float] = field(default_factory=dict)


DialogueT = TypeVar("DialogueT", bound=Dialogue)


class QuestionSearch(TextEnv[DialogueT]):
    """A question, searches, an answer; a subclass defines what a search earns.

    Args:
        search: "atlas", "wikipedia", or any object with `search(query) -> passages`.
        grammar: "xml", "hermes" or "plain".
        max_result_chars: a longer result is cut, and says so; the part that is cut, and half a word, earns nothing.
        fuzzy: the similarity (0 to 1, by rapidfuzz) from which `exact_match` is paid; None requires equality.
        render_mode: "ansi" keeps the transcript for `render`; "human" prints each turn as it comes.

    Attributes:
        weights: the most that each component pays.

    Raises:
        ValueError: if an argument is out of range or names nothing known.
    """

    weights: ClassVar[Mapping[str, float]]
    grammar: Grammar

    def __init__(
        self,
        *,
        search: str | SearchBackend,
        grammar: str | Grammar,
        max_result_chars: int,
        fuzzy: float | None,
        render_mode: str | None,
    ) -> None:
        super().__init__(render_mode=render_mode)
        check_range("max_result_chars", max_result_chars, 1)
        if fuzzy is not None and not 0.0 < fuzzy <= 1.0:
            raise ValueError(f"fuzzy is a likeness above 0 and up to 1, or None for exact match; got {fuzzy}")
        self._backend = _backend(search) if isinstance(search, str) else make_search(search)
        self.grammar = make_grammar(grammar)
        self._toolbox = Toolbox([self.search])
        self._max_result_chars, self._fuzzy = max_result_chars, fuzzy
        self.blocking = search != "atlas"
        self.tools = self._toolbox.schemas

    def search(self, query: Annotated[str, Field(description="what to look for")]) -> Sequence[Passage]:
        """Search an encyclopedia and read the article that fits best."""
        return self._backend.search(query)

    @abstractmethod
    def asked(self, state: DialogueT) -> Asked:
        """The question of the episode."""

    @abstractmethod
    def turns_allowed(self, state: DialogueT) -> int:
        """The number of messages that the agent may write in this episode; at most `max_turns`."""

    @abstractmethod
    def pay(self, state: DialogueT, result: Result | None) -> Mapping[str, float]:
        """The turn reward, computed before the result's titles are added to `state.shown`.

        Args:
            state: the dialogue.
            result: the result as the agent reads it; None if no search ran or nothing was found.
        """

    def refusal(self, state: DialogueT) -> str:
        """Why no search may run now; "" if one may."""
        return ""

    def respond(self, state: DialogueT, action: str, rng: np.random.Generator) -> Reply:
        """Run the search, or judge the answer."""
        state.turn += 1
        parsed = self.grammar.parse(action)
        for name, score in self.grammar.format_scores(action, parsed).items():
            state.format_totals[name] = state.format_totals.get(name, 0.0) + score
        if isinstance(parsed, Answer):
            return self._judge(state, parsed.text)
        if isinstance(parsed, Invalid):
            return self._refuse(state, parsed.reason)
        if state.turn >= self.turns_allowed(state):
            return self._refuse(state, "there is no turn left to read a result; the call was not run")
        if reason := self.refusal(state):
            return self._refuse(state, reason)
        return self._run(state, parsed)

    def _run(self, state: DialogueT, call: ToolCall) -> Reply:
        try:
            passages: Sequence[Passage] = self._toolbox.run(call)
        except ToolError as error:
            return self._refuse(state, str(error))
        except SearchError as error:
            return Reply.fault("The search is not available.", str(error))
        state.searches += 1
        if not passages:
            return Reply.turn(self.grammar.result("Nothing was found."), self.pay(state, None))
        result = _result(passages, self._max_result_chars)
        rewards = self.pay(state, result)
        state.shown += result.titles
        return Reply.turn(self.grammar.result(result.text), rewards)

    def _refuse(self, state: DialogueT, reason: str) -> Reply:
        return Reply.turn(self.grammar.result(f"Error: {reason}."), self.pay(state, None), valid=False)

    def _judge(self, state: DialogueT, answer: str) -> Reply:
        asked = self.asked(state)
        if self._fuzzy is None:
            right = exact_match(answer, asked.answers)
        else:
            right = float(fuzzy_match(answer, asked.answers) >= self._fuzzy)
        scores = {
            "exact_match": right,
            "answer_presence": max(right, answer_presence(answer, asked.answers, asked.question)),
            **{name: total / state.turn for name, total in state.format_totals.items()},
        }
        outcome = {name: self.weights[name] * score for name, score in scores.items()}
        return Reply.final(
            "Correct." if right else "Wrong.", self.pay(state, None), outcome=outcome, success=right == 1.0
        )

    def silence(self, state: DialogueT) -> Mapping[str, float]:
        """An episode without an answer earns nothing, not even for its format."""
        return dict.fromkeys(("exact_match", "answer_presence", *state.format_totals), 0.0)


def _result(passages: Sequence[Passage], limit: int) -> Result:
    """Passages as one text, of which `limit` characters are shown."""
    text = "\n\n".join(f"{passage.title}: {passage.text}" for passage in passages)
    words = whole_words(text, limit)
    titles: list[str] = []
    start = 0
    for passage in passages:
        if start + len(passage.title) > len(words):
            break
        titles.append(passage.title)
        start += len(f"{passage.title}: {passage.text}\n\n")
    return Result(f"{text[:limit]} … (cut)" if len(text) > limit else text, words, tuple(titles))


@lru_cache(maxsize=8)
def _backend(name: str) -> SearchBackend:
    return make_search(name)
