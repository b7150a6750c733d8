"""What is measured of an estimator, each metric a pure function with its definition.

Axes: N blocks of batches, H turns, O observations, A actions, T trajectories.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from turnenv.exact import Floats

NULL = 1e-9
"""A true advantage closer to 0 than this counts as 0."""


@dataclass(frozen=True, eq=False)
class Moments:
    """First and second moments of a batch's gradient, in N independent blocks (or exactly, as one block).

    Attributes:
        mean: average gradient of each turn, (N, H, O, A).
        square: average squared length of the whole gradient, (N,).
        turn_square: average squared length of each turn's gradient, (N, H).
        batches: batches in a block; 0 if the moments are exact.
    """

    mean: Floats
    square: Floats
    turn_square: Floats
    batches: int

    @property
    def exact(self) -> bool:
        """True if the moments are expectations, not averages."""
        return self.batches == 0

    def without(self, block: int) -> Moments:
        """The other blocks."""
        keep = np.arange(len(self.square)) != block
        return Moments(self.mean[keep], self.square[keep], self.turn_square[keep], self.batches)

    def whole(self) -> tuple[Floats, float, float]:
        """The mean gradient (O, A), the squared length of its expectation (unbiased), the trace of the covariance."""
        mean_OA = self.mean.mean(0).sum(0)
        return mean_OA, *_signal_and_noise(mean_OA, float(self.square.mean()), self.batches * len(self.square))

    def turn(self, turn: int) -> tuple[Floats, float, float]:
        """The same of one turn's share of the gradient."""
        mean_OA = self.mean[:, turn].mean(0)
        square = float(self.turn_square[:, turn].mean())
        return mean_OA, *_signal_and_noise(mean_OA, square, self.batches * len(self.square))


def _signal_and_noise(mean: Floats, square: float, batches: int) -> tuple[float, float]:
    length = float((mean**2).sum())
    if not batches:
        return length, max(square - length, 0.0)
    # An average of n batches is longer than the expectation by tr Cov / n.
    noise = max(square - length, 0.0) * batches / max(batches - 1, 1)
    return length - noise / batches, noise


def direction(moments: Moments, truth: Floats) -> float:
    """M1: the cosine between the expected gradient and the exact one (O, A); NaN if either is 0.

    1 is an estimator whose mean step is the true gradient's up to its length; it says nothing about noise. The
    length of a sampled mean is corrected for noise, so that an estimate can pass 1 by its standard error.
    """
    mean, signal, _ = moments.whole()
    return _cosine(mean, signal, truth)


def turn_directions(moments: Moments, truth: Floats) -> Floats:
    """M2: `direction` of each turn's share of the gradient, truth (H, O, A), (H,)."""
    cosines = []
    for turn, true_OA in enumerate(truth):
        mean, signal, _ = moments.turn(turn)
        cosines.append(_cosine(mean, signal, true_OA))
    return np.array(cosines)


def turn_profile(moments: Moments) -> Floats:
    """M2: the length of each turn's share of the expected gradient, (H,); 0 where noise hides it."""
    return np.sqrt([max(moments.turn(turn)[1], 0.0) for turn in range(moments.mean.shape[1])])


def true_profile(truth: Floats) -> Floats:
    """M2: the same of the exact gradient (H, O, A), (H,)."""
    return np.asarray(np.sqrt((truth**2).sum(axis=(1, 2))))


def relative_to_last(profile: Floats, true: Floats) -> Floats:
    """M2: a profile divided by its value at the last turn that truly matters, (H,); NaN if that is 0.

    Set beside the same of the exact gradient it shows the learning rate that a method silently gives to each turn.
    """
    mattering = np.flatnonzero(true > NULL * max(true.max(), NULL))
    last = profile[mattering[-1]] if mattering.size else 0.0
    return np.asarray(profile / last if last > 0.0 else np.full_like(profile, np.nan))


def signal_to_noise(moments: Moments, turns_ratio: float = 1.0) -> float:
    """M3: `||E g||² / tr Cov(g)` of a batch, times the batches that the environment turns of a plain batch allow.

    Args:
        moments: of the gradient of one batch.
        turns_ratio: turns of a plain batch divided by those that this method plays for one, continuations included.

    Returns:
        NaN if the gradient is always 0, inf if it never varies.
    """
    _, signal, noise = moments.whole()
    if noise == 0.0:
        return np.inf if signal > 0.0 else np.nan
    return max(signal, 0.0) / noise * turns_ratio


def batch_cosine(gradients: Floats, truth: Floats) -> float:
    """M3: the mean cosine between a single batch's gradient (R, O, A) and the exact one (O, A).

    A batch whose gradient is 0 counts as cosine 0: its turns were spent and taught nothing.
    """
    lengths_R = np.sqrt((gradients**2).sum(axis=(1, 2)))
    dots_R = (gradients * truth).sum(axis=(1, 2))
    length = float(np.sqrt((truth**2).sum()))
    if length < NULL**2:
        return np.nan
    return float(np.divide(dots_R, lengths_R * length, out=np.zeros_like(dots_R), where=lengths_R > 1e-12).mean())


def rank_correlation(estimated: Floats, true: Floats, mask: NDArray[np.bool_]) -> float:
    """M4: Spearman's correlation of estimated and true advantages over all live turns, ties averaged.

    Args:
        estimated: (T, H).
        true: (T, H).
        mask: True where a turn was taken, (T, H).

    Returns:
        NaN if either is constant.
    """
    return _spearman(estimated[mask], true[mask])


def rank_within(estimated: Floats, true: Floats, mask: NDArray[np.bool_]) -> float:
    """M4: Spearman's correlation inside a trajectory, averaged over those whose true advantages differ.

    A method that gives all turns of a trajectory the same advantage ranks nothing: NaN if that is so of every
    trajectory. Where only some are flat (a tie, a dead group), they count as 0.
    """
    truth_TH, guess_TH = _ranks(true, mask), _ranks(estimated, mask)
    varies_T = (truth_TH**2).sum(1) > NULL
    ranked_T = (guess_TH**2).sum(1) > NULL
    if not (varies_T & ranked_T).any():
        return np.nan
    lengths_T = np.sqrt((truth_TH**2).sum(1) * (guess_TH**2).sum(1))
    dots_T = (truth_TH * guess_TH).sum(1)
    return float(np.divide(dots_T, lengths_T, out=np.zeros_like(dots_T), where=lengths_T > 0.0)[varies_T].mean())


def sign_accuracy(estimated: Floats, true: Floats, mask: NDArray[np.bool_]) -> float:
    """M5: the share of turns with a true advantage whose estimate has its sign; an estimate of 0 has none. (T, H) each.

    NaN if no turn has a true advantage.
    """
    matters = mask & (np.abs(true) > NULL)
    return float((np.sign(_clean(estimated[matters])) == np.sign(true[matters])).mean()) if matters.any() else np.nan


def leak(estimated: Floats, true: Floats, mask: NDArray[np.bool_]) -> float:
    """M5: mean |Â| on turns whose true advantage is 0, over mean |Â| on the others; 0 is right. (T, H) each.

    NaN if there are no turns of one kind, or the method gives 0 to all that matter.
    """
    null, matters = mask & (np.abs(true) <= NULL), mask & (np.abs(true) > NULL)
    if not null.any() or not matters.any():
        return np.nan
    loudness = float(np.abs(estimated[matters]).mean())
    return float(np.abs(estimated[null]).mean()) / loudness if loudness > 0.0 else np.nan


def dead_groups(estimated: Floats, group_size: int) -> float:
    """M6: the share of groups, of consecutive trajectories (T, H), in which every advantage is 0."""
    groups = np.abs(estimated).reshape(-1, group_size * estimated.shape[1])
    return float((groups.max(axis=1) <= NULL).mean())


def jackknife(count: int, statistic: Callable[[int | None], float]) -> tuple[float, float]:
    """A statistic of `count` blocks and its standard error, by leaving out each block in turn.

    Args:
        count: blocks.
        statistic: takes the block to leave out, or None.
    """
    left_out = np.array([statistic(block) for block in range(count)])
    spread = np.sqrt((count - 1) / count * ((left_out - left_out.mean()) ** 2).sum()) if count > 1 else 0.0
    return statistic(None), float(spread)


def _cosine(mean: Floats, signal: float, truth: Floats) -> float:
    length = float(np.sqrt((truth**2).sum()))
    if signal <= NULL**2 or length <= NULL**2:
        return np.nan
    return float((mean * truth).sum() / (np.sqrt(signal) * length))


def _spearman(left: Floats, right: Floats) -> float:
    a, b = rankdata(_clean(left)), rankdata(_clean(right))
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return np.nan
    return float(np.corrcoef(a, b)[0, 1])


def _ranks(values: Floats, mask: NDArray[np.bool_]) -> Floats:
    """Ranks of each row's live cells, ties averaged, centred; 0 where masked."""
    cleaned = _clean(values)
    counts = mask[:, None, :]
    below = ((cleaned[:, None, :] < cleaned[:, :, None]) & counts).sum(2)
    level = ((cleaned[:, None, :] == cleaned[:, :, None]) & counts).sum(2)
    ranks = np.where(mask, below + (level + 1) / 2, 0.0)
    means = ranks.sum(1, keepdims=True) / np.maximum(mask.sum(1, keepdims=True), 1)
    return np.asarray(np.where(mask, ranks - means, 0.0))


def _clean(values: Floats) -> Floats:
    # Rounding must not rank what is equal, nor give 0 a sign.
    return np.where(np.abs(values) <= NULL, 0.0, np.round(values, 9))
