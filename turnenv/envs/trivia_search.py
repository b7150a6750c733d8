"""TriviaSearch: a question, a search tool, then an answer; the environment of the MT-GRPO paper (arXiv 2505.11821)."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from turnenv.actions import Answer, Grammar, Invalid, ToolCall, make_grammar
from turnenv.core import Reply, TextEnv
from turnenv.questions import TriviaQuestion, load_questions
from turnenv.rewards import answer_presence, contains, exact_match, fuzzy_match
from turnenv.search import Passage, SearchBackend, SearchError, make_search
from turnenv.tools import Toolbox, ToolError
from turnenv.vector import TextVectorEnv

WEIGHTS: Mapping[str, float] = {
    "tool_execution": 0.2,
    "answer_in_result": 0.5,
    "answer_presence": 0.5,
    "exact_match": 1.0,
    "xml_format": 0.2,
    "xml_tags": 0.2,
    "format": 0.4,
}
"""What each component pays at most; the paper's values, as its code has them."""


@dataclass(slots=True)
class Dialogue:
    """A question, what was shown so far, and how well each message kept to the grammar."""

    task: int
    turn: int = 0
    searches: int = 0
    shown: list[str] = field(default_factory=list)
    executed: bool = False
    found: bool = False
    format_totals: dict[str, float] = field(default_factory=dict)


class TriviaSearch(TextEnv[Dialogue]):
    """Answer a question with the help of a search tool.

    Turn reward: `tool_execution` (0.2) for the first search that ran and found something; `answer_in_result` (0.5)
    for the first result that holds an accepted answer. Each is paid once an episode. Outcome: `exact_match` (1.0) and
    `answer_presence` (0.5) of the answer, and the mean over the agent's messages of the grammar's format scores
    (`xml_format` and `xml_tags`, 0.2 each). An episode without an answer has an outcome of 0; so has a search on the
    last turn, which is not run. Success is an exact match.

    Args:
        split: "train", "validation" or "test"; the atlas splits by entity.
        questions: "atlas", "trivia_qa", or a JSON lines, Parquet or CSV file (see `turnenv.questions`).
        search: "atlas", "wikipedia", or any object with `search(query) -> passages`.
        grammar: "xml" (the paper's), "hermes" or "plain".
        max_turns: messages the agent may write; at least 2.
        max_searches: searches that are run; later ones are refused.
        max_result_chars: a longer result is cut, and says so.
        fuzzy: pay `exact_match` from this likeness (0 to 1, by rapidfuzz) on; None asks for equality.
        render_mode: "ansi" keeps the transcript for `render`.

    Raises:
        ValueError: if an argument is out of range or names nothing known.
    """

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
        super().__init__(render_mode=render_mode)
        if max_turns < 2 or max_searches < 1 or max_result_chars < 1:
            raise ValueError("a search needs a turn to use it: max_turns >= 2, max_searches and max_result_chars >= 1")
        if fuzzy is not None and not 0.0 < fuzzy <= 1.0:
            raise ValueError(f"fuzzy is a likeness above 0 and up to 1, or None for exact match; got {fuzzy}")
        self._questions = _questions(os.fspath(questions), split)
        self._backend = _backend(search) if isinstance(search, str) else make_search(search)
        self._grammar = make_grammar(grammar)
        self._toolbox = Toolbox([self.search])
        self._max_searches, self._max_result_chars, self._fuzzy = max_searches, max_result_chars, fuzzy
        self.max_turns, self.num_tasks = max_turns, len(self._questions)
        self.blocking = search != "atlas"
        self.tools = self._toolbox.schemas
        times = "once" if max_searches == 1 else f"at most {max_searches} times"
        self.system_prompt = (
            f"Answer the question. You may use the search tool {times} before you answer, and you have {max_turns} "
            f"messages in all, the answer included.\n\n{self._grammar.instructions(self.tools)}"
        )

    def search(self, query: Annotated[str, Field(description="what to look for")]) -> Sequence[Passage]:
        """Search an encyclopedia and read the article that fits best."""
        return self._backend.search(query)

    def start(self, rng: np.random.Generator, options: Mapping[str, Any]) -> tuple[Dialogue, str]:
        """Task i is question i of the split."""
        task = options["task"]
        return Dialogue(task), f"Question: {self._questions[task].question}"

    def respond(self, state: Dialogue, action: str, rng: np.random.Generator) -> Reply:
        """Run the search, or take the answer."""
        state.turn += 1
        for name, score in self._grammar.format_scores(action).items():
            state.format_totals[name] = state.format_totals.get(name, 0.0) + score
        parsed = self._grammar.parse(action)
        if isinstance(parsed, Answer):
            return self._judge(state, parsed.text)
        if isinstance(parsed, Invalid):
            return self._refuse(parsed.reason)
        if state.turn >= self.max_turns:
            return self._refuse("there is no turn left to read a result; the call was not run")
        if state.searches >= self._max_searches:
            return self._refuse("no searches are left; answer now")
        return self._run(state, parsed)

    def _run(self, state: Dialogue, call: ToolCall) -> Reply:
        try:
            passages = self._toolbox.run(call)
        except ToolError as error:
            return self._refuse(str(error))
        except SearchError as error:
            return Reply.fault("The search is not available.", str(error))
        state.searches += 1
        text = "\n\n".join(f"{passage.title}: {passage.text}" for passage in passages)
        if len(text) > self._max_result_chars:
            text = text[: self._max_result_chars] + " … (cut)"
        first_success = bool(passages) and not state.executed
        first_sight = not state.found and contains(text, self._questions[state.task].answers)
        state.executed, state.found = state.executed or first_success, state.found or first_sight
        state.shown += [passage.title for passage in passages]
        return Reply.turn(self._grammar.result(text or "Nothing was found."), _turn_rewards(first_success, first_sight))

    def _refuse(self, reason: str) -> Reply:
        return Reply.turn(self._grammar.result(f"Error: {reason}."), _turn_rewards(False, False), valid=False)

    def _judge(self, state: Dialogue, answer: str) -> Reply:
        asked = self._questions[state.task]
        if self._fuzzy is None:
            right = exact_match(answer, asked.answers)
        else:
            right = float(fuzzy_match(answer, asked.answers) >= self._fuzzy)
        scores = {
            "exact_match": right,
            "answer_presence": max(right, answer_presence(answer, asked.answers, asked.question)),
            **{name: total / state.turn for name, total in state.format_totals.items()},
        }
        outcome = {name: WEIGHTS[name] * score for name, score in scores.items()}
        return Reply.final(
            "Correct." if right else "Wrong.", _turn_rewards(False, False), outcome=outcome, success=right == 1.0
        )

    def silence(self, state: Dialogue) -> Mapping[str, float]:
        """Nothing is paid for an episode without an answer, not even its format."""
        return dict.fromkeys(("exact_match", "answer_presence", *state.format_totals), 0.0)

    def state_key(self, state: Dialogue) -> object:
        """The question, the turn, and what the agent has been shown."""
        return state.task, state.turn, state.searches, tuple(state.shown), state.found


def _turn_rewards(executed: bool, found: bool) -> dict[str, float]:
    return {
        "tool_execution": WEIGHTS["tool_execution"] * executed,
        "answer_in_result": WEIGHTS["answer_in_result"] * found,
    }


@lru_cache(maxsize=16)
def _questions(source: str, split: str) -> Sequence[TriviaQuestion]:
    return load_questions(source, split)


@lru_cache(maxsize=8)
def _backend(name: str) -> SearchBackend:
    return make_search(name)


make_vector = partial(TextVectorEnv, TriviaSearch)
