"""MultiHopSearch: a question whose answer takes two to four articles, each naming the next one."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import lru_cache, partial
from typing import Any, ClassVar

import numpy as np

from turnenv.actions import Grammar
from turnenv.core import Reply, TextVectorEnv
from turnenv.core.arguments import check_range, checked_arguments
from turnenv.envs.question_search import Dialogue, QuestionSearch, Result
from turnenv.questions.multihop import HopQuestion, load_multihop_questions
from turnenv.rewards import fold
from turnenv.search import SearchBackend
from turnenv.types import End

WEIGHTS: Mapping[str, float] = {
    "hop": 0.5,
    "answer_presence": 0.2,
    "exact_match": 1.0,
    "xml_format": 0.2,
    "xml_tags": 0.2,
    "format": 0.4,
}
"""The most that each component pays in an episode."""


class MultiHopSearch(QuestionSearch[Dialogue]):
    """Answer a question by reading several articles with a search tool.

    Turn reward: `hop`, 0.5 divided evenly among the question's supporting articles, paid when a search first shows one,
    in any order; a search that shows none, or shows one again, earns 0. Outcome: `exact_match` (1.0) and
    `answer_presence` (0.2) of the answer, and the mean over the agent's messages of the grammar's format scores
    (`xml_format` and `xml_tags`, 0.2 each; with another grammar `format`, 0.4). An episode without an answer has an
    outcome of 0. A search on the last turn is not run. Success is an exact match.

    Args:
        split: "train", "validation" or "test"; in the atlas, what a held-out question names and what it asks about
            occur in no training question.
        questions: "atlas", "hotpot_qa", or a file with HotpotQA's columns (see `turnenv.questions.multihop`).
        search: "atlas", "wikipedia", or any object with `search(query) -> passages`.
        grammar: "xml" (of the MT-GRPO paper), "hermes" or "plain".
        min_hops: the fewest supporting articles of a question.
        max_hops: the most supporting articles of a question.
        max_turns: the number of messages that the agent may write, at least 2; None allows two more than the question
            has hops.
        max_result_chars: a longer result is cut, and says so; the part that is cut, and half a word, earns nothing.
        fuzzy: the similarity (0 to 1, by rapidfuzz) from which `exact_match` is paid; None requires equality.
        render_mode: "ansi" keeps the transcript for `render`; "human" prints each turn as it comes.

    Raises:
        ValueError: if an argument is out of range or names nothing known, or no question has that many hops.
        FileNotFoundError, ImportError, ConnectionError: if the questions cannot be loaded; see
            `load_multihop_questions`.
    """

    weights: ClassVar[Mapping[str, float]] = WEIGHTS

    @checked_arguments
    def __init__(
        self,
        split: str = "train",
        *,
        questions: str | os.PathLike[str] = "atlas",
        search: str | SearchBackend = "atlas",
        grammar: str | Grammar = "xml",
        min_hops: int = 2,
        max_hops: int = 4,
        max_turns: int | None = None,
        max_result_chars: int = 2_000,
        fuzzy: float | None = None,
        render_mode: str | None = None,
    ) -> None:
        super().__init__(
            search=search, grammar=grammar, max_result_chars=max_result_chars, fuzzy=fuzzy, render_mode=render_mode
        )
        if max_turns is not None:
            check_range("max_turns", max_turns, 2)  # a search needs a turn to use what it found
        check_range("max_hops", max_hops, min_hops)
        self._questions = _questions(questions, split, min_hops, max_hops)
        self._turns = max_turns
        self.num_tasks = len(self._questions)
        self.max_turns = max_turns or max(len(question.titles) for question in self._questions) + 2
        limit = f"{max_turns} messages" if max_turns else "two more messages than the question has such steps"
        self.system_prompt = (
            "Answer the question. It takes several steps: look up what it names, and with what you find look up the "
            f"next thing, until you know the answer. A search shows one article. You have {limit} in all, the answer "
            f"included.\n\n{self.grammar.instructions(self.tools)}"
        )

    def start(self, rng: np.random.Generator, options: Mapping[str, Any]) -> tuple[Dialogue, str]:
        """Task i is the i-th question of the split with a number of hops in this range."""
        task = options["task"]
        state = Dialogue(task)
        return state, f"Question: {self._questions[task].question}\nYou have {self.turns_allowed(state)} messages."

    def respond(self, state: Dialogue, action: str, rng: np.random.Generator) -> Reply:
        """Run the search, or judge the answer; the number of turns depends on the question."""
        reply = super().respond(state, action, rng)
        if reply.outcome is not None or state.turn < self.turns_allowed(state):
            return reply
        unanswered = self.silence(state)
        return Reply.final(
            reply.text, reply.rewards, outcome=unanswered, success=False, end=End.TURN_LIMIT, valid=reply.valid
        )

    def asked(self, state: Dialogue) -> HopQuestion:
        """The question of the episode."""
        return self._questions[state.task]

    def turns_allowed(self, state: Dialogue) -> int:
        """Two more than the question has hops, unless `max_turns` was given."""
        return self._turns or len(self._questions[state.task].titles) + 2

    def pay(self, state: Dialogue, result: Result | None) -> Mapping[str, float]:
        """Pay for supporting articles that are shown for the first time."""
        supporting = self._questions[state.task].titles
        titles = () if result is None else result.titles
        shown = set(map(_title, titles)).difference(map(_title, state.shown))
        return {"hop": WEIGHTS["hop"] * sum(_title(title) in shown for title in supporting) / len(supporting)}

    def state_key(self, state: Dialogue) -> object:
        """The question, the turn, and what the agent has been shown."""
        return state.task, state.turn, tuple(state.shown)


_title = lru_cache(maxsize=1 << 14)(fold)


class _Same:
    """Questions as a cache key, compared by identity: comparing all of them takes longer than choosing among them."""

    def __init__(self, questions: Sequence[HopQuestion]) -> None:
        self.questions = questions

    def __hash__(self) -> int:
        return id(self.questions)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.questions is self.questions


def _questions(source: str | os.PathLike[str], split: str, min_hops: int, max_hops: int) -> Sequence[HopQuestion]:
    chosen = _of_hops(_Same(load_multihop_questions(source, split)), min_hops, max_hops)
    if not chosen:
        raise ValueError(
            f"no question of {source!r}, split {split!r}, has min_hops={min_hops} to max_hops={max_hops} hops"
        )
    return chosen


@lru_cache(maxsize=16)
def _of_hops(loaded: _Same, min_hops: int, max_hops: int) -> Sequence[HopQuestion]:
    return tuple(question for question in loaded.questions if min_hops <= len(question.titles) <= max_hops)


make_vector = partial(TextVectorEnv, MultiHopSearch)
