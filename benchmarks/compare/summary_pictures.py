"""The pictures of the evidence: every seed of every cell as a dot, and performance profiles (axis T, thresholds)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.compare.answer import main_metric
from benchmarks.compare.comparison import values_by_seed
from benchmarks.compare.evidence_cells import Cell, methods_of, title_of
from benchmarks.harness.aggregates import performance_profile
from benchmarks.harness.methods import Method
from benchmarks.harness.pictures import COLOURS, LINE_STYLES, MARKERS, curve_style, new_figure, save
from benchmarks.harness.statistics import mean_interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes


_COLUMNS = 3


def draw_cells(cells: Sequence[Cell], path: Path) -> None:
    """One panel per cell: success of every seed as a dot, the mean with its 95 % t-interval beside them."""
    methods = methods_of(cells)
    with curve_style():
        columns = min(len(cells), _COLUMNS)
        lines = -(-len(cells) // columns)
        figure = new_figure((0.6 + 0.45 * len(methods)) * columns + 0.8, 3.2 * lines + 0.4, dpi=150)
        axes = np.atleast_1d(figure.subplots(lines, columns, sharex=True)).ravel()
        for axis, cell in zip(axes, cells, strict=False):
            _draw_cell(axis, cell, methods)
        for axis in axes[len(cells) :]:
            axis.set_visible(False)
        figure.supylabel("success on held-out tasks (%)", fontsize=9)
        figure.supxlabel("Dots: seeds. Markers: mean and 95 % t-interval. Dashed: before training.", fontsize=8)
        save(figure, path)


def draw_profiles(cells: Sequence[Cell], path: Path) -> None:
    """The share of runs above each level of normalised success, one line per method."""
    levels_T = np.linspace(0.0, 1.0, 201)
    with curve_style():
        figure = new_figure(6.0, 4.0, dpi=200)
        axis = figure.subplots()
        for number, method in enumerate(methods_of(cells)):
            scores = [cell.scores(method, sorted(cell.success(method))) for cell in cells if cell.success(method)]
            colour, style = COLOURS[number % len(COLOURS)], LINE_STYLES[number % len(LINE_STYLES)]
            label = f"{method.title} ({len(scores)} cells)" if len(scores) < len(cells) else method.title
            axis.plot(levels_T, performance_profile(scores, levels_T), color=colour, linestyle=style, label=label)
        axis.set_xlabel("normalised success on held-out tasks")
        axis.set_ylabel("share of runs above it")
        axis.legend()
        save(figure, path)


def _draw_cell(axis: Axes, cell: Cell, methods: Sequence[Method]) -> None:
    axis.set_title(title_of(cell.name), fontsize=9)
    start = list(values_by_seed(cell.comparison.starts, main_metric(cell.comparison.suite)).values())
    if start:
        axis.axhline(fmean(start), color="0.35", linestyle="--", linewidth=1)
    for number, method in enumerate(methods):
        if found := list(cell.success(method).values()):
            colour, interval = COLOURS[number % len(COLOURS)], mean_interval(found)
            axis.plot([number - 0.12] * len(found), found, ".", color=colour, alpha=0.6, ms=5)
            spread = np.nan_to_num(interval.half_width)
            marker = MARKERS[number % len(MARKERS)]
            axis.errorbar(number + 0.12, interval.mean, spread, color=colour, marker=marker, mfc="white", capsize=3)
    axis.set_xticks(range(len(methods)), [method.title for method in methods], rotation=35, ha="right", fontsize=8)
    axis.tick_params(axis="x", labelbottom=True)
