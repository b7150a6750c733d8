"""Make the drawings of the documentation, each for light and for dark pages."""

from __future__ import annotations

import argparse
from pathlib import Path

EXAMPLES = """\
examples:
  python -m benchmarks drawings                      # into docs/pictures
  python -m benchmarks drawings --out results/drawn
"""
PICTURES = Path(__file__).parents[2] / "docs" / "pictures"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("--out", type=Path, default=PICTURES, help="folder of the pictures")


def run(given: argparse.Namespace) -> int:
    """Write the pictures and print their names."""
    from benchmarks.drawings.credit_drawing import draw_credit
    from benchmarks.drawings.house_drawing import draw_house
    from benchmarks.drawings.svg import THEMES

    given.out.mkdir(parents=True, exist_ok=True)
    for name, draw in (("credit", draw_credit), ("house", draw_house)):
        for theme in THEMES:
            path = given.out / f"{name}-{theme.name}.svg"
            path.write_text(draw(theme), encoding="utf-8")
            print(path)
    return 0
