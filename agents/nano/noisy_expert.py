"""Demonstrations of any family: its scripted expert, which may act at random or break off in each turn."""

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
    """Plays episodes of one environment, with a probability of an error in every turn.

    Args:
        env_id: an id of turnenv.
        env_kwargs: its arguments.
        rng: makes all random choices.
        skill: the probability that a turn is the expert's; other turns are random moves.
        broken: the probability that a message, the expert's or not, breaks off somewhere in the middle.

    Raises:
        ValueError: if a probability is not in [0, 1], or the environment has no scripted expert.
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
        """Play one episode; return its messages without the last observation, to which nobody replies."""
        expert, stray = EXPERTS[self._id](), self._random_mover()
        observation, _ = self._env.reset(seed=self._rng.getrandbits(31))
        messages, over = list[Message](), False
        while not over:
            # Both see every turn: an expert that misses one would reply to an old observation.
            moves = expert(observation), stray(observation)
            message = self._broken_off(moves[self._rng.random() >= self._skill])
            messages += [Message("user", observation), Message("assistant", message)]
            observation, _, terminated, truncated, _ = self._env.step(message)
            over = terminated or truncated
        return messages

    def _random_mover(self) -> Callable[[str], str]:
        texts = getattr(self._env, "action_texts", ())
        if texts:
            return lambda observation: self._rng.choice(texts)
        return RANDOMS[self._id](self._rng.getrandbits(31))

    def _broken_off(self, message: str) -> str:
        if self._rng.random() >= self._broken:
            return message
        return message[: self._rng.randrange(1, max(2, len(message)))]
