"""The interface of a policy that can be trained, and the plain policy gradient that updates it.

Axes: O observations, A actions, B episodes, K turns, N turns that were taken.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from agents.small.collection import Played

Floats = NDArray[np.float64]


class Learner(Protocol):
    """A policy over numbered observations."""

    def table(self) -> Floats:
        """Probability of each action, float (O, A)."""

    def ascend(self, observations: NDArray[np.int64], actions: NDArray[np.int64], weights: Floats) -> None:
        """One step up the gradient of `Σ_n weights_n · log π(actions_n | observations_n)`, each argument (N,)."""


def update(learner: Learner, played: Played, advantages: Floats) -> None:
    """One step of REINFORCE with the estimator's advantages: up the gradient of `1/B · Σ_ik A_ik · log π(a_ik|o_ik)`.

    B counts the live episodes. There is no importance ratio and no clipping, since the episodes are the policy's own.

    Args:
        learner: the policy.
        played: B episodes of at most K turns.
        advantages: float (B, K), 0 where masked.
    """
    taken = played.batch.turn_mask
    weights_N = advantages[taken] / max(1, int(played.batch.live.sum()))
    learner.ascend(played.observations[taken], played.actions[taken], weights_N)


def score_gradient(
    table: Floats, observations: NDArray[np.int64], actions: NDArray[np.int64], weights: Floats
) -> Floats:
    """The gradient of `Σ_n weights_n · log π(a_n|o_n)` in the logits of a tabular softmax policy.

    Turn n adds `weights_n · (1[a = a_n] - π(a|o_n))` to row `o_n` (Sutton and Barto, 2nd ed., eq. 13.9).

    Args:
        table: π, float (O, A).
        observations: int (N,).
        actions: int (N,).
        weights: float (N,).

    Returns:
        Float (O, A).
    """
    count_O, count_A = table.shape
    taken = np.bincount(observations * count_A + actions, weights, minlength=count_O * count_A).reshape(table.shape)
    return np.asarray(taken - taken.sum(axis=1, keepdims=True) * table)
