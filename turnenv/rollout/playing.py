"""The record of one episode while it is played."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from turnenv.core.contract import TextEnvironment, read_outcome
from turnenv.policies import Action
from turnenv.types import End, Episode, Outcome, Turn
from turnenv.version import __version__


@dataclass(slots=True)
class Playing:
    """The record of a running episode.

    Attributes:
        env_id: the id of its environment, or the name of its class.
        task: the task that is played.
        seed: what `reset` was seeded with.
        observation: what the policy reads next.
        turns: the turns so far.
        outcome: how it ended; None while it runs.
    """

    env_id: str
    task: int
    seed: int
    observation: str
    turns: list[Turn] = field(default_factory=list)
    outcome: Outcome | None = None

    def add(self, action: Action, observation: str, info: Mapping[str, Any]) -> None:
        """Record a turn: the action, and what the environment's `step` returned."""
        self.turns.append(
            Turn(
                self.observation,
                action.text,
                info["turn_reward"],
                info["reward_components"],
                info["state_key"],
                info["valid_action"],
                action.token_ids,
                action.logprobs,
                action.reasoning,
                action.usage,
            )
        )
        self.observation, self.outcome = observation, read_outcome(info)

    def stop(self, action: Action, env: TextEnvironment) -> bool:
        """End the episode if the policy did not act, and say whether it did not.

        A failure is a fault, whose last turn has no action and no reward; an agent without tokens left gets the outcome
        that the task gives to silence.
        """
        if not action.fault and not action.out_of_tokens:
            return False
        silence = env.cut()
        if action.fault or not self.turns:
            self.turns.append(Turn(self.observation, "", 0.0, {}, 0, False))
        if action.fault:
            self.observation, self.outcome = "", Outcome(0.0, False, End.FAULT, {}, action.fault)
        else:
            self.outcome = replace(silence, end=End.TOKEN_LIMIT)
        return True

    def episode(self) -> Episode:
        """The finished episode."""
        assert self.outcome is not None
        return Episode(
            self.env_id, self.task, self.seed, tuple(self.turns), self.outcome, self.observation, __version__
        )


def as_action(answer: Action | str) -> Action:
    """Convert what a policy answered to an action.

    Raises:
        TypeError: if it is neither an `Action` nor a string.
    """
    action = Action(answer) if isinstance(answer, str) else answer
    if not isinstance(action, Action) or not isinstance(action.text, str):
        raise TypeError(f"a policy's act returns strings or turnenv.Action; it returned a {type(answer).__name__}")
    return action
