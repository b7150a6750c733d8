"""The lab's pictures: the map of horizon and alignment, the weight of each turn, bias against noise."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.credit.cells import Cell
from benchmarks.credit.records import Effort, LabRow
from benchmarks.credit.tuning import tuned
from benchmarks.harness.pictures import COLOURS, MARKERS, colour_of, new_figure, save_themed
from benchmarks.harness.statistics import median_interval
from turnenv.exact import Floats

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import QuadMesh
    from matplotlib.colors import LogNorm
    from matplotlib.figure import Figure

Cells = Sequence[tuple[Cell, list[LabRow]]]

PANEL = 20
"""Cells side by side in the map; more go below."""


def draw(by_suite: Mapping[str, Cells], effort: Effort, folder: Path) -> list[str]:
    """Draw what the rows allow; returns the files' names."""
    cells = list({cell.cell_id: (cell, rows) for some in by_suite.values() for cell, rows in some if rows}.values())
    learned = [each for each in cells if each[0].budget]
    drawn: dict[str, Callable[[], Figure | None]] = {
        "map": lambda: _map(learned, effort),
        "profile": lambda: _profile(cells),
        "noise": lambda: _noise(cells),
    }
    return [name for picture, drawing in drawn.items() for name in save_themed(drawing, folder, picture)]


def _map(cells: Cells, effort: Effort) -> Figure | None:
    """Estimators down, cells across, coloured by the turns that solving took."""
    titles = list(dict.fromkeys(row.run.method.title for _, rows in cells for row in rows if row.learning))
    if not titles:
        return None
    from matplotlib.colors import LogNorm

    turns = np.full((len(titles), len(cells)), np.nan)
    for column, (_, rows) in enumerate(cells):
        for row in rows:
            if row.learning is not None:
                turns[titles.index(row.run.method.title), column] = median_interval(
                    tuned(row.learning, effort).turns.tolist()
                ).median
    panels = -(-len(cells) // PANEL)
    width, height = 3.2 + 0.62 * min(len(cells), PANEL), 2.2 + 0.3 * len(titles)
    figure = new_figure(width, height * panels, dpi=100)
    scale = LogNorm(*_range(turns))
    axes = figure.subplots(panels, squeeze=False).ravel()
    for axis, columns in zip(axes, np.array_split(np.arange(len(cells)), panels), strict=True):
        image = _heat(axis, turns[:, columns], scale)
        axis.set_xticks(
            range(len(columns)),
            [str(cells[column][0].facets["setting"]) for column in columns],
            rotation=60,
            ha="right",
        )
        axis.set_yticks(range(len(titles)), titles)
        axis.tick_params(labelsize=7)
    figure.suptitle("Turns until solved, median over seeds, tuned learning rate (–: never)", fontsize=9)
    figure.colorbar(image, ax=axes, label="turns", shrink=1.0 / panels)
    return figure


def _range(turns: Floats) -> tuple[float, float]:
    known = turns[np.isfinite(turns) & (turns > 0.0)]
    return (float(known.min()), float(known.max() * 1.01)) if known.size else (1.0, 10.0)


def _heat(axis: Axes, turns: Floats, scale: LogNorm) -> QuadMesh:
    """One panel of the map, each field with its number; what was never solved is empty."""
    lines, columns = (np.arange(count + 1) - 0.5 for count in turns.shape)
    known = np.where(np.isfinite(turns), turns, np.nan)
    mesh = axis.pcolormesh(columns, lines, known, cmap="viridis_r", norm=scale)
    axis.invert_yaxis()
    for line, column in np.ndindex(turns.shape):
        value = float(turns[line, column])
        text = "" if math.isnan(value) else "–" if math.isinf(value) else _short(value)
        # The palest colours need dark figures.
        colour = None if math.isinf(value) else "0.2" if float(scale(value)) < 0.25 else "white"
        axis.text(column, line, text, ha="center", va="center", fontsize=6.5, color=colour)
    return mesh


def _profile(cells: Cells) -> Figure | None:
    """One panel per estimator: how the expected gradient is distributed over turns, beside the exact ones."""
    chains = [each for each in cells if each[0].facets.get("mode") == "aligned" and len(_turns(each)) > 2]
    if not chains:
        return None
    cell, rows = max(chains, key=lambda each: len(_turns(each)))
    rows = [row for row in rows if not row.skipped]
    columns = min(5, len(rows))
    figure = new_figure(2.4 * columns, 1.9 * math.ceil(len(rows) / columns) + 0.6, dpi=100)
    axes = np.atleast_1d(figure.subplots(math.ceil(len(rows) / columns), columns, sharex=True, sharey=True)).ravel()
    for axis, row in zip(axes, rows, strict=False):
        for name, look in (
            ("true_outcome_share", {"color": "0.5", "ls": "--", "label": "exact, outcome"}),
            ("true_shaped_share", {"color": "0.5", "ls": ":", "label": "exact, shaped"}),
            ("share", {"color": colour_of(1), "marker": "o", "ms": 3, "label": "estimator"}),
        ):
            values = [math.nan if value is None else value for value in row.profiles[name]]
            axis.plot(range(1, len(values) + 1), values, lw=1.2, **look)
        axis.set_title(row.run.method.title, fontsize=7)
    for axis in axes[len(rows) :]:
        axis.set_visible(False)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=3, fontsize=8)
    figure.supxlabel(f"turn ({cell.facets['setting']})", fontsize=8)
    figure.supylabel("share of the expected gradient's length", fontsize=8)
    return figure


def _noise(cells: Cells) -> Figure | None:
    """Bias against noise: one panel per cell, at most six."""
    chosen = [each for each in cells if each[0].budget and each[1]][:6]
    if not chosen:
        return None
    columns = min(3, len(chosen))
    figure = new_figure(3.6 * columns, 3.0 * math.ceil(len(chosen) / columns) + 0.9, dpi=100)
    axes = np.atleast_1d(figure.subplots(math.ceil(len(chosen) / columns), columns)).ravel()
    labels = list(dict.fromkeys(row.run.method.title for _, rows in chosen for row in rows))
    for axis, (cell, rows) in zip(axes, chosen, strict=False):
        for row in rows:
            point = _point(row)
            if point is not None:
                number = labels.index(row.run.method.title)
                look: dict[str, Any] = {"marker": MARKERS[number // len(COLOURS) % len(MARKERS)], "ls": "", "ms": 6}
                axis.plot(*point, color=colour_of(number), label=row.run.method.title, **look)
        axis.set_yscale("log")
        axis.set_title(str(cell.facets["setting"]), fontsize=9)
        axis.set_xlabel("bias: 1 - direction (outcome)", fontsize=8)
        axis.set_ylabel("noise / signal", fontsize=8)
    for axis in axes[len(chosen) :]:
        axis.set_visible(False)
    unique = {label: handle for axis in axes for handle, label in zip(*axis.get_legend_handles_labels(), strict=True)}
    figure.legend([*unique.values()], [*unique], loc="outside lower center", ncols=4, fontsize=7)
    return figure


def _point(row: LabRow) -> tuple[float, float] | None:
    if row.skipped:
        return None
    direction, signal = row.figures["direction_outcome"].value, row.figures["signal_to_noise"].value
    return None if direction is None or not signal else (1.0 - direction, 1.0 / signal)


def _turns(each: tuple[Cell, list[LabRow]]) -> list[float | None]:
    return next((row.profiles["length"] for row in each[1] if not row.skipped), [])


def _short(value: float) -> str:
    return f"{value:.0f}" if value < 1_000 else f"{value / 1_000:.1f}k" if value < 10_000 else f"{value / 1_000:.0f}k"
