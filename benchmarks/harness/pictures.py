"""How every picture looks and is written: the palette, the style, a figure without a window, a file that is whole."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any

from turnenv.atomic import replacing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = ("#E69F00", "#0072B2", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#000000")
"""Okabe and Ito's palette, whose colours stay distinct for every kind of colour vision."""
LINE_STYLES = ("-", "--", "-.", ":")
"""Distinct without colour."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
_ON_DARK = ("#e69f00", "#56a8e0", "#2fc296", "#f0803c", "#dd9abf", "#8fd0f7", "#ececec")
"""The same hues, light enough for a dark page."""
THEMES = {"light": ("#1b1f24", COLOURS), "dark": ("#e6edf3", _ON_DARK)}
"""The colour of text and axes, and the palette, on a light and on a dark page, which shows through."""
_PALETTE: ContextVar[tuple[str, ...]] = ContextVar("palette", default=COLOURS)
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
    with replacing(path) as partial:
        figure.savefig(partial, format="png")


def colour_of(number: int) -> str:
    """A method's colour by its place, on the page that is drawn for."""
    colours = _PALETTE.get()
    return colours[number % len(colours)]


def save_themed(draw: Callable[[], Figure | None], folder: Path, name: str) -> list[str]:
    """Write `name-light.svg` and `name-dark.svg`; equal figures give equal bytes.

    Args:
        draw: makes the figure, once per theme; None if there is nothing to draw.
        folder: of the files.
        name: what both begin with.

    Returns:
        The names of the files, none if nothing was drawn.
    """
    import matplotlib as mpl

    written = []
    for theme, (ink, colours) in THEMES.items():
        inked = dict.fromkeys(("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"), ink)
        clear = {"axes.facecolor": "none", "figure.facecolor": "none", "savefig.facecolor": "none"}
        palette = _PALETTE.set(colours)
        with mpl.rc_context({**inked, **clear, "svg.fonttype": "none", "svg.hashsalt": "turnenv"}):
            try:
                figure = draw()
            finally:
                _PALETTE.reset(palette)
            if figure is None:
                return []
            text = io.StringIO()
            figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
        path = folder / f"{name}-{theme}.svg"
        lines = [line.rstrip() for line in text.getvalue().splitlines()]
        with replacing(path) as partial:
            partial.write_text("\n".join(lines) + "\n", encoding="utf-8")
        written.append(path.name)
    return written
