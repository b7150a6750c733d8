"""The critic beside the trainer: it reads values before each turn, and learns from a batch after it was scored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from turnenv.credit import TurnBatch, value_targets
from turnenv.credit.critic_options import CriticOptions
from turnenv.credit.options import Rewards
from turnenv.training.reading import Reading


class Learner(Protocol):
    """What gives values and learns them: `Probe` or `ValueModel`."""

    def read(self, readings: Sequence[Reading]) -> list[list[float]]:
        """Values at the positions of every process's episodes."""

    def fit(self, targets: Sequence[NDArray[np.float64]], groups: Sequence[int]) -> None:
        """Learn the targets of the episodes last read, one array per episode of all processes, and their groups."""

    def state_dict(self) -> dict[str, Any]:
        """What it has learned."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from it."""


class Critic:
    """Gives an estimator its `values`.

    The order matters: values are read, the estimator scores the batch with them, and only then does the critic learn.
    Fitted first, it would know the returns, and every advantage would shrink towards 0.

    Args:
        learner: gives values and learns them.
        options: how.
        gamma: the estimator's discount of one turn, for the targets.
        rewards: what the estimator is paid, see `turnenv.credit.turn_gae`.
    """

    def __init__(
        self, learner: Learner, options: CriticOptions, *, gamma: float = 1.0, rewards: Rewards = "turn"
    ) -> None:
        self._learner, self._options, self._gamma, self._rewards = learner, options, gamma, rewards
        self._batches = 0

    @property
    def warming_up(self) -> bool:
        """True while only the critic learns."""
        return self._batches < self._options.warmup_batches

    def values(self, readings: Sequence[Reading], turns: Sequence[int]) -> list[list[float]]:
        """The value before each turn of every process's episodes, and that after the last, 0 unless it was read.

        Args:
            readings: of this process's episodes.
            turns: of every process's episodes, how many each has.
        """
        read = self._learner.read(readings)
        return [[*values, 0.0][: length + 1] for values, length in zip(read, turns, strict=True)]

    def metrics(self, batch: TurnBatch) -> dict[str, float]:
        """How good the values were that a batch was scored with.

        Returns:
            `critic/loss` (half the mean squared error), `critic/value_mean`, `critic/target_mean`,
            `critic/explained_variance` (where the targets vary), and `critic/bootstrapped`, the share of episodes that
            were cut and given the value of the state they were cut in (where that is asked for). Nothing for a batch
            of faults.
        """
        targets_N, values_N = self._targets(batch)[batch.turn_mask], self._given(batch)[:, :-1][batch.turn_mask]
        if not targets_N.size:
            return {}
        metrics = {
            "critic/loss": float(((targets_N - values_N) ** 2).mean() / 2),
            "critic/value_mean": float(values_N.mean()),
            "critic/target_mean": float(targets_N.mean()),
        }
        if targets_N.var() > 1e-12:
            metrics["critic/explained_variance"] = float(1.0 - (targets_N - values_N).var() / targets_N.var())
        if self._options.bootstrap:
            metrics["critic/bootstrapped"] = float(batch.truncated[batch.live].mean())
        return metrics

    def learn(self, batch: TurnBatch) -> None:
        """Learn from the episodes last read; faulted ones take no part."""
        targets_BK = self._targets(batch)
        rows = [targets_K[: int(length)] for targets_K, length in zip(targets_BK, batch.num_turns, strict=True)]
        self._learner.fit(rows, batch.group_ids.tolist())
        self._batches += 1

    def state_dict(self) -> dict[str, Any]:
        """What it has learned, and from how many batches."""
        return {"batches": self._batches, "learner": self._learner.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state_dict`."""
        self._batches = int(state["batches"])
        self._learner.load_state_dict(state["learner"])

    def _targets(self, batch: TurnBatch) -> NDArray[np.float64]:
        return value_targets(batch, gamma=self._gamma, lam=self._options.lam, rewards=self._rewards)

    @staticmethod
    def _given(batch: TurnBatch) -> NDArray[np.float64]:
        assert batch.values is not None
        return batch.values
