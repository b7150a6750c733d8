"""Statistics over several cells and seeds (axis S), after Agarwal et al. 2021 (arXiv 2108.13264); D bootstrap draws.

A cell is one environment with one starting policy. Scores are normalised before they are aggregated: 0 is the
random policy, 1 the expert. Two methods are compared seed by seed, so that the bootstrap draws pairs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from turnenv.evaluation.intervals import mean_interval

Floats = NDArray[np.float64]

_DRAWS = 4_000


@dataclass(frozen=True, slots=True)
class Bootstrapped:
    """A statistic with its bootstrap interval.

    Attributes:
        value: of the scores themselves.
        low: lower end of the 95 % percentile interval.
        high: its upper end.
    """

    value: float
    low: float
    high: float


def normalised(scores: ArrayLike, random: float, expert: float) -> Floats:
    """Scores in units in which the random policy has 0 and the expert 1.

    Raises:
        ValueError: if the two are equal.
    """
    if random == expert:
        raise ValueError(f"the random policy and the expert both score {expert}: nothing can be normalised by them")
    result: Floats = (np.asarray(scores, dtype=np.float64) - random) / (expert - random)
    return result


def interquartile_mean(scores: ArrayLike) -> float:
    """The mean of the middle half of all scores, whatever their cell: robust to outliers and not very noisy."""
    return float(stats.trim_mean(np.asarray(scores, dtype=np.float64), 0.25, axis=None))


def interquartile_interval(scores: Sequence[ArrayLike], *, seed: int = 0) -> Bootstrapped:
    """The interquartile mean of a method, by stratified bootstrap: seeds are drawn anew within every cell.

    Args:
        scores: one (S,) array per cell; cells may have different numbers of seeds.
        seed: of the draws.
    """
    cells = [_column(cell) for cell in scores]
    return _bootstrap(cells, lambda drawn: _middle(np.concatenate(drawn, axis=1)), seed)


def interquartile_difference(
    treated: Sequence[ArrayLike], control: Sequence[ArrayLike], *, seed: int = 0
) -> Bootstrapped:
    """The difference of two methods' interquartile means; the bootstrap draws pairs of the same cell and seed.

    Args:
        treated: one (S,) array per cell.
        control: the same cells and seeds.
        seed: of the draws.

    Raises:
        ValueError: if the cells or their numbers of seeds differ.
    """

    def difference(drawn: Sequence[Floats]) -> Floats:
        pairs = np.concatenate(drawn, axis=1)
        return _middle(pairs[..., 0]) - _middle(pairs[..., 1])

    return _bootstrap(_pairs(treated, control), difference, seed)


def probability_of_improvement(
    treated: Sequence[ArrayLike], control: Sequence[ArrayLike], *, seed: int = 0
) -> Bootstrapped:
    """The chance that a run of one method beats a run of another, averaged over cells; a tie counts half.

    In each cell it is the Mann-Whitney statistic over the number of pairs of runs, of equal and of different seeds.

    Args:
        treated: one (S,) array per cell.
        control: the same cells and seeds.
        seed: of the draws.

    Raises:
        ValueError: if the cells or their numbers of seeds differ.
    """
    return _bootstrap(_pairs(treated, control), lambda drawn: np.mean([_wins(cell) for cell in drawn], axis=0), seed)


def performance_profile(scores: Sequence[ArrayLike], thresholds: ArrayLike) -> Floats:
    """The share of runs that score more than each threshold, (T,); every cell weighs the same."""
    levels_T = np.asarray(thresholds, dtype=np.float64)
    shares: Floats = np.mean([(_column(cell)[:, None] > levels_T).mean(axis=0) for cell in scores], axis=0)
    return shares


def paired_p(treated: ArrayLike, control: ArrayLike) -> float:
    """The two-sided p-value of the paired t-test over seeds; 1 where all differences are 0.

    Where they are equal and not 0, the t-test has no spread to judge by, and it is the sign test's p-value.
    """
    differences = np.asarray(treated, dtype=np.float64) - np.asarray(control, dtype=np.float64)
    if mean_interval(differences.tolist()).all_equal:
        return 1.0 if differences[0] == 0.0 else float(0.5 ** (differences.size - 1))
    return float(stats.ttest_1samp(differences, 0.0).pvalue)


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values adjusted for their number by Holm's step-down rule, in the order given."""
    count, largest = len(p_values), 0.0
    adjusted = [0.0] * count
    for rank, index in enumerate(np.argsort(p_values, kind="stable")):
        largest = max(largest, (count - rank) * p_values[index])
        adjusted[index] = min(1.0, largest)
    return adjusted


def _middle(scores_DN: Floats) -> Floats:
    """The interquartile mean of each draw, (D,)."""
    means: Floats = np.asarray(stats.trim_mean(scores_DN, 0.25, axis=1))
    return means


def _wins(pairs_DS2: Floats) -> Floats:
    """The share of pairs of runs that the first method wins in each draw of a cell, (D,)."""
    treated, control = pairs_DS2[:, :, None, 0], pairs_DS2[:, None, :, 1]
    shares: Floats = ((treated > control) + 0.5 * (treated == control)).mean(axis=(1, 2))
    return shares


def _pairs(treated: Sequence[ArrayLike], control: Sequence[ArrayLike]) -> list[Floats]:
    left, right = [_column(cell) for cell in treated], [_column(cell) for cell in control]
    if [len(cell) for cell in left] != [len(cell) for cell in right]:
        raise ValueError(
            f"methods need the same seeds; they have {[*map(len, left)]} and {[*map(len, right)]} per cell"
        )
    return [np.stack(pair, axis=1) for pair in zip(left, right, strict=True)]


def _column(cell: ArrayLike) -> Floats:
    scores = np.asarray(cell, dtype=np.float64)
    if scores.ndim != 1 or not scores.size:
        raise ValueError(f"every cell needs one score per seed; got an array of shape {scores.shape}")
    return scores


def _bootstrap(cells: Sequence[Floats], statistic: Callable[[Sequence[Floats]], Floats], seed: int) -> Bootstrapped:
    """Draw each cell's seeds (its first axis) anew; the statistic maps arrays with an axis D in front to (D,)."""
    rng = np.random.default_rng(seed)
    drawn = [cell[rng.integers(len(cell), size=(_DRAWS, len(cell)))] for cell in cells]
    low, high = np.percentile(statistic(drawn), (2.5, 97.5))
    return Bootstrapped(float(statistic([cell[None] for cell in cells])[0]), float(low), float(high))
