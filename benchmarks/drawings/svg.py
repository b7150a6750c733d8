"""A few shapes as SVG text, and the two themes that they are drawn in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from xml.sax.saxutils import escape

Anchor = Literal["start", "middle", "end"]


@dataclass(frozen=True)
class Theme:
    """Colours for a page's background; positive and negative differ for every kind of colour vision."""

    name: str
    ink: str
    faint: str
    line: str
    surface: str
    positive: str
    negative: str


THEMES = (
    Theme("light", "#1b1f24", "#57606a", "#d0d7de", "#f4f6f8", "#0b62a8", "#b34a00"),
    Theme("dark", "#e6edf3", "#a5b0bb", "#3d444d", "#1f252c", "#6cb6ff", "#ff9d57"),
)


def text(
    x: float, y: float, words: str, colour: str, *, size: float = 16, anchor: Anchor = "start", bold: bool = False
) -> str:
    """A line of text whose baseline is at y."""
    weight = ' font-weight="600"' if bold else ""
    placed = f'x="{x:g}" y="{y:g}" font-size="{size:g}" text-anchor="{anchor}"'
    return f'<text {placed} fill="{colour}"{weight}>{escape(words)}</text>'


def box(x: float, y: float, width: float, height: float, fill: str, *, stroke: str = "none", radius: float = 4) -> str:
    """A rectangle with round corners."""
    placed = f'x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="{radius:g}"'
    return f'<rect {placed} fill="{fill}" stroke="{stroke}"/>'


def line(x1: float, y1: float, x2: float, y2: float, colour: str, *, arrow: bool = False) -> str:
    """A straight line; with `arrow`, one that points down at its end."""
    drawn = f'<line x1="{x1:g}" y1="{y1:g}" x2="{x2:g}" y2="{y2:g}" stroke="{colour}" stroke-width="1.5"/>'
    if not arrow:
        return drawn
    head = f"{x2 - 5:g},{y2 - 9:g} {x2 + 5:g},{y2 - 9:g} {x2:g},{y2:g}"
    return f'{drawn}<polygon points="{head}" fill="{colour}"/>'


def document(width: int, height: int, title: str, described: str, shapes: Sequence[str]) -> str:
    """The whole picture; title and description are read aloud by a screen reader."""
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
            f'role="img" font-family="system-ui, -apple-system, Segoe UI, DejaVu Sans, sans-serif">',
            f"<title>{escape(title)}</title>",
            f"<desc>{escape(described)}</desc>",
            *shapes,
            "</svg>\n",
        ]
    )
