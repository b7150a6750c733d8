"""Make the table and the picture of a comparison again, from its rows alone."""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.compare.comparison import Comparison
from benchmarks.compare.records import RowFile
from benchmarks.compare.suites import suite_of
from benchmarks.harness.options import add_folder

EXAMPLES = """\
examples:
  python -m benchmarks report results/compare
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_folder(parser)


def run(given: argparse.Namespace) -> int:
    """Write both files and print the table."""
    print(write_report(given.folder))
    return 0


def write_report(folder: Path) -> str:
    """Write `table.md` and `curves.png`.

    Returns:
        The table.

    Raises:
        ValueError: if there are no finished runs, or rows that cannot be compared.
    """
    from benchmarks.compare.plots import draw_curves
    from benchmarks.compare.table import render

    rows = RowFile(folder).read()
    if not rows:
        raise ValueError(f"{folder / 'rows.jsonl'} holds no finished run: run compare with --out {folder} first")
    comparison = Comparison.of(rows, suite_of(rows[0].run.settings.env.rpartition(":")[2]))
    text = render(comparison)
    (folder / "table.md").write_text(text, encoding="utf-8")
    if comparison.methods:
        draw_curves(comparison, folder / "curves.png")
    return text
