"""Make the page, the table and the picture of a comparison again, from what is recorded."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks.compare.comparison import Comparison
from benchmarks.compare.rates import rates_folder
from benchmarks.compare.records import RowFile
from benchmarks.compare.suites import suite_of
from benchmarks.harness.options import add_folder
from turnenv.commands.page_options import add_limits, max_mb_of, redactor_of
from turnenv.report.redaction import Redactor

EXAMPLES = """\
examples:
  python -m benchmarks report results/compare
  python -m benchmarks report results/compare --max-mb 40
  python -m benchmarks report results/compare --redact '(?i)acme'

report.html is one file that asks the network for nothing: the answer, what it rests on, and the episodes turn by turn.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_folder(parser)
    add_limits(parser)


def run(given: argparse.Namespace) -> int:
    """Write all three files and print the table.

    Raises:
        ValueError: if there are no finished runs, or an option cannot be used.
    """
    redactor = redactor_of(given)
    print(write_report(given.folder, max_mb=max_mb_of(given), redactor=redactor))
    if redactor is not None:
        print(redactor.said(), file=sys.stderr)
    return 0


def write_report(folder: Path, *, max_mb: float = 15.0, redactor: Redactor | None = None) -> str:
    """Write `table.md`, `curves.png` and `report.html`, and print on stderr what the page has no room for.

    Args:
        folder: of the comparison.
        max_mb: how large `report.html` may become.
        redactor: of the texts of its episodes.

    Returns:
        The table.

    Raises:
        ValueError: if there are no finished runs, or rows that cannot be compared.
    """
    from benchmarks.compare.html_report import write_html
    from benchmarks.compare.plots import draw_curves
    from benchmarks.compare.table import render

    rows = RowFile(folder).read()
    if not rows:
        raise ValueError(f"{folder / 'rows.jsonl'} holds no finished run: run compare with --out {folder} first")
    suite, tuning = suite_of(rows[0].run.settings.env.rpartition(":")[2]), RowFile(rates_folder(folder)).read()
    comparison = Comparison.of(rows, suite, tuning)
    text = render(comparison)
    (folder / "table.md").write_text(text, encoding="utf-8")
    if comparison.methods:
        draw_curves(comparison, folder / "curves.png")
    _, packed = write_html(comparison, folder, max_mb=max_mb, redactor=redactor)
    for sentence in packed.left_out:
        print(f"report.html: {sentence} --max-mb makes room for more.", file=sys.stderr)
    return text
