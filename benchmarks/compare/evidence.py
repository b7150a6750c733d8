"""Compare the methods from every starting point, each at its own best learning rate, and sum up over the cells."""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.compare import command
from benchmarks.compare.cells import CELLS, HEADLINE, SETTINGS
from benchmarks.harness.options import add_seeds

EXAMPLES = """\
examples:
  # the headline, ten paired seeds from the weak start: an hour and a half on one core
  python -m benchmarks evidence weak --seeds 10

  # all methods from all starting points
  python -m benchmarks evidence --methods grpo_or,grpo_mr,gdpo,mt_grpo,aw_grpo,placebo --seeds 5

Each cell is a folder of the command compare in --out, and goes on where it was stopped. summary.md has what holds over
the cells whose rows are there.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add = parser.add_argument
    add("cells", metavar="CELL", nargs="*", help=f"which: {', '.join(CELLS)} (default: all)")
    add("--methods", default=HEADLINE, help="as compare takes them")
    add_seeds(parser, "10")
    add("--out", type=Path, default=Path("results/evidence"), help="folder of the results")
    add("--jobs", type=int, help="processes at once (default: one per core)")


def run(given: argparse.Namespace) -> int:
    """Run the cells in order, write the summary, and return 1 if a run failed.

    Raises:
        ValueError: if there is no such cell, or compare refuses what it is given.
    """
    from benchmarks.compare.summary import write_summary

    if unknown := [name for name in given.cells if name not in CELLS]:
        raise ValueError(f"no cell is named {unknown[0]!r}; there are: {', '.join(CELLS)}")
    failed = 0
    for name in given.cells or CELLS:
        failed |= command.run(_arguments(name, given))
    print(write_summary(given.out))
    return failed


def _arguments(cell: str, given: argparse.Namespace) -> argparse.Namespace:
    """What compare would read from its command line."""
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    words = ["--methods", given.methods, "--seeds", given.seeds, "--out", str(given.out / cell)]
    words += [] if given.jobs is None else ["--jobs", str(given.jobs)]
    return parser.parse_args([*words, *SETTINGS, *CELLS[cell]])
