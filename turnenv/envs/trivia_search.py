"""TriviaSearch: a question, a search tool, then an answer; the environment of the MT-GRPO paper (arXiv 2505.11821)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import numpy as np

from turnenv.actions import Grammar
from turnenv.core import TextVectorEnv
from turnenv.core.arguments import check_range, checked_arguments
from turnenv.envs.question_search import Dialogue, QuestionSearch, Result
from turnenv.questions import TriviaQuestion, load_questions
from turnenv.rewards import contains
from turnenv.search import SearchBackend

WEIGHTS: Mapping[str, float] = {
    "tool_execution": 0.2,
    "answer_in_result": 0.5,
    "answer_presence": 0.5,
    "exact_match": 1.0,
    "xml_format": 0.2,
    "xml_tags": 0.2,
    "format": 0.4,
}
"""The most that each component pays; the values of the paper's code."""


@dataclass(slots=True)
class OneSearch(Dialogue):
    """A dialogue, and which of the two rewards for a search were paid."""

    executed: bool = False
    found: bool = False


class TriviaSearch(QuestionSearch[OneSearch]):
    """Answer a question with the help of a search tool.

    Turn reward: `tool_execution` (0.2) for the first search that ran and found something; `answer_in_result` (0.5)
    for the first result that contains an accepted answer. Each is paid once per episode. Outcome: `exact_match` (1.0)
    and `answer_presence` (0.5) of the answer, and the mean over the agent's messages of the grammar's format scores
    (`xml_format` and `xml_tags`, 0.2 each; with another grammar `format`, 0.4). An episode without an answer has an
    outcome of 0. A search on the last turn is not run. Success is an exact match.

    Args:
        split: "train", "validation" or "test"; the atlas splits by entity.
        questions: "atlas", "trivia_qa", or a JSON, JSON lines, CSV or Parquet file (see `turnenv.questions.trivia`).
        search: "atlas", "wikipedia", or any object with `search(query) -> passages`.
        grammar: "xml" (the paper's), "hermes" or "plain".
        max_turns: the number of messages that the agent may write, at least 2.
        max_searches: the number of searches that are run, at least 1; later ones are refused.
        max_result_chars: a longer result is cut, and says so; the part that is cut, and half a word, earns nothing.
        fuzzy: the similarity (0 to 1, by rapidfuzz) from which `exact_match` is paid; None requires equality.
        render_mode: "ansi" keeps the transcript for `render`; "human" prints each turn as it comes.

    Raises:
        ValueError: if an argument is out of range or names nothing known.
        FileNotFoundError, ImportError, ConnectionError: if the questions cannot be loaded; see `load_questions`.
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
        max_turns: int = 2,
        max_searches: int = 1,
        max_result_chars: int = 2_000,
        fuzzy: float | None = None,
        render_mode: str | None = None,
    ) -> None:
        super().__init__(
            search=search, grammar=grammar, max_result_chars=max_result_chars, fuzzy=fuzzy, render_mode=render_mode
        )
        check_range("max_turns", max_turns, 2)  # a search needs a turn to use what it found
        check_range("max_searches", max_searches, 1)
        self._questions = load_questions(questions, split)
        self._max_searches, self.max_turns, self.num_tasks = max_searches, max_turns, len(self._questions)
        times = "once" if max_searches == 1 else f"at most {max_searches} times"
        self.system_prompt = (
            f"Answer the question. You may use the search tool {times} before you answer, and you have {max_turns} "
            f"messages in all, the answer included.\n\n{self.grammar.instructions(self.tools)}"
        )

    def start(self, rng: np.random.Generator, options: Mapping[str, Any]) -> tuple[OneSearch, str]:
        """Task i is question i of the split."""
        task = options["task"]
        return OneSearch(task), f"Question: {self._questions[task].question}"

    def asked(self, state: OneSearch) -> TriviaQuestion:
        """The question of the episode."""
        return self._questions[state.task]

    def turns_allowed(self, state: OneSearch) -> int:
        """`max_turns`, for every question."""
        return self.max_turns

    def refusal(self, state: OneSearch) -> str:
        """Refuse searches beyond `max_searches`."""
        return "no searches are left; answer now" if state.searches >= self._max_searches else ""

    def pay(self, state: OneSearch, result: Result | None) -> Mapping[str, float]:
        """The first search that finds something, and the first sight of an accepted answer."""
        executed = result is not None and not state.executed
        found = result is not None and not state.found and contains(result.words, self.asked(state).answers)
        state.executed, state.found = state.executed or executed, state.found or found
        return {
            "tool_execution": WEIGHTS["tool_execution"] * executed,
            "answer_in_result": WEIGHTS["answer_in_result"] * found,
        }

    def state_key(self, state: OneSearch) -> object:
        """The question, the turn, and what the agent has been shown."""
        return state.task, state.turn, state.searches, tuple(state.shown), state.found


make_vector = partial(TextVectorEnv, TriviaSearch)
