"""Return-based estimators: a turn is scored by what was earned from it onwards."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from turnenv.credit.batch import TurnBatch
from turnenv.credit.normalise import group_normalise
from turnenv.credit.options import ABSENTS, Absent, Baseline, Scale, check_choice, check_discount


def discounted_sums(rewards: NDArray[np.float64], discount: float) -> NDArray[np.float64]:
    """Sum each row from every column to its end: ``S_k = Σ_{l>=k} discount^{l-k} r_l``.

    Args:
        rewards: float (B, K), 0 where masked.
        discount: weight of one step, from 0 to 1.

    Returns:
        Float (B, K), 0 where masked.
    """
    sums_KB = np.ascontiguousarray(rewards.T)
    for k in range(len(sums_KB) - 2, -1, -1):
        sums_KB[k] += discount * sums_KB[k + 1]
    return np.ascontiguousarray(sums_KB.T)


def merged_rewards(batch: TurnBatch) -> NDArray[np.float64]:
    """Turn rewards with the outcome's reward added at each trajectory's last turn, (B, K); 0 where masked."""
    return np.asarray(batch.turn_rewards + batch.final_turn_mask * batch.outcome_rewards[:, None])


def return_to_go(
    batch: TurnBatch,
    *,
    gamma: float = 1.0,
    baseline: Baseline = "mean",
    scale: Scale = "std",
    absent: Absent = "skip",
) -> NDArray[np.float64]:
    """Score the discounted return from each turn on: ``A_ik = z_gk(Σ_{l>=k} γ^{l-k} r_il)``.

    ``r_il`` is the turn reward, plus the outcome reward at the trajectory's last turn. Sum first, then normalise, as in
    GTPO (arXiv 2511.14846). Who is in turn k's baseline is ``absent``: with "skip" the members that took turn k; with
    "zero" all live members of the group, those already finished counting as 0.

    ``baseline="loo", scale="none", absent="zero"`` with γ=1 is an unbiased policy gradient whenever the group has two
    live members: what is subtracted depends on the other members alone, and the number of baselines subtracted does not
    depend on when the policy stops (https://github.com/verl-project/verl/issues/7244). With "skip" the last member
    still acting is compared with no other and scores 0.

    Args:
        batch: B trajectories of at most K turns.
        gamma: discount of one turn, from 0 to 1.
        baseline: "mean" or "loo".
        scale: "std" or "none".
        absent: "skip" or "zero".

    Returns:
        Advantages, float (B, K), 0 where masked.

    Raises:
        ValueError: an option is unknown or ``gamma`` is not in [0, 1].
    """
    check_discount("gamma", gamma)
    check_choice("absent", absent, ABSENTS)
    members_BK = batch.turn_mask
    if absent == "zero":
        members_BK = np.broadcast_to(batch.live[:, None], batch.turn_mask.shape)
    scores_BK = group_normalise(
        discounted_sums(merged_rewards(batch), gamma), members_BK, batch.group_ids, scale=scale, baseline=baseline
    )
    return np.where(batch.turn_mask, scores_BK, 0.0)
