"""The picture of a comparison: success against episodes, one band a method."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.small.report import best_rates, by_cell, interval
from benchmarks.small.runs import Row

# Okabe and Ito's palette, which stays apart for every kind of colour vision; the line styles stay apart without colour.
_COLOURS = ("#E69F00", "#0072B2", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#000000")
_STYLES = ("-", "--", "-.", ":")


def draw(rows: Sequence[Row], path: Path) -> None:
    """Write the learning curves of each method at its best learning rate, as PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    cells = by_cell(rows)
    figure = Figure(figsize=(6.4, 4.0), dpi=200, layout="constrained")
    FigureCanvasAgg(figure)
    axis = figure.add_subplot()
    for number, (method, rate) in enumerate(best_rates(cells).items()):
        runs = cells[method, rate]
        points = [interval(column) for column in zip(*(run.success for run in runs), strict=True)]
        mean, half = 100 * np.array(points).T
        half, colour, style = np.nan_to_num(half), _COLOURS[number % 7], _STYLES[number % 4]
        axis.plot(runs[0].episodes, mean, style, color=colour, label=f"{method}, learning rate {rate:g}", linewidth=1.6)
        axis.fill_between(runs[0].episodes, mean - half, mean + half, alpha=0.18, linewidth=0, color=colour)
    axis.set(xlabel="episodes played", ylabel="success % (exact)", title=rows[0].settings.env, ylim=(-3, 103))
    axis.spines[["top", "right"]].set_visible(False)
    axis.grid(alpha=0.25)
    axis.legend(frameon=False, fontsize=8)
    partial = path.with_suffix(".partial.png")
    figure.savefig(partial)
    partial.replace(path)
