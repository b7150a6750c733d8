"""Group statistics: how far a number lies from those of the other members of its group."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from turnenv.credit.options import BASELINES, SCALES, Baseline, Scale, check_choice

EPS = 1e-4
"""Added to the standard deviation, as TRL's ``(rewards - mean) / (std + 1e-4)`` does."""


def group_normalise(
    values: NDArray[np.float64],
    members: NDArray[np.bool_],
    group_ids: NDArray[np.int64],
    *,
    scale: Scale = "std",
    baseline: Baseline = "mean",
    eps: float = EPS,
) -> NDArray[np.float64]:
    """Compare each value with those of its group, column by column.

    ``(x - mean_g) / (std_g + eps)`` with the unbiased standard deviation (GRPO, arXiv 2402.03300 §4.1.2; eps and
    Bessel's correction as in TRL). ``scale="none"`` leaves out the division (Dr. GRPO, arXiv 2503.20783);
    ``baseline="loo"`` subtracts the mean of the *other* members (RLOO, arXiv 2402.14740), which is the plain deviation
    times ``n / (n - 1)``; the scale stays that of all members.

    Given ``(B,)`` this is z_g; given ``(B, K)`` it is z_gk, turn k against turn k of the members that took it.

    Args:
        values: float (B,) or (B, K), dimensionless.
        members: True where the value counts, bool, of the shape of ``values``.
        group_ids: int (B,), any values in any order.
        scale: "std" or "none".
        baseline: "mean" or "loo".
        eps: added to the standard deviation.

    Returns:
        Float of the shape of ``values``; 0 where not a member, alone in its group, or in a group of zero spread.

    Raises:
        ValueError: shapes disagree or an option is unknown.
    """
    if values.shape != members.shape or values.shape[:1] != group_ids.shape or values.ndim not in (1, 2):
        raise ValueError(
            f"values {values.shape}, members {members.shape} and group_ids {group_ids.shape} do not fit; "
            "give (B,), (B,), (B,) or (B, K), (B, K), (B,)"
        )
    check_choice("scale", scale, SCALES)
    check_choice("baseline", baseline, BASELINES)
    columns = values[:, None] if values.ndim == 1 else values
    _, group_of_row = np.unique(group_ids, return_inverse=True)
    pool_BK = group_of_row[:, None] * columns.shape[1] + np.arange(columns.shape[1])
    normalised = np.zeros_like(values, dtype=np.float64)
    normalised[members] = normalise_pools(
        values[members], pool_BK.reshape(values.shape)[members], scale=scale, baseline=baseline, eps=eps
    )
    return normalised


def normalise_pools(
    values_N: NDArray[np.float64],
    pool_N: NDArray[np.intp],
    *,
    scale: Scale = "std",
    baseline: Baseline = "mean",
    eps: float = EPS,
) -> NDArray[np.float64]:
    """Normalise N values, each within the pool of those that carry the same number; see `group_normalise`."""
    count_P = np.bincount(pool_N)
    # Measured from the pool's minimum, equal values are exactly 0 however their mean would round.
    lowest_P = np.full(count_P.shape, np.inf)
    np.minimum.at(lowest_P, pool_N, values_N)
    above_N = values_N - lowest_P[pool_N]
    deviation_N = above_N - (np.bincount(pool_N, weights=above_N) / np.maximum(count_P, 1))[pool_N]
    others_P = np.maximum(count_P - 1, 1)
    divisor_P = np.ones(count_P.shape)
    if scale == "std":
        divisor_P = np.sqrt(np.bincount(pool_N, weights=deviation_N**2) / others_P) + eps
    if baseline == "loo":
        divisor_P = divisor_P * others_P / np.maximum(count_P, 1)
    return np.asarray(deviation_N / divisor_P[pool_N], dtype=np.float64)
