"""Tree backup: where episodes branch, the branches are compared with each other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from turnenv.credit.batch import TurnBatch
from turnenv.credit.normalise import EPS
from turnenv.credit.options import SCALES, Scale, check_choice
from turnenv.credit.returns import merged_rewards

Floats = NDArray[np.float64]


def tree_backup(batch: TurnBatch, *, scale: Scale = "none") -> Floats:
    """Compare each branch with the mean of the branches from its state: ``A = V(branch) - V(state)``.

    As CARL (arXiv 2512.04949) and the intra-tree term of Tree-GRPO (arXiv 2509.21240): the value of a branch is what it
    earned up to where it branched again, plus the value there; the value of a state is the mean of its branches. The
    members of a group that began at the start are branches of one state. All turns up to the next branching share
    their branch's advantage (CARL leaves the later ones out). The turns that a branch copied from its parent are the
    parent's to train: 0. Without branches this is `grpo_mr(scale="none")`. Needs ``parents``.

    Args:
        batch: B trajectories of at most K turns, with `parents`; r includes the outcome's reward at the last turn.
        scale: "none", or "std" to divide by the standard deviation of the advantages of the group's branches.

    Returns:
        Advantages, float (B, K), 0 where masked.

    Raises:
        ValueError: the batch has no `parents`, or `scale` is unknown.
    """
    check_choice("scale", scale, SCALES)
    if batch.parents is None:
        raise ValueError("tree_backup needs parents (B, 2): the row and turn that each trajectory branched off at")
    starts_BK, branch_BK = _back_up(batch)
    if scale == "std":
        branch_BK = branch_BK / _spread(batch, starts_BK, branch_BK)[:, None]
    K = starts_BK.shape[1]
    begun_BK = np.maximum.accumulate(np.where(starts_BK, np.arange(K), -1), axis=1)
    shared_BK = np.take_along_axis(branch_BK, np.maximum(begun_BK, 0), axis=1) if K else branch_BK
    return np.where(batch.turn_mask & (begun_BK >= 0), shared_BK, 0.0)


def _back_up(batch: TurnBatch) -> tuple[NDArray[np.bool_], Floats]:
    """Where branches start (B, K), and their advantages there (B, K), from the last turn to the first."""
    assert batch.parents is not None
    rewards_BK, (parent_B, turn_B) = merged_rewards(batch), batch.parents.T
    roots = parent_B < 0
    # A branching is known by its first row; that of the start, by the group's first trajectory from the start.
    _, first, group_B = np.unique(
        np.where(roots, batch.group_ids, batch.group_ids.min(initial=0) - 1), return_index=True, return_inverse=True
    )
    owner_B, from_B = np.where(roots, first[group_B], parent_B), np.where(roots, 0, turn_B)
    starts_BK, branch_BK = np.zeros(rewards_BK.shape, dtype=bool), np.zeros(rewards_BK.shape)
    ahead_B, known_B = np.zeros(len(rewards_BK)), batch.live.copy()
    for k in range(rewards_BK.shape[1] - 1, -1, -1):
        ahead_B += rewards_BK[:, k]
        rows = np.flatnonzero((from_B == k) & known_B)
        trunks = np.unique(owner_B[rows])
        # The trunk itself goes on from there too, unless this is where it starts as well.
        through = trunks[known_B[trunks] & (from_B[trunks] < k)]
        members, owners = np.concatenate([rows, through]), np.concatenate([owner_B[rows], through])
        if not members.size:
            continue
        count_B = np.bincount(owners, minlength=len(ahead_B))
        mean_B = np.bincount(owners, ahead_B[members], minlength=len(ahead_B)) / np.maximum(count_B, 1)
        starts_BK[members, k], branch_BK[members, k] = True, ahead_B[members] - mean_B[owners]
        ahead_B[trunks], known_B[trunks] = mean_B[trunks], True
    return starts_BK, branch_BK


def _spread(batch: TurnBatch, starts_BK: NDArray[np.bool_], branch_BK: Floats) -> Floats:
    """Standard deviation of the advantages of the branches of a row's group, (B,)."""
    _, group_B = np.unique(batch.group_ids, return_inverse=True)
    count_G = np.bincount(group_B, starts_BK.sum(axis=1))
    squares_G = np.bincount(group_B, (branch_BK**2 * starts_BK).sum(axis=1))
    return np.asarray((np.sqrt(squares_G / np.maximum(count_G - 1, 1)) + EPS)[group_B])
