"""Intervals of independent values: Student's t for a mean, Wilson's score for a share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from statistics import NormalDist

import numpy as np

__all__ = ["Interval", "Share", "mean_interval", "share_interval", "student_quantile"]

_HALVINGS = 60
_EQUAL_VALUES = 6
"""The chance that so many values have the same sign by chance, 2 · 0.5⁶ = 0.03, is the first below 0.05."""
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean over seeds with its two-sided confidence interval, in the unit of the values.

    Attributes:
        mean: the mean of the values.
        half_width: the interval is `mean ± half_width`; NaN for a single value, which says nothing about spread.
        count: how many values (seeds) there were.
    """

    mean: float
    half_width: float
    count: int

    @property
    def low(self) -> float:
        """The lower end."""
        return self.mean - self.half_width

    @property
    def high(self) -> float:
        """The upper end."""
        return self.mean + self.half_width

    @property
    def excludes_zero(self) -> bool:
        """True if the whole interval lies on one side of zero; False if the half width is not known.

        Equal values give the t-interval no width. Then the sign test decides in its place: it needs six of them.
        """
        if self.all_equal:
            return self.mean != 0 and self.count >= _EQUAL_VALUES
        return self.low > 0 or self.high < 0

    @property
    def all_equal(self) -> bool:
        """True if the values are two or more and equal, up to rounding."""
        return self.half_width <= _ROUNDING * abs(self.mean)

    def __format__(self, spec: str) -> str:
        """`mean ± half width`, or the mean alone where the half width is not known; `+.1f` gives the mean its sign."""
        spread = "" if math.isnan(self.half_width) else f" ± {format(self.half_width, spec.removeprefix('+'))}"
        return f"{format(self.mean, spec)}{spread}"

    def scaled(self, factor: float) -> Interval:
        """The same interval in another unit, `factor` of it to one of the old."""
        return Interval(self.mean * factor, self.half_width * abs(factor), self.count)


def mean_interval(values: Sequence[float], confidence: float = 0.95) -> Interval:
    """The mean of independent values, with Student's t-interval (n - 1 degrees of freedom).

    The half width is `t(n-1, (1 + confidence) / 2) · s / √n`, with `s` the unbiased standard deviation.

    Args:
        values: one value per seed, finite.
        confidence: between 0 and 1.

    Raises:
        ValueError: if there are no values or one is not finite, or confidence is out of range.
    """
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must be between 0 and 1; got {confidence}")
    array = np.asarray(values, dtype=np.float64)
    if array.size == 0:
        raise ValueError("there are no values to take the mean of")
    if not np.isfinite(array).all():
        raise ValueError(f"every value must be finite; got {array.tolist()}")
    mean = float(array.mean())
    if array.size == 1:
        return Interval(mean, math.nan, 1)
    quantile = student_quantile(confidence, int(array.size) - 1)
    return Interval(mean, quantile * float(array.std(ddof=1)) / math.sqrt(array.size), int(array.size))


@dataclass(frozen=True, slots=True)
class Share:
    """A share of independent trials with its two-sided confidence interval, from 0 to 1.

    Attributes:
        share: successes by trials.
        low: the interval's lower end.
        high: its upper end.
        count: how many trials there were.
    """

    share: float
    low: float
    high: float
    count: int


def share_interval(successes: int, trials: int, confidence: float = 0.95) -> Share:
    """A share with Wilson's score interval (Wilson 1927), which is sound near 0 and 1, too.

    Raises:
        ValueError: if there are no trials, or more successes than trials.
    """
    if not 0 <= successes <= trials or trials == 0:
        raise ValueError(f"successes are from 0 to the number of trials, at least 1; got {successes} of {trials}")
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share = successes / trials
    middle = (share + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z / (1 + z * z / trials) * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    # At the ends the interval touches 0 or 1 exactly; rounding must not leave the share outside.
    return Share(share, min(share, max(0.0, middle - half)), max(share, min(1.0, middle + half)), trials)


@cache
def student_quantile(confidence: float, freedom: int) -> float:
    """The t with P(|T| <= t) = confidence, for Student's distribution with a whole number of degrees of freedom.

    Found by halving the angle arctan(t / sqrt(freedom)) in the finite series of Abramowitz & Stegun 26.7.3 and 26.7.4.
    """
    low, high = 0.0, math.pi / 2
    for _ in range(_HALVINGS):
        angle = (low + high) / 2
        low, high = (angle, high) if _within(angle, freedom) < confidence else (low, angle)
    return math.sqrt(freedom) * math.tan(low)


def _within(angle: float, freedom: int) -> float:
    """P(|T| <= sqrt(freedom) * tan(angle))."""
    cosine, odd = math.cos(angle), freedom % 2
    steps = np.arange(2 + odd, freedom - 1, 2, dtype=np.float64)
    terms = np.cumprod(np.concatenate([[1.0], (steps - 1) / steps * cosine**2]))
    if not odd:
        return math.sin(angle) * float(terms.sum())
    series = float(terms.sum()) * cosine if freedom > 1 else 0.0
    return 2 / math.pi * (angle + math.sin(angle) * series)
