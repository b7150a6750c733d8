"""Estimators that pool returns or rewards of a group in other ways than turn by turn: IGPO, MatchTIR, GiGPO."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from turnenv.credit.batch import TurnBatch
from turnenv.credit.normalise import group_normalise, normalise_pools
from turnenv.credit.options import EPISODES, Episode, Scale, check_choice, check_discount
from turnenv.credit.returns import discounted_sums, merged_rewards


def igpo(batch: TurnBatch, *, gamma: float = 1.0) -> NDArray[np.float64]:
    """Normalise all turns of a group in one pool, then accumulate: ``A_ik = Σ_{l>=k} γ^{l-k} z_{g,all}(r_il)``.

    IGPO (arXiv 2510.14967): the rewards of all turns of all members share one mean and one standard deviation; the last
    turn's reward is the outcome's (added here to the turn's own, if it has one). The paper's turn rewards are the gain
    of the gold answer's probability; here they are the environment's.

    Args:
        batch: B trajectories of at most K turns.
        gamma: discount of one turn, from 0 to 1.

    Returns:
        Advantages, float (B, K), 0 where masked.

    Raises:
        ValueError: `gamma` is not in [0, 1].
    """
    check_discount("gamma", gamma)
    live_BK = batch.turn_mask
    scores_BK = np.zeros(live_BK.shape)
    group_BK = np.broadcast_to(batch.group_ids[:, None], live_BK.shape)
    rewards_N = merged_rewards(batch)[live_BK]
    scores_BK[live_BK] = group_normalise(rewards_N, np.ones(len(rewards_N), dtype=bool), group_BK[live_BK])
    return discounted_sums(scores_BK, gamma)


def matchtir(batch: TurnBatch, *, gamma: float = 0.9) -> NDArray[np.float64]:
    """Mean of a trajectory's score and a turn's: ``A_ik = ½ [z_g(Σ_l r_il) + z_gk(Σ_{l>=k} γ^{l-k} r_il)]``.

    MatchTIR (arXiv 2601.10712) with its γ = 0.9. The paper's turn rewards match tool calls to gold ones; here they are
    the environment's, the outcome's reward added at the last turn. A turn that no other member took scores
    0 in the second term, where the released code leaves the bare return.

    Args:
        batch: B trajectories of at most K turns.
        gamma: discount of one turn, from 0 to 1.

    Returns:
        Advantages, float (B, K), 0 where masked.

    Raises:
        ValueError: `gamma` is not in [0, 1].
    """
    check_discount("gamma", gamma)
    rewards_BK = merged_rewards(batch)
    whole_B = group_normalise(rewards_BK.sum(axis=1), batch.live, batch.group_ids)
    turn_BK = group_normalise(discounted_sums(rewards_BK, gamma), batch.turn_mask, batch.group_ids)
    return np.where(batch.turn_mask, (whole_B[:, None] + turn_BK) / 2, 0.0)


def gigpo(
    batch: TurnBatch, *, gamma: float = 0.95, weight: float = 1.0, scale: Scale = "std", episode: Episode = "merged"
) -> NDArray[np.float64]:
    """Compare returns from the same state: ``A_ik = z_g(Σ_l r_il) + w z_{g,state}(Σ_{l>=k} γ^{l-k} r_il)``.

    GiGPO (arXiv 2505.10978), with its γ = 0.95 and w = 1; r includes the outcome's reward at the last turn. The second
    term compares all turns of the group that were taken from one state, whatever their index; a state that was met
    once scores 0. Needs ``state_keys``.

    Args:
        batch: B trajectories of at most K turns, with `state_keys`.
        gamma: discount of one turn, from 0 to 1.
        weight: w, of the state's term.
        scale: "std" (the paper's mean_std_norm) or "none" (mean_norm), of both terms.
        episode: "merged" keeps the first term, "none" leaves the state's alone.

    Returns:
        Advantages, float (B, K), 0 where masked.

    Raises:
        ValueError: the batch has no `state_keys`, an option is unknown, or `gamma` is not in [0, 1].
    """
    check_discount("gamma", gamma)
    check_choice("episode", episode, EPISODES)
    if batch.state_keys is None:
        raise ValueError("gigpo needs state_keys: the hash of the state before each turn, which turnenv's info carries")
    live_BK, rewards_BK = batch.turn_mask, merged_rewards(batch)
    scores_BK = np.zeros(live_BK.shape)
    group_BK = np.broadcast_to(batch.group_ids[:, None], live_BK.shape)
    pools_N = _pairs(group_BK[live_BK], batch.state_keys[live_BK])
    scores_BK[live_BK] = weight * normalise_pools(discounted_sums(rewards_BK, gamma)[live_BK], pools_N, scale=scale)
    if episode == "merged":
        whole_B = group_normalise(rewards_BK.sum(axis=1), batch.live, batch.group_ids, scale=scale)
        scores_BK += np.where(live_BK, whole_B[:, None], 0.0)
    return scores_BK


def _pairs(first_N: NDArray[np.int64], second_N: NDArray[np.int64]) -> NDArray[np.intp]:
    """Number the distinct pairs."""
    # One sort of a 64-bit mixture brings equal pairs together; two pairs that mix alike would be split, never merged.
    mixed_N = first_N.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) ^ second_N.astype(np.uint64)
    order_N = np.argsort(mixed_N, kind="stable")
    changes_N = np.zeros(len(order_N), dtype=bool)
    for key_N in (first_N[order_N], second_N[order_N]):
        changes_N[1:] |= key_N[1:] != key_N[:-1]
    numbers_N = np.empty(len(order_N), dtype=np.intp)
    numbers_N[order_N] = np.cumsum(changes_N)
    return numbers_N
