"""Estimators that read values (a critic's or Monte-Carlo ones) or the true advantages."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from turnenv.credit.batch import TurnBatch
from turnenv.credit.options import REWARDS, SCALES, Rewards, Scale, check_choice, check_discount
from turnenv.credit.returns import discounted_sums, merged_rewards


def turn_gae(
    batch: TurnBatch, *, gamma: float = 0.99, lam: float = 0.9, rewards: Rewards = "turn", whiten: bool = False
) -> NDArray[np.float64]:
    """Generalised advantages over turns: ``A_ik = Σ_{l>=k} (γλ)^{l-k} δ_il``, ``δ_ik = r_ik + γ V_{k+1} - V_k``.

    Turn-PPO (arXiv 2512.17008), with its γ = 0.99 and λ = 0.9; GAE of arXiv 1506.02438, eq. 16, with turns as steps; r
    includes the outcome's reward at the last turn. After the last turn V is 0, unless the turn limit cut the
    trajectory: then it is the value given there. Needs ``values``.

    Args:
        batch: B trajectories of at most K turns, with `values`.
        gamma: discount of one turn, from 0 to 1.
        lam: λ, from 0 (one step) to 1 (the return less the value).
        rewards: "turn" pays each turn its own reward (MT-PPO); "outcome" pays nothing but the outcome, at the last turn
            (PPO-OR); "merged" pays the sum of both there (PPO-MR).
        whiten: normalise over all turns of the batch, as PPO codes do; it moves the baseline.

    Returns:
        Advantages, float (B, K), 0 where masked.

    Raises:
        ValueError: the batch has no `values`, or an option is out of range.
    """
    check_discount("gamma", gamma)
    check_discount("lam", lam)
    check_choice("rewards", rewards, REWARDS)
    if batch.values is None:
        raise ValueError("turn_gae needs values (B, K+1): a critic's, or means of Monte-Carlo continuations")
    goes_on_BK = ~batch.final_turn_mask | batch.truncated[:, None]
    residuals_BK = _paid(batch, rewards) + gamma * goes_on_BK * batch.values[:, 1:] - batch.values[:, :-1]
    advantages_BK = discounted_sums(np.where(batch.turn_mask, residuals_BK, 0.0), gamma * lam)
    if whiten and batch.turn_mask.any():
        live_N = advantages_BK[batch.turn_mask]
        advantages_BK = (advantages_BK - live_N.mean()) / (live_N.std() + 1e-8)
    return np.where(batch.turn_mask, advantages_BK, 0.0)


def value_targets(
    batch: TurnBatch, *, gamma: float = 1.0, lam: float = 1.0, rewards: Rewards = "turn"
) -> NDArray[np.float64]:
    """What a critic learns: ``A_ik + V_k`` by `turn_gae`; with λ = 1 that is the discounted return from turn k on.

    Args:
        batch: B trajectories of at most K turns, with the `values` that the critic gave before it learns from them.
        gamma: discount of one turn.
        lam: λ of the targets, which need not be that of the advantages.
        rewards: as of `turn_gae`.

    Returns:
        Targets, float (B, K), 0 where masked.
    """
    advantages_BK = turn_gae(batch, gamma=gamma, lam=lam, rewards=rewards)
    assert batch.values is not None
    return np.where(batch.turn_mask, advantages_BK + batch.values[:, :-1], 0.0)


def _paid(batch: TurnBatch, rewards: Rewards) -> NDArray[np.float64]:
    if rewards == "turn":
        return merged_rewards(batch)
    at_end_B = batch.outcome_rewards + (batch.turn_rewards.sum(axis=1) if rewards == "merged" else 0.0)
    return np.asarray(batch.final_turn_mask * at_end_B[:, None])


def vine_ppo(batch: TurnBatch) -> NDArray[np.float64]:
    """One step ahead on estimated values: ``A_ik = r_ik + V_{k+1} - V_k``, V the means of Monte-Carlo continuations.

    VinePPO (arXiv 2410.01679, section 4), with turns as steps: `turn_gae` with γ = 1 and λ = 0. Its values are means of
    returns of fresh continuations from each state, whose turns belong to the method's budget. Needs ``values``.

    Args:
        batch: B trajectories of at most K turns, with `values`.

    Returns:
        Advantages, float (B, K), 0 where masked.

    Raises:
        ValueError: the batch has no `values`.
    """
    if batch.values is None:
        raise ValueError("vine_ppo needs values (B, K+1): means of Monte-Carlo continuations from each state")
    return turn_gae(batch, gamma=1.0, lam=0.0)


def oracle(batch: TurnBatch, *, scale: Scale = "none") -> NDArray[np.float64]:
    """The true advantage of each action taken, known only for a solved environment: a reference, not a ceiling.

    Unscaled, its expected gradient is the policy gradient (Sutton et al. 2000), the steepest way up for small steps.
    It is no ceiling where it is the truth about the outcome alone, as in the credit lab: once an error has lost the
    outcome, the truth is 0 for every later turn, while right turn rewards still teach there. Needs ``true_advantages``.

    Args:
        batch: B trajectories of at most K turns, with `true_advantages`.
        scale: "none", or "std" to divide by the root mean square over the batch's turns.

    Returns:
        Advantages, float (B, K), 0 where masked.

    Raises:
        ValueError: the batch has no `true_advantages`, or `scale` is unknown.
    """
    check_choice("scale", scale, SCALES)
    if batch.true_advantages is None:
        raise ValueError("oracle needs true_advantages: A^π of an environment that turnenv.exact solves")
    spread = 1.0
    if scale == "std":
        spread = float(np.sqrt((batch.true_advantages**2).sum() / max(1, batch.turn_mask.sum()))) or 1.0
    return batch.true_advantages / spread
