"""Intervals over seeds: Student's t for a mean and for paired differences, order statistics for a median."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import binom

from turnenv.evaluation.intervals import Interval, mean_interval

__all__ = ["Interval", "MedianInterval", "mean_interval", "median_interval", "paired_interval"]


@dataclass(frozen=True, slots=True)
class MedianInterval:
    """A median over seeds with a distribution-free confidence interval; values may be infinite.

    Attributes:
        median: of the values.
        low: the interval's lower end, one of the values.
        high: its upper end.
        confidence: what the interval truly covers, e.g. 0.97 for the range of six values.
        count: how many values there were.
    """

    median: float
    low: float
    high: float
    confidence: float
    count: int


def median_interval(values: Sequence[float], confidence: float = 0.95) -> MedianInterval:
    """The median with the narrowest interval between order statistics that covers it with at least `confidence`.

    The chance that fewer than k of n values lie below the median is binomial whatever the distribution; the interval
    from the k-th smallest to the k-th largest leaves out twice that. Fewer than six values cannot reach 95 %: then it
    is their range, and `confidence` says what that covers.

    Args:
        values: one value per seed; infinity for one that was never reached, no NaN.
        confidence: at least this, if there are enough values.

    Raises:
        ValueError: if there are no values or one is NaN.
    """
    ordered = np.sort(np.asarray(values, dtype=np.float64))
    if ordered.size == 0 or np.isnan(ordered).any():
        raise ValueError(f"there must be values, and none may be NaN; got {ordered.tolist()}")
    covers = [1.0 - 2.0 * float(binom.cdf(k, ordered.size, 0.5)) for k in range((ordered.size + 1) // 2)]
    k = max((k for k, covered in enumerate(covers) if covered >= confidence), default=0)
    middle = ordered[(ordered.size - 1) // 2], ordered[ordered.size // 2]
    return MedianInterval(
        float(sum(middle) / 2), float(ordered[k]), float(ordered[-1 - k]), covers[k], int(ordered.size)
    )


def paired_interval(treated: Mapping[int, float], control: Mapping[int, float], confidence: float = 0.95) -> Interval:
    """The mean of `treated - control` over the seeds that both have, with its t-interval.

    Args:
        treated: seed → value.
        control: seed → value; a seed that only one of them has is left out.
        confidence: between 0 and 1.

    Raises:
        ValueError: if they share no seed.
    """
    shared = sorted(treated.keys() & control.keys())
    if not shared:
        raise ValueError(f"no seed in common: {sorted(treated)} and {sorted(control)}")
    return mean_interval([treated[seed] - control[seed] for seed in shared], confidence)
