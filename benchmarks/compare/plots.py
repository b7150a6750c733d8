"""The picture of a comparison: one panel per metric, one band per method."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.compare.comparison import Comparison, values_by_seed
from benchmarks.compare.records import Row
from benchmarks.compare.suites import PERCENT, Metric
from benchmarks.harness.pictures import COLOURS, LINE_STYLES, MARKERS, curve_style, new_figure, save
from benchmarks.harness.statistics import Interval, mean_interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def smoothing_window(steps: int) -> int:
    """Logged steps that a point of a curve averages: a thirtieth of the run."""
    return max(1, round(steps / 30))


def trailing_mean(values: NDArray[np.float64], window: int) -> NDArray[np.float64]:
    """The mean of each value and up to `window - 1` before it, float (T,); NaN (a step without a value) is left out."""
    padded = np.concatenate([np.full(window - 1, np.nan), values])
    windows_TW = np.lib.stride_tricks.sliding_window_view(padded, window)
    known_TW = ~np.isnan(windows_TW)
    counts_T = known_TW.sum(axis=1)
    sums_T = np.where(known_TW, windows_TW, 0.0).sum(axis=1)
    means_T: NDArray[np.float64] = np.divide(sums_T, counts_T, out=np.full(len(values), np.nan), where=counts_T > 0)
    return means_T


def draw_curves(comparison: Comparison, path: Path) -> None:
    """Write the picture: training curves as bands, the held-out evaluations as markers at their steps."""
    metrics = panels(comparison)
    columns = 2 if len(metrics) in (2, 4) else min(3, len(metrics))
    lines = math.ceil(len(metrics) / columns)
    with curve_style():
        figure = new_figure(4.2 * columns, 3.1 * lines + 0.9, dpi=200)
        axes = np.atleast_1d(figure.subplots(lines, columns)).ravel()
        for axis, metric in zip(axes, metrics, strict=False):
            _draw_panel(axis, comparison, metric)
        for axis in axes[len(metrics) :]:
            axis.set_visible(False)
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=min(4, len(labels)))
        figure.supxlabel(_caption(comparison), fontsize=8)
        save(figure, path)


def panels(comparison: Comparison) -> tuple[Metric, ...]:
    """The metrics that have a panel."""
    named = {metric.name: metric for metric in comparison.suite.metrics}
    extra = tuple(named[name] for name in ("return", "turns") if name in named and not named[name].headline)
    return comparison.suite.headline + extra


def _draw_panel(axis: Axes, comparison: Comparison, metric: Metric) -> None:
    axis.set_title(metric.title)
    axis.set_xlabel("optimizer step")
    for number, method in enumerate(comparison.methods):
        colour, rows = COLOURS[number % len(COLOURS)], comparison.trained[method.label]
        style, marker = LINE_STYLES[number % len(LINE_STYLES)], MARKERS[number % len(MARKERS)]
        steps, mean, half = band(list(rows.values()), metric)
        axis.plot(steps, mean, color=colour, linestyle=style, linewidth=1.6, label=method.title)
        axis.fill_between(steps, mean - half, mean + half, color=colour, alpha=0.18, linewidth=0)
        # Side by side, so that equal values do not hide each other.
        shift = (number - (len(comparison.methods) - 1) / 2) * 0.012 * comparison.last_step
        ends = values_by_seed(rows, metric)
        axis.plot([comparison.last_step + shift] * len(ends), list(ends.values()), ".", color=colour, alpha=0.5, ms=4)
        for step, interval in held_out(comparison, rows, metric):
            _mark(axis, step + shift, interval, colour=colour, marker=marker)
    if start := list(values_by_seed(comparison.starts, metric).values()):
        _mark(axis, 0, mean_interval(start), colour="0.35", marker="*", label="start")
    if metric.unit == PERCENT:
        low, high = axis.get_ylim()
        axis.set_ylim(max(low, -4), min(high, 104))


def _mark(axis: Axes, step: float, interval: Interval, *, colour: str, marker: str, label: str | None = None) -> None:
    spread = None if math.isnan(interval.half_width) else interval.half_width
    look: dict[str, Any] = {"mfc": "white", "ms": 5.5, "capsize": 2, "ls": "", "zorder": 3, "label": label}
    axis.errorbar(step, interval.mean, spread, color=colour, marker=marker, **look)


def held_out(comparison: Comparison, rows: Mapping[int, Row], metric: Metric) -> list[tuple[int, Interval]]:
    """(step, interval over seeds) of the evaluations on the way and at the end."""
    by_step: dict[int, list[float]] = {}
    for row in rows.values():
        for checkpoint in row.checkpoints:
            if checkpoint.evaluation.episodes:
                by_step.setdefault(checkpoint.step, []).append(metric.value(checkpoint.evaluation.means))
    by_step[comparison.last_step] = list(values_by_seed(rows, metric).values())
    return [(step, mean_interval(values)) for step, values in sorted(by_step.items()) if values]


def band(rows: Sequence[Row], metric: Metric) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """The smoothed curves: steps, mean over seeds, half width of its 95 % interval (0 for one seed), each (T,)."""
    curves = [row.curve for row in rows if metric.key in row.curve]
    if not curves:
        return np.empty(0), np.empty(0), np.empty(0)
    shared = sorted(set.intersection(*({int(step) for step in curve["step"] if step is not None} for curve in curves)))
    smooth_ST = np.array([_smoothed(curve, metric, shared) for curve in curves])
    intervals = [mean_interval(column[~np.isnan(column)].tolist() or [0.0]) for column in smooth_ST.T]
    mean = np.array([interval.mean for interval in intervals])
    half = np.nan_to_num(np.array([interval.half_width for interval in intervals]))
    return np.array(shared, dtype=np.float64), mean, half


def _smoothed(curve: dict[str, list[float | None]], metric: Metric, steps: Sequence[int]) -> NDArray[np.float64]:
    at = {int(step): value for step, value in zip(curve["step"], curve[metric.key], strict=True) if step is not None}
    values = [math.nan if at[step] is None else metric.value({metric.key: float(at[step] or 0.0)}) for step in steps]
    return trailing_mean(np.array(values), smoothing_window(len(steps)))


def _caption(comparison: Comparison) -> str:
    settings = comparison.settings
    steps = max(
        (len(row.curve.get("step", [])) for by in comparison.trained.values() for row in by.values()), default=1
    )
    window = smoothing_window(steps)
    smoothing = f"trailing mean of {window} logged steps" if window > 1 else "not smoothed"
    return (
        f"Lines: episodes on training tasks as they were sampled ({smoothing}); markers: {settings.eval_episodes} "
        f"held-out episodes per seed, every seed a dot.\nMean and 95 % t-interval over "
        f"{len(comparison.seeds)} seeds. {settings.env}, {settings.groups} × {settings.num_generations} "
        f"episodes per step, {_rates(comparison)}."
    )


def _rates(comparison: Comparison) -> str:
    rates = sorted({row.run.rate for by_seed in comparison.trained.values() for row in by_seed.values()})
    return f"learning rate {' or '.join(f'{rate:g}' for rate in rates)}{' by method' * (len(rates) > 1)}"
