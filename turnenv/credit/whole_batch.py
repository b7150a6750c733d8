"""REINFORCE++: returns normalised over the whole batch instead of the group."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from turnenv.credit.batch import TurnBatch
from turnenv.credit.normalise import group_normalise
from turnenv.credit.options import check_choice, check_discount
from turnenv.credit.returns import discounted_sums, merged_rewards

CENTRES = ("batch", "group")


def reinforce_pp(batch: TurnBatch, *, gamma: float = 1.0, centre: str = "batch") -> NDArray[np.float64]:
    """Whiten over the batch: ``A_ik = (G_ik - mean) / (std + eps)``, mean and std over all turns of all trajectories.

    REINFORCE++ (arXiv 2501.03262) at the level of turns, without its KL term, which belongs to the loss: ``G_ik =
    Σ_{l>=k} γ^{l-k} r_il`` is the return from turn k on, the outcome's reward included. ``centre="group"`` is its
    variant with a baseline: the mean return of the trajectory's group is subtracted from the whole return first, and
    the difference, the same at every turn, is whitened.

    Args:
        batch: B trajectories of at most K turns.
        gamma: discount of one turn, from 0 to 1; "group" reads undiscounted returns.
        centre: "batch" or "group".

    Returns:
        Advantages, float (B, K), 0 where masked, and everywhere in a batch of zero spread. A trajectory's advantages
        depend on the other groups of the batch.

    Raises:
        ValueError: `centre` is unknown, or `gamma` is not in [0, 1].
    """
    check_discount("gamma", gamma)
    check_choice("centre", centre, CENTRES)
    rewards_BK = merged_rewards(batch)
    if centre == "group":
        deviation_B = group_normalise(rewards_BK.sum(axis=1), batch.live, batch.group_ids, scale="none")
        scores_BK = np.where(batch.turn_mask, deviation_B[:, None], 0.0)
    else:
        scores_BK = discounted_sums(rewards_BK, gamma)
    advantages_BK = np.zeros_like(scores_BK)
    live_N = scores_BK[batch.turn_mask]
    everyone_N = np.ones(len(live_N), dtype=bool)
    advantages_BK[batch.turn_mask] = group_normalise(live_N, everyone_N, np.zeros(len(live_N), dtype=np.int64))
    return advantages_BK
