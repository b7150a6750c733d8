"""`python -m benchmarks report`: the table and the picture of a folder, made again from its rows alone."""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.compare.comparison import Comparison
from benchmarks.compare.records import RowFile
from benchmarks.compare.suites import suite_of


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser("report", help="rebuild table.md and curves.png from rows.jsonl", description=__doc__)
    parser.add_argument("folder", type=Path, help="what compare was given as --out")
    parser.set_defaults(run=lambda given: print(write_report(given.folder)))


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
