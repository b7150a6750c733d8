"""A small policy that reads and writes text: one softmax over a list of actions for each text that it has read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from turnenv.exact import softmax
from turnenv.types import Episode

__all__ = ["TextPolicy"]


class TextPolicy:
    """A tabular policy for `turnenv.collect`, trained by plain policy gradient; uniform at the start.

    It suits environments with few distinct observations, such as FrozenLake or Taxi in words.

    Args:
        actions: the texts it chooses from, A of them.
        learning_rate: logits moved by one unit of gradient.
        seed: of its choices.
    """

    def __init__(self, actions: Sequence[str], learning_rate: float, seed: int = 0) -> None:
        self._actions, self._learning_rate = tuple(actions), learning_rate
        self._logits: dict[str, NDArray[np.float64]] = {}
        self._rng = np.random.default_rng(seed)

    def begin(self, system_prompts: Sequence[str], tools: Sequence[Mapping[str, Any]]) -> None:
        """See `turnenv.Policy`; this policy remembers nothing of an episode."""

    def act(self, rows: Sequence[int], observations: Sequence[str]) -> list[str]:
        """Draw an action for each observation."""
        return [str(self._rng.choice(self._actions, p=self.chances(seen))) for seen in observations]

    def chances(self, observation: str) -> NDArray[np.float64]:
        """Probability of each action, float (A,)."""
        return softmax(self._logits.get(observation, np.zeros(len(self._actions))))

    def update(self, episodes: Sequence[Episode], advantages: NDArray[np.float64]) -> None:
        """One step of REINFORCE: up the gradient of `1/B · Σ_ik A_ik · log π(a_ik | o_ik)`.

        Args:
            episodes: B episodes of this policy's own.
            advantages: of turn k of episode b, float (B, K).
        """
        steps: dict[str, NDArray[np.float64]] = {}
        for episode, advantages_K in zip(episodes, advantages, strict=True):
            for turn, advantage in zip(episode.turns, advantages_K, strict=False):
                step = -advantage * self.chances(turn.observation)
                step[self._actions.index(turn.action)] += advantage
                steps[turn.observation] = steps.get(turn.observation, 0.0) + step / len(episodes)
        for observation, step in steps.items():
            known = self._logits.setdefault(observation, np.zeros(len(self._actions)))
            known += self._learning_rate * step
