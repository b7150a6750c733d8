"""reasoning-gym's generated problems (`pip install reasoning-gym`) as turnenv environments of one or more attempts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

from turnenv.actions import Answer, XmlGrammar
from turnenv.adapters.peer import PeerEnv, global_generators
from turnenv.core import Reply, TextVectorEnv
from turnenv.core.arguments import checked_arguments
from turnenv.extras import needs
from turnenv.types import End

__all__ = ["ReasoningGymEnv", "make_vector"]

_GRAMMAR = XmlGrammar()
_FORM = "Give your answer as <answer>answer</answer>, with nothing but the answer inside."


@dataclass(slots=True)
class _Problem:
    """A problem of a dataset, and the answers left."""

    entry: dict[str, Any]
    attempts: int


class ReasoningGymEnv(PeerEnv):
    """Problems of one of reasoning-gym's datasets; task i is the dataset's entry i.

    Turns earn nothing; the outcome is reasoning-gym's score of the last attempt, from 0 to 1. A message without an
    answer is an attempt with a score of 0; as the last one it ends the episode as out of turns, not as answered.

    To make it by `gym.make`::

        gymnasium.register(
            "me/Countdown-v0",
            entry_point="turnenv.adapters.reasoning_gym:ReasoningGymEnv",
            vector_entry_point="turnenv.adapters.reasoning_gym:make_vector",
            kwargs={"dataset": "countdown", "attempts": 3},
        )

    Args:
        dataset: its name in reasoning-gym.
        attempts: the most answers that the agent may give; after each it reads whether it was right.
        size: the number of problems.
        seed: decides the problems.
        render_mode: "ansi" keeps the transcript for `render`; "human" prints each turn as it comes.
        **config: the dataset's own settings.

    Raises:
        ModuleNotFoundError: if reasoning-gym is not installed.
        ValueError: if there is no such dataset, or `attempts` is below 1.
    """

    component = "score"

    @checked_arguments
    def __init__(
        self,
        dataset: str,
        *,
        attempts: int = 1,
        size: int = 10_000,
        seed: int = 0,
        render_mode: str | None = None,
        **config: Any,
    ) -> None:
        with needs("reasoning-gym", "ReasoningGymEnv"):
            import reasoning_gym

        super().__init__(render_mode=render_mode)
        if attempts < 1:
            raise ValueError(f"attempts must be at least 1; got {attempts}")
        with global_generators(seed):
            self._dataset = reasoning_gym.create_dataset(dataset, size=size, seed=seed, **config)
        self.max_turns, self.num_tasks, self.system_prompt = attempts, size, f"Solve the problem. {_FORM}"

    def begin(self, task: int) -> tuple[Any, str]:
        """Generate the problem."""
        problem = _Problem(self._dataset[task], self.max_turns)
        return problem, str(problem.entry["question"])

    def play(self, peer: _Problem, action: str) -> Reply:
        """Score the answer."""
        peer.attempts -= 1
        parsed = _GRAMMAR.parse(action)
        if not isinstance(parsed, Answer):
            if peer.attempts:
                return Reply.turn(_FORM, valid=False)
            nothing = {self.component: 0.0}
            return Reply.final(_FORM, outcome=nothing, success=False, end=End.TURN_LIMIT, valid=False)
        score = float(self._dataset.score_answer(answer=parsed.text, entry=peer.entry))
        if score >= 1.0:
            return Reply.final("Correct.", outcome={self.component: score}, success=True, end=End.SOLVED)
        if peer.attempts:
            return Reply.turn("That is not right.")
        return Reply.final("That is not right.", outcome={self.component: score}, success=False)


make_vector = partial(TextVectorEnv, ReasoningGymEnv)
