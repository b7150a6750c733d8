"""Compare the methods over starting points and horizons, and sum up what holds over these cells."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from benchmarks.compare import command
from benchmarks.compare.cells import CELLS, SHARED, CellPlan
from benchmarks.harness.options import add_ray

_LIST = "\n".join(
    f"  {name:15s} {plan.horizon}; {plan.start} start; turn rewards: {plan.rewards}" for name, plan in CELLS.items()
)
EXAMPLES = f"""\
examples:
  # the headline, ten paired seeds from the weak start: an hour and a half on one core
  python -m benchmarks evidence weak --methods grpo_or,grpo_mr,mt_grpo

  # every cell with its own methods and seeds: a day of one core
  python -m benchmarks evidence

  # the same on a Ray cluster
  python -m benchmarks evidence --ray auto

cells:
{_LIST}

Each cell is a folder of the command compare in --out, and goes on where it was stopped. A starting point that is not
bundled is taught first, from its seed, in --out/starts. summary.md has what holds over the cells whose rows are there.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add = parser.add_argument
    add("cells", metavar="CELL", nargs="*", help=f"which: {', '.join(CELLS)} (default: all)")
    add("--methods", help="as compare takes them (default: the cell's own)")
    add("--seeds", help="as compare takes them (default: the cell's own)")
    add("--out", type=Path, default=Path("results/evidence"), help="folder of the results")
    add("--jobs", type=int, help="processes at once (default: one per core)")
    add_ray(parser)


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
        teach_start(name, given.out)
        failed |= command.run(compare_arguments(name, given))
    print(write_summary(given.out))
    return failed


def start_folder(cell: str, out: Path) -> Path:
    """Where the starting point of a cell is kept that is not bundled."""
    return out / "starts" / (CELLS[cell].shares_start or cell)


def teach_start(cell: str, out: Path) -> None:
    """Make the starting point of a cell, if it is neither bundled nor made already.

    Raises:
        ValueError: if teaching fails.
    """
    lesson, folder = CELLS[cell].lesson, start_folder(cell, out)
    # The weights are saved last: a folder without them is what a kill left.
    if not lesson or (folder / "model.safetensors").exists():
        return
    print(f"teaching the starting point of {cell}, once", file=sys.stderr)
    words = [sys.executable, "-m", "agents.nano.clone", *lesson, "--out", str(folder)]
    if subprocess.run(words, check=False).returncode:
        raise ValueError(f"the starting point of {cell} could not be taught; the reason stands above")


def compare_arguments(cell: str, given: argparse.Namespace) -> argparse.Namespace:
    """What compare would read from its command line."""
    parser, plan = argparse.ArgumentParser(), CELLS[cell]
    command.add_arguments(parser)
    words = ["--methods", given.methods or plan.methods, "--seeds", given.seeds or plan.seeds]
    words += [*_model(cell, plan, given.out), "--out", str(given.out / cell)]
    words += [] if given.jobs is None else ["--jobs", str(given.jobs)]
    words += [] if given.ray is None else ["--ray", given.ray]
    if plan.rates_from:
        words += ["--rates-from", str(given.out / plan.rates_from)]
    return parser.parse_args([*words, *SHARED, *plan.settings])


def _model(cell: str, plan: CellPlan, out: Path) -> list[str]:
    return ["--model", str(start_folder(cell, out))] if plan.lesson else []
