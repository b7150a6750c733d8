"""How every picture looks and is written: the palette, the style, a figure without a window, a file that is whole."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = ("#E69F00", "#0072B2", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#000000")
"""Okabe and Ito's palette, whose colours stay distinct for every kind of colour vision."""
LINE_STYLES = ("-", "--", "-.", ":")
"""Distinct without colour."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
_STYLE: dict[str, Any] = {
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "legend.frameon": False,
}


def new_figure(width: float, height: float, dpi: int) -> Figure:
    """A figure of this size in inches that needs no display."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=dpi, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


@contextmanager
def curve_style() -> Iterator[None]:
    """Inside, new axes have a faint grid and no frame: the style of learning curves."""
    import matplotlib as mpl

    with mpl.rc_context(_STYLE):
        yield


def save(figure: Figure, path: Path) -> None:
    """Write a PNG in one move, so that a reader sees the old or the new file."""
    partial = path.with_suffix(".partial.png")
    figure.savefig(partial)
    partial.replace(path)
