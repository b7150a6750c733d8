"""The records of an episode: what the agent saw, did and earned in each turn, and how the episode ended."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

_LEFT_OUT = ("reasoning", "usage")
"""Fields of a turn that JSON omits if they are empty."""


class End(StrEnum):
    """Why an episode ended."""

    ANSWERED = "answered"
    """The agent gave its final answer, right or wrong."""
    SOLVED = "solved"
    """The agent reached the goal of a task that asks for no final answer."""
    FAILED = "failed"
    """The task can no longer be solved."""
    TURN_LIMIT = "turn_limit"
    """The agent ran out of turns."""
    TOKEN_LIMIT = "token_limit"
    """The agent ran out of the tokens that an episode may have."""
    FAULT = "fault"
    """The infrastructure failed; the episode says nothing about the agent."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an episode ended.

    Attributes:
        reward: the outcome's reward, the sum of `components`; 0.0 after a fault.
        success: True if the task was solved.
        end: why the episode ended.
        components: the outcome's reward by name.
        fault: what failed in the infrastructure; "" unless `end` is `End.FAULT`.
    """

    reward: float
    success: bool
    end: End
    components: Mapping[str, float] = field(default_factory=dict)
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Usage:
    """The tokens that a server counted for one turn, and their cost.

    Attributes:
        prompt: tokens read, including cached ones.
        completion: tokens written, including reasoning.
        cached: how many of the tokens read came from the server's cache; 0 if it does not say.
        reasoning: how many of the tokens written were reasoning; 0 if it does not say.
        cost: in the currency of the prices; None if no price was given.
    """

    prompt: int
    completion: int
    cached: int = 0
    reasoning: int = 0
    cost: float | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """One exchange: what the agent saw, what it wrote, what that turn earned.

    Attributes:
        observation: the text that the agent saw just before it acted (only what was new).
        action: the agent's text.
        turn_reward: the reward of this turn alone, without the outcome's.
        reward_components: the turn's reward by name; they sum to `turn_reward`.
        state_key: 64-bit hash of the environment's state before the action; 0 if the policy failed to act.
        valid_action: False if the environment did not understand the action.
        token_ids: the ids that the model sampled; None if no model acted.
        logprobs: their log-probabilities (nats) under the sampling distribution; None if unknown.
        reasoning: what the model wrote besides its action, which the environment never sees; "" if nothing.
        usage: tokens and cost as the model's server counted them; None if no server did.
    """

    observation: str
    action: str
    turn_reward: float
    reward_components: Mapping[str, float]
    state_key: int
    valid_action: bool
    token_ids: tuple[int, ...] | None = None
    logprobs: tuple[float, ...] | None = None
    reasoning: str = ""
    usage: Usage | None = None


@dataclass(frozen=True, slots=True)
class Episode:
    """A finished episode.

    Attributes:
        env_id: the id that `gym.make` takes, its version included.
        task: which of the environment's tasks was played.
        seed: what `reset` was seeded with; None if it was not.
        turns: the turns in order, at least one.
        outcome: how it ended.
        final_observation: what the environment replied to the last action; "" if the policy failed to act.
        turnenv_version: the version of turnenv that recorded it.
    """

    env_id: str
    task: int
    seed: int | None
    turns: tuple[Turn, ...]
    outcome: Outcome
    final_observation: str = ""
    turnenv_version: str = ""

    @property
    def turn_rewards(self) -> tuple[float, ...]:
        """The reward of each turn, without the outcome's."""
        return tuple(turn.turn_reward for turn in self.turns)

    @property
    def total_reward(self) -> float:
        """Turn rewards plus outcome reward: the return that GRPO-MR uses."""
        return sum(self.turn_rewards) + self.outcome.reward

    @property
    def faulted(self) -> bool:
        """True if the infrastructure failed, so that nothing may be learnt from the episode."""
        return self.outcome.end is End.FAULT

    def to_json(self) -> str:
        """The episode as one line of JSON; a turn without reasoning or usage has no such field."""
        fields = asdict(self)
        for turn in fields["turns"]:
            for name in _LEFT_OUT:
                if not turn[name]:
                    del turn[name]
        return json.dumps(fields)

    @classmethod
    def from_json(cls, line: str) -> Episode:
        """Read back what `to_json` wrote.

        Raises:
            ValueError: if the line is not an episode; the message says why.
        """
        try:
            fields = json.loads(line)
            turns = tuple(_turn(turn) for turn in fields.pop("turns"))
            outcome = fields.pop("outcome")
            outcome["end"] = End(outcome["end"])
            return cls(turns=turns, outcome=Outcome(**outcome), **fields)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ValueError(f"this line is not an episode written by turnenv ({error!r}): {line[:80]!r}") from error


def _turn(fields: dict[str, Any]) -> Turn:
    for name in ("token_ids", "logprobs"):
        if fields[name] is not None:
            fields[name] = tuple(fields[name])
    usage = fields.pop("usage", None)
    return Turn(**fields, usage=None if usage is None else Usage(**usage))
