"""Environments around environments: a judge's verdict as one more reward of each turn."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np

from turnenv.core import Reply, TextEnv
from turnenv.judges import Judge, JudgeError, Message
from turnenv.types import End

__all__ = ["JudgedTurns"]

COMPONENT = "judge"
"""The name of the judge's reward in `reward_components`."""


@dataclass(slots=True)
class Judged:
    """The inner environment's state, and the conversation so far."""

    inner: Any
    transcript: tuple[Message, ...]


class JudgedTurns(TextEnv[Judged]):
    """Pays each turn `weight · verdict` on top of what the environment pays, as the component `judge`.

    It is a TextEnv itself, built on the inner one's `start` and `respond`, so that it is batched, collected and trained
    on like any other, and `turn_reward`, `turn_rewards`, `reward_components` and the reward agree as ever. The outcome
    is left as it is. A judge that fails, or whose verdict is not in 0…1, ends the episode as a fault: nothing is paid
    for that turn and nothing may be learnt from the episode. A turn that ended in a fault is not judged.

    A judge cannot be verified: an agent may learn to please it. All verdicts together pay at most
    `weight · max_turns`; keep that well below the outcome's reward.

    Args:
        env: an id that `gymnasium.make` takes, or a TextEnv, wrapped or not; its wrappers are left out.
        judge: scores the agent's latest message; see `turnenv.judges.Judge`.
        weight: what a verdict of 1 pays.
        **kwargs: passed to `gymnasium.make` with an id.

    Raises:
        TypeError: if `env` is not a text environment, or `kwargs` came with a finished one.
        ValueError: if `weight` is not a positive number.
    """

    def __init__(self, env: str | gymnasium.Env[Any, Any], judge: Judge, weight: float = 0.1, **kwargs: Any) -> None:
        if not (weight > 0 and math.isfinite(weight)):
            raise ValueError(f"weight must be a positive number, got {weight}")
        if kwargs and not isinstance(env, str):
            raise TypeError(f"{sorted(kwargs)} cannot be set on an environment that is already made; pass an id")
        inner = (gymnasium.make(env, **kwargs) if isinstance(env, str) else env).unwrapped
        if not isinstance(inner, TextEnv):
            raise TypeError(f"a judged environment must be a turnenv.TextEnv, not a {type(inner).__name__}")
        super().__init__(render_mode=inner.render_mode)
        self.inner: TextEnv[Any] = inner
        self._judge, self._weight = judge, weight
        self.max_turns, self.num_tasks = inner.max_turns, inner.num_tasks
        self.system_prompt, self.tools = inner.system_prompt, inner.tools
        self.blocking = inner.blocking or bool(getattr(judge, "blocking", False))

    def start(self, rng: np.random.Generator, options: Mapping[str, Any]) -> tuple[Judged, str]:
        """Begin the inner environment's task."""
        state, observation = self.inner.start(rng, options)
        told = (Message("system", self.system_prompt),) if self.system_prompt else ()
        return Judged(state, (*told, Message("user", observation))), observation

    def respond(self, state: Judged, action: str, rng: np.random.Generator) -> Reply:
        """Let the inner environment respond, and the judge judge."""
        reply = self.inner.respond(state.inner, action, rng)
        state.transcript += (Message("assistant", action), Message("user", reply.text))
        if reply.outcome is not None and reply.outcome.end is End.FAULT:
            return reply
        try:
            verdict = float(self._judge.score(state.transcript))
        except JudgeError as error:
            return Reply.fault("The judge is not available.", str(error))
        if not 0.0 <= verdict <= 1.0:
            return Reply.fault("The judge is not available.", f"the judge's verdict must be in 0…1, it was {verdict}")
        return reply._replace(rewards={**reply.rewards, COMPONENT: self._weight * verdict})

    def state_key(self, state: Judged) -> object:
        """The inner key, and the conversation, on which the coming verdicts depend."""
        return self.inner.state_key(state.inner), tuple(map(tuple, state.transcript))

    def silence(self, state: Judged) -> Mapping[str, float]:
        """The inner environment's."""
        return self.inner.silence(state.inner)

    def close(self) -> None:
        """Close the inner environment."""
        self.inner.close()
