"""Draws the rooms of the package, floor by floor, from the layers that import-linter enforces."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path

from benchmarks.drawings.svg import Theme, box, document, line, text

SETTINGS = Path(__file__).parents[2] / "pyproject.toml"
_ABOVE, _INSIDE = "arrows run down", "inside the wheel"
_WIDTH, _FLOOR, _LEFT, _RIGHT = 760, 58, 20, 700


def floors(contract: str) -> list[list[str]]:
    """The layers of a contract from the top down, each a list of rooms.

    Raises:
        KeyError: if there is no contract of that name.
    """
    contracts = tomllib.loads(SETTINGS.read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]
    layers = {each["name"]: each["layers"] for each in contracts if "layers" in each}[contract]
    return [layer.split(" | ") for layer in layers]


def draw_house(theme: Theme) -> str:
    """The picture as SVG."""
    above = [floor for floor in floors(_ABOVE) if floor != ["turnenv"]]
    inside = [floor for floor in floors(_INSIDE) if floor != ["__main__"]]
    shapes = [text(_LEFT, 30, "A room imports only from the floors below it.", theme.ink, size=19, bold=True)]
    y = 52
    for floor in above:
        shapes += _floor(floor, y, theme, theme.surface)
        y += _FLOOR
    wheel_top = y + 6
    shapes.append(text(_LEFT + 14, wheel_top + 24, "turnenv: what pip installs", theme.positive, bold=True))
    y = wheel_top + 38
    for floor in inside:
        shapes += _floor(floor, y, theme, theme.surface, inset=14)
        y += _FLOOR
    shapes.append(box(_LEFT, wheel_top, _RIGHT - _LEFT, y - wheel_top + 4, "none", stroke=theme.positive, radius=8))
    shapes.append(line(730, 60, 730, y - 8, theme.faint, arrow=True))
    described = "Floors from the top down: " + "; ".join(", ".join(floor) for floor in (*above, *inside)) + "."
    return document(_WIDTH, y + 24, "The rooms of the repository and the direction of imports", described, shapes)


def _floor(rooms: Sequence[str], y: float, theme: Theme, fill: str, inset: float = 0) -> list[str]:
    """Rooms side by side over the whole width."""
    gap, left = 10, _LEFT + inset
    width = (_RIGHT - _LEFT - 2 * inset - gap * (len(rooms) - 1)) / len(rooms)
    shapes = []
    for number, room in enumerate(rooms):
        x = left + number * (width + gap)
        shapes.append(box(x, y, width, _FLOOR - 14, fill, stroke=theme.line))
        shapes.append(text(x + width / 2, y + 28, room, theme.ink, anchor="middle"))
    return shapes
