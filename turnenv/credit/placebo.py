"""The placebo: any estimator, given turn rewards that were shuffled among the members of the group."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from turnenv.credit.batch import TurnBatch
from turnenv.credit.spec import Estimator


def placebo_of(look_up: Callable[[str], Estimator]) -> Estimator:
    """The placebo of the estimators that `look_up` knows by name."""

    def placebo(batch: TurnBatch, *, estimator: str = "mt_grpo", seed: int = 0, **options: Any) -> NDArray[np.float64]:
        """Score with turn rewards shuffled inside the group, turn by turn, among the members that took the turn.

        The shuffled rewards have the same density and scale, and say nothing about the actions: what an estimator still
        gains over the outcome alone does not come from knowing which turn was good.

        Args:
            batch: B trajectories of at most K turns.
            estimator: name of the estimator that scores.
            seed: of the shuffle; equal seeds permute batches of equal shape alike.
            **options: of that estimator.

        Returns:
            Its advantages, float (B, K), 0 where masked.

        Raises:
            ValueError: if no estimator has that name, or it refuses its options.
        """
        if estimator == "placebo":
            raise ValueError("a placebo of the placebo is the placebo; name another estimator")
        return look_up(estimator)(replace(batch, turn_rewards=shuffled_turn_rewards(batch, seed)), **options)

    return placebo


def shuffled_turn_rewards(batch: TurnBatch, seed: int) -> NDArray[np.float64]:
    """Turn rewards after a random permutation within each (group, turn), (B, K); 0 where masked."""
    live_BK = batch.turn_mask
    _, group_B = np.unique(batch.group_ids, return_inverse=True)
    pool_N = (group_B[:, None] * live_BK.shape[1] + np.arange(live_BK.shape[1]))[live_BK]
    drawn_N = np.random.default_rng(seed).random(len(pool_N))
    rewards_N, dealt_N = batch.turn_rewards[live_BK], np.empty(len(pool_N))
    # A number between a pool's and the next one's sorts by pool first, then at random.
    dealt_N[np.argsort(pool_N, kind="stable")] = rewards_N[np.argsort(pool_N + drawn_N)]
    shuffled_BK = np.zeros(live_BK.shape)
    shuffled_BK[live_BK] = dealt_N
    return shuffled_BK
