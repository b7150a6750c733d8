"""Every figure of one estimator in one cell."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from benchmarks.credit import metrics
from benchmarks.credit.contenders import Contender
from benchmarks.credit.expectation import Measured, Sampled, enumerated, sample
from benchmarks.credit.learning import Learning, learn
from benchmarks.credit.metrics import Moments
from benchmarks.credit.records import Effort, Figure, LearningRecord
from turnenv.exact import Floats


@dataclass(frozen=True)
class Measurements:
    """What a row holds: see `LabRow`."""

    exact: bool
    figures: dict[str, Figure]
    profiles: dict[str, list[float | None]]
    learning: LearningRecord | None


def measure(measured: Measured, contender: Contender, effort: Effort) -> Measurements:
    """Measure an estimator at the cell's policy, and train with it."""
    sampled = sample(measured, contender)
    exact = enumerated(measured, contender)
    moments = sampled.moments if exact is None else exact
    return Measurements(
        exact is not None,
        {**_of_gradient(measured, moments, sampled.turns_ratio), **_of_samples(measured, sampled)},
        _profiles(measured, moments, sampled),
        _learning(measured, contender, effort),
    )


def _of_gradient(measured: Measured, moments: Moments, turns_ratio: float) -> dict[str, Figure]:
    outcome, shaped = measured.outcome_gradient.sum(0), measured.shaped_gradient.sum(0)
    statistics: dict[str, Callable[[Moments], float]] = {
        "direction_outcome": lambda some: metrics.direction(some, outcome),
        "direction_shaped": lambda some: metrics.direction(some, shaped),
        "signal_to_noise": lambda some: metrics.signal_to_noise(some, turns_ratio),
    }
    return {name: _jackknifed(moments, statistic) for name, statistic in statistics.items()}


def _jackknifed(moments: Moments, statistic: Callable[[Moments], float]) -> Figure:
    if moments.exact:
        return Figure(value=_finite(statistic(moments)))
    value, error = metrics.jackknife(
        len(moments.square), lambda block: statistic(moments if block is None else moments.without(block))
    )
    return Figure(value=_finite(value), error=_finite(error))


def _of_samples(measured: Measured, sampled: Sampled) -> dict[str, Figure]:
    """Figures of advantages: one value per block, then their mean and its standard error."""
    found: dict[str, list[float]] = {}
    truth, group_size = measured.outcome_gradient.sum(0), measured.problem.cell.group_size
    horizon = measured.problem.model.horizon
    for batch, advantages, gradients in zip(sampled.experience, sampled.advantages, sampled.gradients, strict=True):
        true_TH = measured.true_advantages(batch.plays).reshape(-1, horizon)
        mask_TH, guess_TH = batch.fresh.reshape(-1, horizon), advantages.reshape(-1, horizon)
        block = {
            "batch_cosine": metrics.batch_cosine(gradients, truth),
            "rank_pooled": metrics.rank_correlation(guess_TH, true_TH, mask_TH),
            "rank_within": metrics.rank_within(guess_TH, true_TH, mask_TH),
            "sign_accuracy": metrics.sign_accuracy(guess_TH, true_TH, mask_TH),
            "leak": metrics.leak(guess_TH, true_TH, mask_TH),
            "dead_groups": metrics.dead_groups(guess_TH, group_size),
        }
        for name, value in block.items():
            found.setdefault(name, []).append(value)
    return {name: _averaged(np.array(values)) for name, values in found.items()}


def _averaged(values: Floats) -> Figure:
    known = values[np.isfinite(values)]
    if not known.size:
        return Figure(value=None, error=None)
    error = known.std(ddof=1) / math.sqrt(known.size) if known.size > 1 else math.nan
    return Figure(value=float(known.mean()), error=_finite(float(error)))


def _profiles(measured: Measured, moments: Moments, sampled: Sampled) -> dict[str, list[float | None]]:
    true = metrics.true_profile(measured.outcome_gradient)
    loudness_H = _loudness(sampled)
    profiles = {
        "true_outcome": metrics.relative_to_last(true, true),
        "true_shaped": metrics.relative_to_last(metrics.true_profile(measured.shaped_gradient), true),
        "length": metrics.relative_to_last(metrics.turn_profile(moments), true),
        "direction_outcome": metrics.turn_directions(moments, measured.outcome_gradient),
        "direction_shaped": metrics.turn_directions(moments, measured.shaped_gradient),
        "share": _share(metrics.turn_profile(moments)),
        "true_outcome_share": _share(true),
        "true_shaped_share": _share(metrics.true_profile(measured.shaped_gradient)),
        "loudness": loudness_H,
    }
    return {name: [_finite(float(value)) for value in values] for name, values in profiles.items()}


def _share(profile: Floats) -> Floats:
    """A profile over its root of summed squares, which needs no single turn to stand out of the noise."""
    length = float(np.sqrt((profile**2).sum()))
    return np.asarray(profile / length if length > 0.0 else np.full_like(profile, np.nan))


def _loudness(sampled: Sampled) -> Floats:
    """The mean size of an advantage over the episodes that played each turn, (H,); NaN for one that nobody played."""
    total_H = np.sum([np.abs(advantages).sum((0, 1)) for advantages in sampled.advantages], axis=0)
    count_H = np.sum([batch.fresh.sum((0, 1)) for batch in sampled.experience], axis=0)
    return np.asarray(np.divide(total_H, count_H, out=np.full(len(total_H), np.nan), where=count_H > 0))


def _learning(measured: Measured, contender: Contender, effort: Effort) -> LearningRecord | None:
    if not measured.problem.cell.budget:
        return None
    done: Learning = learn(measured.problem, contender, effort.seeds, effort.rates)
    return LearningRecord(
        turns=[[_finite(value) for value in row] for row in done.turns.tolist()],
        episodes=[[_finite(value) for value in row] for row in done.episodes.tolist()],
        final=done.final.tolist(),
        area=done.area.tolist(),
    )


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
