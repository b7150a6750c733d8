"""Demonstrations of any family: its scripted expert, which at each turn may act at random or break off."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random
from typing import Any, cast

import gymnasium

import turnenv  # noqa: F401  (registers the ids)
from agents.nano.teaching import Message
from agents.scripted import EXPERTS, RANDOMS
from turnenv.core import TextEnv


class NoisyExpert:
    """Plays episodes of one environment with a chance of an error at every turn.

    Args:
        env_id: an id of turnenv.
        env_kwargs: its arguments.
        rng: decides everything.
        skill: chance that a turn is the expert's; the rest are random moves.
        broken: chance that a turn's message, the expert's or not, breaks off somewhere in its middle.

    Raises:
        ValueError: if a chance is not in [0, 1], or the environment has no scripted expert.
    """

    def __init__(
        self, env_id: str, env_kwargs: Mapping[str, Any], rng: Random, *, skill: float, broken: float = 0.0
    ) -> None:
        if not (0.0 <= skill <= 1.0 and 0.0 <= broken <= 1.0):
            raise ValueError(f"skill and broken are probabilities; got {skill} and {broken}")
        if env_id not in EXPERTS:
            raise ValueError(f"{env_id} has no scripted expert; these have: {', '.join(EXPERTS)}")
        self._id, self._rng, self._skill, self._broken = env_id, rng, skill, broken
        self._env = cast(TextEnv[Any], gymnasium.make(env_id, **env_kwargs).unwrapped)

    def conversation(self) -> list[Message]:
        """One episode, without the last observation, which has no answer."""
        expert, stray = EXPERTS[self._id](), self._random_mover()
        observation, _ = self._env.reset(seed=self._rng.getrandbits(31))
        told, over = list[Message](), False
        while not over:
            # Both see every turn: an expert that missed one would answer an observation that is gone.
            moves = expert(observation), stray(observation)
            message = self._worn(moves[self._rng.random() >= self._skill])
            told += [Message("user", observation), Message("assistant", message)]
            observation, _, terminated, truncated, _ = self._env.step(message)
            over = terminated or truncated
        return told

    def _random_mover(self) -> Callable[[str], str]:
        texts = getattr(self._env, "action_texts", ())
        if texts:
            return lambda observation: self._rng.choice(texts)
        return RANDOMS[self._id](self._rng.getrandbits(31))

    def _worn(self, message: str) -> str:
        if self._rng.random() >= self._broken:
            return message
        return message[: self._rng.randrange(1, max(2, len(message)))]
