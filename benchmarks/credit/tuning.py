"""Results of training at a fairly chosen learning rate: for each seed the rate that was best on the other seeds."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from benchmarks.credit.records import Effort, LearningRecord
from turnenv.exact import Floats


@dataclass(frozen=True, eq=False)
class Tuned:
    """One value per seed, at the rate that the other seeds chose.

    Attributes:
        turns: environment turns to the threshold, (W,); inf if it was not reached.
        episodes: likewise.
        final: success probability at the end, (W,).
        area: mean success probability over the budget, (W,).
        rate: the learning rate most often chosen.
        at_edge: True if that is the smallest or greatest rate tried, so that a better one may lie beyond.
    """

    turns: Floats
    episodes: Floats
    final: Floats
    area: Floats
    rate: float
    at_edge: bool


def tuned(record: LearningRecord, effort: Effort) -> Tuned:
    """Choose a rate for each seed without looking at that seed.

    Best is the rate with the least median of turns to the threshold; where that is a draw (nobody reached it, say), the
    greatest mean area under the success curve. Choosing and evaluating on the same seeds would favour noisy methods.
    """
    turns_LW, area_LW = reached(record.turns), np.array(record.area)
    chosen = [_best(np.delete(turns_LW, seed, 1), np.delete(area_LW, seed, 1)) for seed in range(turns_LW.shape[1])]
    seeds = np.arange(turns_LW.shape[1])
    most = max(set(chosen), key=chosen.count)
    return Tuned(
        turns_LW[chosen, seeds],
        reached(record.episodes)[chosen, seeds],
        np.array(record.final)[chosen, seeds],
        area_LW[chosen, seeds],
        effort.rates[most],
        most in (0, len(effort.rates) - 1),
    )


def reached(values: list[list[float | None]]) -> Floats:
    """As an array, with inf for what was not reached."""
    return np.array([[math.inf if value is None else value for value in row] for row in values])


def ratios(treated: Floats, control: Floats) -> Floats:
    """`treated / control` of each seed: 0 if only the control is infinite, inf the other way round, 1 if both are."""
    both = np.isinf(treated) & np.isinf(control)
    return np.divide(treated, control, out=np.ones_like(treated), where=~both)


def _best(turns: Floats, area: Floats) -> int:
    medians, areas = np.median(np.where(np.isinf(turns), 1e18, turns), axis=1), area.mean(axis=1)
    return min(
        range(len(medians)), key=lambda rate: (medians[rate] if medians[rate] < 1e17 else math.inf, -areas[rate])
    )
