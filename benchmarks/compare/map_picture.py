"""The map as a picture: the difference that turn-level credit made in each cell, every seed a dot."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.compare.evidence_map import BASELINES, TARGET, Place, Verdict
from benchmarks.harness.pictures import colour_of, curve_style, new_figure, save_themed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MARKERS: dict[Verdict, str] = {"helped": "^", "harmed": "v", "not shown": "o"}


def draw_map(found: Sequence[Place], folder: Path) -> None:
    """Write `map-light.svg` and `map-dark.svg`: one line per cell, one panel per baseline; right of 0 is better.

    Args:
        found: at least one place.
        folder: of the pictures.
    """
    save_themed(partial(_figure, found), folder, "map")


def _figure(found: Sequence[Place]) -> Figure:
    names = list(dict.fromkeys(place.cell for place in found))
    with curve_style():
        figure = new_figure(9.6, 0.42 * len(names) + 1.7, dpi=150)
        axes = figure.subplots(1, len(BASELINES), sharey=True)
        for axis, (what, baseline) in zip(axes, BASELINES.items(), strict=True):
            _draw_panel(axis, [place for place in found if place.baseline == baseline], names)
            axis.set_title(f"{TARGET.title} against {what} ({baseline.title})", fontsize=10)
        axes[0].set_yticks(range(len(names)), [_label(found, name) for name in names], fontsize=8)
        axes[0].invert_yaxis()
        figure.supxlabel(
            "Difference in success on held-out tasks, points. Dots: paired seeds. Markers: mean and 95 % interval.\n"
            "▲ helped, ▼ harmed (the interval excludes 0), ○ not shown.",
            fontsize=8,
        )
    return figure


def _draw_panel(axis: Axes, places: Sequence[Place], names: Sequence[str]) -> None:
    axis.axvline(0.0, color="0.5", linewidth=1)
    # The marker says it too, so that colour is never alone.
    colours: dict[Verdict, str] = {"helped": colour_of(1), "harmed": colour_of(3), "not shown": "0.5"}
    for place in places:
        line, colour, interval = names.index(place.cell), colours[place.verdict], place.interval
        values, marker = list(place.differences.values()), _MARKERS[place.verdict]
        axis.plot(values, [line + 0.2] * len(values), ".", color=colour, alpha=0.6, markersize=4)
        # A t-interval knows no bounds; a difference of two shares cannot leave ±100 points.
        ends = [[interval.mean - max(interval.low, -100.0)], [min(interval.high, 100.0) - interval.mean]]
        axis.errorbar(interval.mean, line - 0.1, xerr=ends, color=colour, marker=marker, capsize=3)


def _label(found: Sequence[Place], name: str) -> str:
    place = next(place for place in found if place.cell == name)
    return f"{place.horizon}\n{place.start} start" + ("" if place.rewards == "right" else f", {place.rewards}")
