"""Measure what TRL's trainer costs over the barest loop that plays the same episodes and takes the same steps."""

from __future__ import annotations

import argparse
import statistics

from benchmarks.harness.options import add_json, check_steps

EXAMPLES = """\
examples:
  python -m benchmarks trainer-overhead
  python -m benchmarks trainer-overhead --rows 8 --steps 2 --json
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("--rows", type=int, default=64, help="episodes per step, a multiple of 8")
    parser.add_argument("--steps", type=int, default=8, help="steps of each, interleaved; the first is not counted")
    add_json(parser)


def run(given: argparse.Namespace) -> int:
    """Measure and print.

    Raises:
        ValueError: if there are too few steps, or the rows are no whole groups of 8.
    """
    check_steps(given.rows, given.steps)
    import torch

    from benchmarks.harness.tables import print_tables
    from benchmarks.speed.trainer_race import race

    torch.set_num_threads(1)
    times, same = race(given.rows, given.steps)
    trainer, bare = (statistics.median(column) for column in zip(*times[1:], strict=True))
    row = {
        "rows": given.rows,
        "trainer, s per step": trainer,
        "bare loop, s per step": bare,
        "ratio": statistics.median(ours / plain for ours, plain in times[1:]),
        "steps with the same episodes": f"{sum(same)} of {len(same)}",
    }
    formats = dict.fromkeys(("trainer, s per step", "bare loop, s per step", "ratio"), ".2f")
    print_tables({"steps": [row]}, formats, as_json=given.json)
    return 0
