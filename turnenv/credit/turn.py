"""Turn-scored estimators: a turn's own reward is normalised first, then joined with the outcome."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from turnenv.credit.batch import TurnBatch
from turnenv.credit.normalise import group_normalise
from turnenv.credit.options import FINAL_TURNS, Baseline, FinalTurn, Scale, check_choice, check_discount
from turnenv.credit.returns import discounted_sums


def mt_grpo(
    batch: TurnBatch,
    *,
    lam: float = 1.0,
    final_turn: FinalTurn = "outcome",
    accumulate: bool = False,
    alpha: float = 1.0,
    scale: Scale = "std",
    baseline: Baseline = "mean",
) -> NDArray[np.float64]:
    """Score each turn on its own reward plus the outcome (MT-GRPO, arXiv 2505.11821).

    Plain (v2 eq. 5-6; λ is v1's name for its α), for a trajectory of K_i turns::

        A_ik = z_gk(R^T_ik) + λ z_g(R^O_i)   for k < K_i
        A_ik = z_g(R^O_i)                    for k = K_i

    Accumulated (v2 appendix D, eq. 10-12), of which two turns with α = λ are the plain form::

        A_ik = Σ_{l=k}^{K_i-1} α^{l-k} z_gl(R^T_il) + α^{K_i-k} z_g(R^O_i)

    z_gk compares with all group members that took turn k, for some of which it may have been the last. The paper
    assumes equal lengths. Where the policy decides when to stop, its final-turn rule is biased: it drops z_gk on the
    branch that stops and keeps it on the branch that goes on. ``final_turn="turn+outcome"`` adds the final turn's own
    z_gk, which removes that bias for a single decision. Over several decisions both forms stay biased: a later turn's
    score averages 0 among those that took it, so what going on makes possible to earn is subtracted from going on
    (https://github.com/verl-project/verl/issues/7244); ``return_to_go`` has a setting without this term.

    Args:
        batch: B trajectories of at most K turns.
        lam: weight of the outcome before the final turn, plain form only. One write-up has 0.2, the released code 1.0.
        final_turn: "outcome" (the paper's rule: the final turn's own reward scores no turn, though it is in the
            baseline of the others) or "turn+outcome".
        accumulate: sum the later turns' scores too.
        alpha: discount of one turn, from 0 to 1, accumulated form only. The paper reports no value.
        scale: "std" or "none".
        baseline: "mean" or "loo".

    Returns:
        Advantages, float (B, K), 0 where masked.

    Raises:
        ValueError: an option is unknown, ``alpha`` is not in [0, 1], or the form chosen does not read the weight given.
    """
    check_choice("final_turn", final_turn, FINAL_TURNS)
    check_discount("alpha", alpha)
    if accumulate and lam != 1.0:
        raise ValueError(f"lam={lam} is not read when accumulate=True; weigh the outcome with alpha")
    if not accumulate and alpha != 1.0:
        raise ValueError(f"alpha={alpha} is read only when accumulate=True; weigh the outcome with lam")
    last_BK = batch.final_turn_mask
    turn_BK = group_normalise(batch.turn_rewards, batch.turn_mask, batch.group_ids, scale=scale, baseline=baseline)
    outcome_B = group_normalise(batch.outcome_rewards, batch.live, batch.group_ids, scale=scale, baseline=baseline)
    if final_turn == "outcome":
        turn_BK[last_BK] = 0.0
    if accumulate:
        return discounted_sums(turn_BK + last_BK * outcome_B[:, None], alpha)
    return np.where(batch.turn_mask, turn_BK + np.where(last_BK, 1.0, lam) * outcome_B[:, None], 0.0)


def mt_grpo_released(batch: TurnBatch, *, coef: float = 1.0) -> NDArray[np.float64]:
    """Score turns as the code released with MT-GRPO does, which is not what its paper writes.

    ::

        A_i1 = z_g(R^O_i) + coef · z_g(Σ_l R^T_il),  A_ik = z_g(R^O_i) for k > 1    if a result ever came back
        A_ik = z_g(R^O_i + Σ_l R^T_il) for all k                                    if none did

    It differs from ``mt_grpo`` (arXiv 2505.11821v2, eq. 5-6) in three ways. The coefficient weighs the turn term, not
    the outcome term. A trajectory has one turn reward and one split, at the first result. And a trajectory without a
    result gets GRPO-MR's score, whose scale differs from that of its group. "A result ever came back" is read here as
    "a second turn was taken": whatever the environment returned after the first turn, an error included, is
    what the policy's second turn answered. Where every trajectory has two turns and the second earns no turn reward, as
    in the paper's search task, ``coef=1`` equals ``mt_grpo(lam=1)``.

    Args:
        batch: B trajectories of at most K turns.
        coef: weight of the turn term; 1 in the released scripts.

    Returns:
        Advantages, float (B, K), 0 where masked.
    """
    total_B = batch.turn_rewards.sum(axis=1)
    outcome_B = group_normalise(batch.outcome_rewards, batch.live, batch.group_ids)
    turn_B = group_normalise(total_B, batch.live, batch.group_ids)
    merged_B = group_normalise(batch.outcome_rewards + total_B, batch.live, batch.group_ids)
    before_result_K = np.arange(batch.turn_mask.shape[1]) == 0
    split_BK = outcome_B[:, None] + coef * before_result_K * turn_B[:, None]
    got_result_B = batch.num_turns > 1
    return np.where(batch.turn_mask, np.where(got_result_B[:, None], split_BK, merged_B[:, None]), 0.0)
