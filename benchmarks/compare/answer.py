"""The question of a comparison and its answer in two sentences, made from the rows alone."""

from __future__ import annotations

import math
from collections.abc import Sequence

from benchmarks.compare.comparison import Comparison, target_of, values_by_seed
from benchmarks.compare.suites import PERCENT, Metric, Suite
from benchmarks.harness.methods import Method
from benchmarks.harness.statistics import Interval, mean_interval, paired_interval

_MOST_IN_A_SENTENCE = 2


def main_metric(suite: Suite) -> Metric:
    """The metric that the answer is about: success, or else the last headline, which is the nearest to the goal."""
    headline = suite.headline
    return next((metric for metric in headline if metric.name == "success"), headline[-1])


def others(comparison: Comparison) -> list[Method]:
    """The methods that the target is compared with."""
    target = target_of(comparison.methods)
    return [method for method in comparison.methods if method != target]


def difference(comparison: Comparison, other: Method, metric: Metric) -> tuple[dict[int, float], Interval] | None:
    """The compared method's metric minus another's, by seed, and its interval; None if they share no seed."""
    target = target_of(comparison.methods)
    treated = values_by_seed(comparison.trained[target.label], metric)
    control = values_by_seed(comparison.trained[other.label], metric)
    shared = sorted(treated.keys() & control.keys())
    if not shared:
        return None
    return {seed: treated[seed] - control[seed] for seed in shared}, paired_interval(treated, control)


def question(comparison: Comparison) -> str:
    """What the comparison asks."""
    env = comparison.settings.env
    if not comparison.methods:
        return f"How well does the untrained policy play {env}?"
    target, rest = target_of(comparison.methods), [method.title for method in others(comparison)]
    if not rest:
        return f"What does {target.title} learn on {env}?"
    return f"Does {target.title} do better than {_listed(rest, 'and')} on {env}?"


def answer(comparison: Comparison) -> list[str]:
    """Two sentences: what the paired intervals decide, and the levels that they are differences of."""
    metric = main_metric(comparison.suite)
    return [sentence for sentence in (_differences(comparison, metric), _levels(comparison, metric)) if sentence]


def answer_in_markdown(comparison: Comparison) -> str:
    """The answer as a paragraph, or with a list of the differences where they are more than two."""
    metric = main_metric(comparison.suite)
    parts = _compared(comparison, metric)
    if len(parts) <= _MOST_IN_A_SENTENCE:
        return " ".join(answer(comparison))
    listed = "\n".join(f"* {part}" for part in parts)
    return f"{metric.label}:\n\n{listed}\n\n{_levels(comparison, metric)}"


def decided(interval: Interval) -> str:
    """What an interval says about a difference."""
    if math.isnan(interval.half_width):
        return "one seed, so no interval"
    return "decided" if interval.excludes_zero else "not decided"


def in_words(interval: Interval, metric: Metric) -> str:
    """`+7.8 points (95 % interval −1.5 … +17.1, 3 seeds)`."""
    digits = metric.digits
    mean = f"{interval.mean:+.{digits}f}{' points' if metric.unit == PERCENT else ''}".replace("-", "−")
    if math.isnan(interval.half_width):
        return mean
    if interval.all_equal:
        return f"{mean} (the same in {'both' if interval.count == 2 else f'all {interval.count}'} seeds)"
    ends = f"{interval.low:+.{digits}f} … {interval.high:+.{digits}f}".replace("-", "−")
    return f"{mean} (95 % interval {ends}, {interval.count} seeds)"


def _differences(comparison: Comparison, metric: Metric) -> str:
    parts = _compared(comparison, metric)
    return f"{metric.label}: {'; '.join(parts)}." if parts else ""


def _compared(comparison: Comparison, metric: Metric) -> list[str]:
    """One difference per other method, and whether it is decided."""
    parts = []
    for other in others(comparison) if comparison.methods else ():
        found = difference(comparison, other, metric)
        if found is not None:
            words = in_words(found[1], metric)
            parts.append(f"{target_of(comparison.methods).title} − {other.title} = {words}: {decided(found[1])}")
    return parts


def _levels(comparison: Comparison, metric: Metric) -> str:
    unit = " %" if metric.unit == PERCENT else ""
    reached, counts = [], []
    for method in comparison.methods:
        values = list(values_by_seed(comparison.trained[method.label], metric).values())
        if values:
            counts.append(len(values))
            reached.append(f"{method.title} {mean_interval(values).mean:.{metric.digits}f}{unit}")
    start = list(values_by_seed(comparison.starts, metric).values())
    before = f"{mean_interval(start).mean:.{metric.digits}f}{unit}" if start else ""
    means = f"mean{'s' * (len(reached) > 1)} of {_seeds(counts or [len(start)])}"
    if not reached:
        return f"Before training {metric.label} is {before} ({means})." if before else ""
    return f"{f'Before training it was {before}; after it, ' if before else ''}{_listed(reached, 'and')} ({means})."


def _seeds(counts: Sequence[int]) -> str:
    fewest, most = min(counts), max(counts)
    return f"{fewest} to {most} seeds" if fewest < most else f"{most} seed{'s' * (most != 1)}"


def _listed(parts: Sequence[str], word: str) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} {word} {parts[-1]}"
