"""The check that branches of a batch form trees."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def as_parents(array: ArrayLike, mask_BK: NDArray[np.bool_], group_ids: NDArray[np.int64]) -> NDArray[np.int64]:
    """Check where trajectories branched off, see `TurnBatch`.

    Args:
        array: (parent row, turn), integers (B, 2); (-1, -1) for a trajectory from the start.
        mask_BK: the turns taken.
        group_ids: (B,).

    Raises:
        ValueError: a cell is no integer, or a row's parent is not an earlier row of its group that took that turn.
    """
    raw = np.asarray(array)
    if raw.shape != (len(mask_BK), 2) or raw.dtype.kind not in "iu":
        raise ValueError(
            f"parents holds {raw.dtype} of shape {raw.shape}; give integers (B, 2), (-1, -1) for no parent"
        )
    pairs_B2 = raw.astype(np.int64)
    rows = np.flatnonzero((pairs_B2 != -1).any(axis=1))
    parent, turn = pairs_B2[rows].T
    bad = (parent < 0) | (parent >= rows) | (turn < 0)
    if not bad.any():
        lengths_B = np.count_nonzero(mask_BK, axis=1)
        # A faulted trajectory's turns are unknown.
        short = (lengths_B[parent] <= turn) & (lengths_B[parent] > 0) | (lengths_B[rows] <= turn) & (
            lengths_B[rows] > 0
        )
        bad = short | (group_ids[parent] != group_ids[rows]) | (turn < pairs_B2[parent, 1])
    if bad.any():
        row = rows[np.flatnonzero(bad)[0]]
        raise ValueError(
            f"parents[{row}] = {pairs_B2[row].tolist()} is no branch: it must name an earlier row of the same "
            "group, and a turn that both took, not before the parent's own branching"
        )
    return pairs_B2
