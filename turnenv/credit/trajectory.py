"""Trajectory-level estimators: every turn of a trajectory gets the same advantage."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from turnenv.credit.batch import TurnBatch
from turnenv.credit.normalise import group_normalise
from turnenv.credit.options import Baseline, Scale


def grpo_or(batch: TurnBatch, *, scale: Scale = "std", baseline: Baseline = "mean") -> NDArray[np.float64]:
    """Score the outcome alone: ``A_ik = z_g(R^O_i)``.

    GRPO with outcome rewards (MT-GRPO, arXiv 2505.11821v2, eq. 4). Turn rewards are not read.

    Args:
        batch: B trajectories of at most K turns.
        scale: "std", or "none" for Dr. GRPO (arXiv 2503.20783).
        baseline: "mean", or "loo" for RLOO (arXiv 2402.14740).

    Returns:
        Advantages, float (B, K), 0 where masked.
    """
    outcome_B = group_normalise(batch.outcome_rewards, batch.live, batch.group_ids, scale=scale, baseline=baseline)
    return _on_every_turn(outcome_B, batch)


def grpo_mr(batch: TurnBatch, *, scale: Scale = "std", baseline: Baseline = "mean") -> NDArray[np.float64]:
    """Score the merged reward: ``A_ik = z_g(R^O_i + Σ_l R^T_il)``.

    GRPO with merged rewards (MT-GRPO, arXiv 2505.11821v2, §3.1, undiscounted as in its released code).

    Args:
        batch: B trajectories of at most K turns.
        scale: "std" or "none".
        baseline: "mean" or "loo".

    Returns:
        Advantages, float (B, K), 0 where masked.
    """
    merged_B = batch.outcome_rewards + batch.turn_rewards.sum(axis=1)
    return _on_every_turn(group_normalise(merged_B, batch.live, batch.group_ids, scale=scale, baseline=baseline), batch)


def gdpo(batch: TurnBatch, *, scale: Scale = "std", baseline: Baseline = "mean") -> NDArray[np.float64]:
    """Score outcome and turn rewards separately, then add: ``A_ik = z_g(R^O_i) + z_g(Σ_l R^T_il)``.

    It shares MT-GRPO's separate normalisation, but not its placement of rewards at turns (GDPO, arXiv 2601.05242, with
    these two rewards at weight 1 and without its closing normalisation over the batch, so that groups stay
    independent).

    Args:
        batch: B trajectories of at most K turns.
        scale: "std" or "none"; with "none" it equals ``grpo_mr``.
        baseline: "mean" or "loo".

    Returns:
        Advantages, float (B, K), 0 where masked.
    """
    total_B = batch.turn_rewards.sum(axis=1)
    outcome_B = group_normalise(batch.outcome_rewards, batch.live, batch.group_ids, scale=scale, baseline=baseline)
    turn_B = group_normalise(total_B, batch.live, batch.group_ids, scale=scale, baseline=baseline)
    return _on_every_turn(outcome_B + turn_B, batch)


def _on_every_turn(advantages_B: NDArray[np.float64], batch: TurnBatch) -> NDArray[np.float64]:
    return np.where(batch.turn_mask, advantages_B[:, None], 0.0)
