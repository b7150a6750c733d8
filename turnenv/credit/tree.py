"""Tree backup: where episodes branch, the branches are compared with each other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from turnenv.credit.batch import TurnBatch
from turnenv.credit.normalise import EPS, group_normalise
from turnenv.credit.options import EPISODES, SCALES, Episode, Scale, check_choice
from turnenv.credit.returns import merged_rewards

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]


def tree_backup(batch: TurnBatch, *, scale: Scale = "none", episode: Episode = "none") -> Floats:
    """Compare each branch with the mean of the branches from its state: ``A = V(branch) - V(state)``.

    As CARL (arXiv 2512.04949) and the intra-tree term of Tree-GRPO (arXiv 2509.21240): the value of a branch is what it
    earned up to where it branched again, plus the value there; the value of a state is the mean of its branches. The
    members of a group that began at the start are branches of one state. All turns up to the next branching share
    their branch's advantage (CARL leaves the later ones out). The turns that a branch copied from its parent are the
    parent's to train: 0. The branches of a faulted trajectory count in its place. Without branches this is
    `grpo_mr(scale="none")`. Needs ``parents``.

    Args:
        batch: B trajectories of at most K turns, with `parents`; r includes the outcome's reward at the last turn.
        scale: "none", or "std" to divide by the standard deviation of the advantages of the group's branches.
        episode: "merged" adds z_g(Σ_l r_il) over all trajectories of the group, as Tree-GRPO does, with the same scale;
            "none" leaves it out.

    Returns:
        Advantages, float (B, K), 0 where masked.

    Raises:
        ValueError: the batch has no `parents`, or an option is unknown.
    """
    check_choice("scale", scale, SCALES)
    check_choice("episode", episode, EPISODES)
    if batch.parents is None:
        raise ValueError("tree_backup needs parents (B, 2): the row and turn that each trajectory branched off at")
    starts_BK, branch_BK = _back_up(batch)
    if scale == "std":
        branch_BK = branch_BK / _spread(batch, starts_BK, branch_BK)[:, None]
    K = starts_BK.shape[1]
    begun_BK = np.maximum.accumulate(np.where(starts_BK, np.arange(K), -1), axis=1)
    shared_BK = np.take_along_axis(branch_BK, np.maximum(begun_BK, 0), axis=1) if K else branch_BK
    if episode == "merged":
        whole_B = group_normalise(merged_rewards(batch).sum(axis=1), batch.live, batch.group_ids, scale=scale)
        shared_BK = shared_BK + whole_B[:, None]
    return np.where(batch.turn_mask & (begun_BK >= 0), shared_BK, 0.0)


def _back_up(batch: TurnBatch) -> tuple[NDArray[np.bool_], Floats]:
    """Where branches start (B, K), and their advantages there (B, K), from the last turn to the first."""
    rewards_BK, (owner_B, from_B) = merged_rewards(batch), _branchings(batch)
    starts_BK, branch_BK = np.zeros(rewards_BK.shape, dtype=bool), np.zeros(rewards_BK.shape)
    ahead_B, known_B = np.zeros(len(rewards_BK)), batch.live.copy()
    for k in range(rewards_BK.shape[1] - 1, -1, -1):
        ahead_B += rewards_BK[:, k]
        rows = np.flatnonzero((from_B == k) & known_B)
        trunks, heirs = np.unique(owner_B[rows], return_index=True)
        # The trunk itself goes on from there too, unless this is where it starts as well.
        through = trunks[known_B[trunks] & (from_B[trunks] < k)]
        members, owners = np.concatenate([rows, through]), np.concatenate([owner_B[rows], through])
        if not members.size:
            continue
        count_B = np.bincount(owners, minlength=len(ahead_B))
        mean_B = np.bincount(owners, ahead_B[members], minlength=len(ahead_B)) / np.maximum(count_B, 1)
        starts_BK[members, k], branch_BK[members, k] = True, ahead_B[members] - mean_B[owners]
        # What a faulted trunk earned before is read off a branch, which holds a copy.
        lost = ~known_B[trunks]
        rewards_BK[trunks[lost], :k] = rewards_BK[rows[heirs[lost]], :k]
        ahead_B[trunks], known_B[trunks] = mean_B[trunks], True
    return starts_BK, branch_BK


def _branchings(batch: TurnBatch) -> tuple[Ints, Ints]:
    """Which state each trajectory starts from: the row whose state it is, and the turn, (B,) each.

    That row is the first that passed through the state. A branching at the start belongs to the group's first
    trajectory from there.
    """
    assert batch.parents is not None
    parent_B, turn_B = batch.parents.T
    roots_B = parent_B < 0
    _, group_B = np.unique(batch.group_ids, return_inverse=True)
    first_G = np.full(group_B.max(initial=-1) + 1, len(group_B))
    np.minimum.at(first_G, group_B[roots_B], np.flatnonzero(roots_B))
    owner_B, from_B = np.where(roots_B, first_G[group_B], parent_B), np.where(roots_B, 0, turn_B)
    # A branch that branches again where it starts shares that state with its own parent.
    while (again_B := (from_B[owner_B] == from_B) & (owner_B[owner_B] != owner_B)).any():
        owner_B = np.where(again_B, owner_B[owner_B], owner_B)
    return owner_B, from_B


def _spread(batch: TurnBatch, starts_BK: NDArray[np.bool_], branch_BK: Floats) -> Floats:
    """Standard deviation of the advantages of the branches of a row's group, (B,)."""
    _, group_B = np.unique(batch.group_ids, return_inverse=True)
    count_G = np.bincount(group_B, starts_BK.sum(axis=1))
    squares_G = np.bincount(group_B, (branch_BK**2 * starts_BK).sum(axis=1))
    return np.asarray((np.sqrt(squares_G / np.maximum(count_G - 1, 1)) + EPS)[group_B])
