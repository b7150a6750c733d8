"""The pictures of the evidence: every seed of every cell as a dot, and performance profiles (axis T, thresholds)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.compare.answer import main_metric
from benchmarks.compare.comparison import values_by_seed
from benchmarks.compare.evidence_cells import Cell, in_common, methods_of, rewarded_right, title_of
from benchmarks.harness.aggregates import performance_profile
from benchmarks.harness.methods import Method
from benchmarks.harness.pictures import LINE_STYLES, MARKERS, colour_of, curve_style, new_figure, save_themed
from benchmarks.harness.statistics import mean_interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


_COLUMNS = 3


def draw_cells(cells: Sequence[Cell], folder: Path) -> None:
    """One panel per cell: success of every seed as a dot, the mean with its 95 % t-interval beside them."""
    save_themed(partial(_cells, cells), folder, "cells")


def draw_profiles(cells: Sequence[Cell], folder: Path) -> None:
    """The share of runs above each level of normalised success, one line per method, over the same cells for each."""
    save_themed(partial(_profiles, *in_common(rewarded_right(cells))), folder, "profile")


def _cells(cells: Sequence[Cell]) -> Figure:
    methods = methods_of(cells)
    with curve_style():
        columns = min(len(cells), _COLUMNS)
        lines = -(-len(cells) // columns)
        figure = new_figure((0.6 + 0.45 * len(methods)) * columns + 0.8, 3.2 * lines + 0.4, dpi=100)
        axes = np.atleast_1d(figure.subplots(lines, columns, sharex=True)).ravel()
        for axis, cell in zip(axes, cells, strict=False):
            _draw_cell(axis, cell, methods)
        for axis in axes[len(cells) :]:
            axis.set_visible(False)
        figure.supylabel("success on held-out tasks (%)", fontsize=9)
        figure.supxlabel("Dots: seeds. Markers: mean and 95 % t-interval. Dashed: before training.", fontsize=8)
    return figure


def _profiles(cells: Sequence[Cell], methods: Sequence[Method]) -> Figure | None:
    if not cells:
        return None
    levels_T = np.linspace(0.0, 1.0, 201)
    with curve_style():
        figure = new_figure(6.0, 4.0, dpi=100)
        axis = figure.subplots()
        for number, method in enumerate(methods):
            scores = [cell.scores(method, sorted(cell.success(method))) for cell in cells]
            style, profile = LINE_STYLES[number % len(LINE_STYLES)], performance_profile(scores, levels_T)
            axis.plot(levels_T, profile, color=colour_of(number), linestyle=style, label=method.title)
        plural = "s" * (len(cells) > 1)
        axis.set_xlabel(f"normalised success on held-out tasks, {len(cells)} cell{plural} with right turn rewards")
        axis.set_ylabel("share of runs above it")
        axis.legend()
    return figure


def _draw_cell(axis: Axes, cell: Cell, methods: Sequence[Method]) -> None:
    axis.set_title(title_of(cell.name), fontsize=9)
    start = list(values_by_seed(cell.comparison.starts, main_metric(cell.comparison.suite)).values())
    if start:
        axis.axhline(fmean(start), color="0.5", linestyle="--", linewidth=1)
    for number, method in enumerate(methods):
        if found := list(cell.success(method).values()):
            colour, interval = colour_of(number), mean_interval(found)
            axis.plot([number - 0.12] * len(found), found, ".", color=colour, alpha=0.6, ms=5)
            spread = np.nan_to_num(interval.half_width)
            marker = MARKERS[number % len(MARKERS)]
            axis.errorbar(number + 0.12, interval.mean, spread, color=colour, marker=marker, mfc="none", capsize=3)
    axis.set_xticks(range(len(methods)), [method.title for method in methods], rotation=35, ha="right", fontsize=8)
    axis.tick_params(axis="x", labelbottom=True)
