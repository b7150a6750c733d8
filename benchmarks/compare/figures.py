"""The charts of a comparison's page, drawn from rows and kept episodes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import fmean

from markupsafe import Markup

from benchmarks.compare.answer import decided, difference, main_metric, others
from benchmarks.compare.comparison import Comparison, target_of, values_by_seed
from benchmarks.compare.plots import band, held_out, panels
from benchmarks.compare.records import Row
from benchmarks.compare.suites import PERCENT, Metric
from benchmarks.harness.statistics import mean_interval
from turnenv.report.charts import Dots, Line, dot_plot, legend, line_chart
from turnenv.report.elements import charts as charts_beside
from turnenv.types import Episode

_LAST = 0.25
Points = list[tuple[float, float]]


def levels_and_differences(comparison: Comparison) -> Markup:
    """The main metric: every seed a dot, intervals, and beside it the paired differences."""
    metric = main_metric(comparison.suite)
    rows = [_dots("start", comparison.starts, metric, -1)]
    rows += [
        _dots(method.title, comparison.trained[method.label], metric, number)
        for number, method in enumerate(comparison.methods)
    ]
    parts = [dot_plot([row for row in rows if row], title=metric.title, label=f"{metric.title}, held-out tasks")]
    differing = []
    for other in others(comparison) if comparison.methods else ():
        found = difference(comparison, other, metric)
        if found is not None:
            by_seed, interval = found
            series = comparison.methods.index(other)
            ends = (_clipped(interval.low, metric, -100.0), _clipped(interval.high, metric))
            title, values = f"− {other.title}", list(by_seed.values())
            bold, note = interval.excludes_zero, decided(interval)
            differing.append(Dots(title, values, interval.mean, *ends, series=series, bold=bold, note=note))
    if differing:
        target = target_of(comparison.methods).title
        label = f"difference in {metric.label}, paired by seed: right of 0, {target} is better"
        parts.append(dot_plot(differing, title=f"{target} minus the others", label=label, zero=True))
    return charts_beside(parts)


def method_legend(comparison: Comparison, *, start: bool = True) -> Markup:
    """What colours and line styles mean, with the grey of the untrained policy if `start`."""
    titles = [(method.title, number) for number, method in enumerate(comparison.methods)]
    return legend([*titles, ("start, before training", -1)] if start else titles)


def learning_curves(comparison: Comparison) -> Markup:
    """One chart per metric: training episodes as a line with its band, held-out evaluations as marks."""
    charts = []
    for metric in panels(comparison):
        lines = []
        for number, method in enumerate(comparison.methods):
            rows = comparison.trained[method.label]
            steps, mean, half = band(list(rows.values()), metric)
            points = list(zip(steps.tolist(), mean.tolist(), strict=True))
            ends = [(_clipped(y - h, metric), _clipped(y + h, metric)) for y, h in zip(mean, half, strict=True)]
            if points:
                lines.append(Line(method.title, points, ends, series=number))
            marks = [(float(step), interval.mean) for step, interval in held_out(comparison, rows, metric)]
            lines.append(Line(method.title, marks, series=number, marks=True))
        start = list(values_by_seed(comparison.starts, metric).values())
        if start:
            lines.append(Line("start", [(0.0, mean_interval(start).mean)], series=-1, marks=True))
        charts.append(line_chart(lines, title=metric.title, x_label="optimizer step", whole_x=True))
    return charts_beside(charts)


def columns_over_steps(comparison: Comparison, titles: Mapping[str, str]) -> Markup:
    """One chart per column of the training log, mean over seeds."""
    charts = []
    for column, title in titles.items():
        lines = [
            Line(method.title, _mean_curve(list(comparison.trained[method.label].values()), column), series=number)
            for number, method in enumerate(comparison.methods)
        ]
        drawn = [line for line in lines if line.points]
        charts.append(line_chart(drawn, title=title, x_label="optimizer step", whole_x=True) if drawn else Markup(""))
    return charts_beside(charts)


def advantage_profile(comparison: Comparison) -> Markup:
    """How much credit each turn got, and in which direction, in the last quarter of training."""
    charts = []
    for kind, title in (("mean_abs", "Mean size of the advantage"), ("mean", "Mean advantage")):
        lines = []
        for number, method in enumerate(comparison.methods):
            points = _profile(list(comparison.trained[method.label].values()), kind)
            if points:
                lines.append(Line(method.title, points, series=number, marks=True))
        if lines:
            charts.append(line_chart(lines, title=title, x_label="turn", whole_x=True))
    return charts_beside(charts)


def rewards_by_turn(episodes: Mapping[str, Sequence[Episode]], titles: Sequence[str]) -> Markup:
    """One chart per component: its mean at each turn, over the kept held-out episodes that took the turn.

    Args:
        episodes: title → episodes; titles that are not among `titles` are grey.
        titles: of the methods, in the order of their colours.
    """
    names = dict.fromkeys(
        name for each in episodes.values() for e in each for turn in e.turns for name in turn.reward_components
    )
    charts = []
    for name in names:
        lines = []
        for title, played in episodes.items():
            series = titles.index(title) if title in titles else -1
            lines.append(Line(title, _by_turn(played, name), series=series, marks=True))
        charts.append(line_chart(lines, title=name, x_label="turn", whole_x=True))
    return charts_beside(charts)


def _by_turn(episodes: Sequence[Episode], name: str) -> Points:
    sound = [episode for episode in episodes if not episode.faulted]
    longest = max((len(episode.turns) for episode in sound), default=0)
    points = []
    for k in range(longest):
        paid = [e.turns[k].reward_components.get(name, 0.0) for e in sound if k < len(e.turns)]
        points.append((k + 1.0, fmean(paid)))
    return points


def _dots(title: str, rows: Mapping[int, Row], metric: Metric, series: int) -> Dots | None:
    values = list(values_by_seed(rows, metric).values())
    if not values:
        return None
    interval = mean_interval(values)
    note = f"{interval:.{metric.digits}f}"
    low, high = _clipped(interval.low, metric), _clipped(interval.high, metric)
    return Dots(title, values, interval.mean, low, high, series=series, note=note)


def _clipped(value: float, metric: Metric, lowest: float = 0.0) -> float:
    """Where the drawing of an interval ends: a share lies between 0 and 100 %, whatever Student's t says."""
    return min(max(float(value), lowest), 100.0) if metric.unit == PERCENT and not math.isnan(value) else float(value)


def _mean_curve(rows: Sequence[Row], column: str) -> Points:
    by_step: dict[float, list[float]] = {}
    for row in rows:
        for step, value in zip(row.curve.get("step", ()), row.curve.get(column, ()), strict=False):
            if step is not None and value is not None:
                by_step.setdefault(step, []).append(value)
    return [(step, fmean(values)) for step, values in sorted(by_step.items())]


def _profile(rows: Sequence[Row], kind: str) -> Points:
    points = []
    for k in range(1, 1000):
        column = f"advantage/turn_{k}/{kind}"
        values = [value for row in rows for value in _last(row.curve.get(column, ())) if value is not None]
        if not any(column in row.curve for row in rows):
            break
        points.append((float(k), fmean(values) if values else math.nan))
    return points


def _last(values: Sequence[float | None]) -> Sequence[float | None]:
    return values[-max(1, round(_LAST * len(values))) :]
