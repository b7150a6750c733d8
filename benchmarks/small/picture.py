"""The picture of a comparison of small policies: success against episodes, one band per method."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.harness.pictures import COLOURS, LINE_STYLES, curve_style, new_figure, save
from benchmarks.harness.statistics import mean_interval
from benchmarks.small.records import Row
from benchmarks.small.report import best_rates, by_rate


def draw(rows: Sequence[Row], path: Path) -> None:
    """Write the learning curves of each method at its best learning rate, as PNG."""
    swept = by_rate(rows)
    with curve_style():
        figure = new_figure(6.4, 4.0, dpi=200)
        axis = figure.add_subplot()
        for number, (method, rate) in enumerate(best_rates(swept).items()):
            runs, colour = swept[method, rate], COLOURS[number % len(COLOURS)]
            points = [mean_interval(column) for column in zip(*(run.success for run in runs), strict=True)]
            mean = np.array([100 * point.mean for point in points])
            half = np.nan_to_num([100 * point.half_width for point in points])
            episodes, style = runs[0].episodes, LINE_STYLES[number % len(LINE_STYLES)]
            axis.plot(episodes, mean, style, color=colour, label=f"{method}, learning rate {rate:g}", linewidth=1.6)
            axis.fill_between(episodes, mean - half, mean + half, alpha=0.18, linewidth=0, color=colour)
        env = rows[0].run.settings.env
        axis.set(xlabel="episodes played", ylabel="success % (exact)", title=env, ylim=(-3, 103))
        axis.legend(fontsize=8)
        save(figure, path)
