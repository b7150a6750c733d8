"""Measure what a kept KV cache saves in a multi-turn rollout, against reading each conversation again at every turn."""

from __future__ import annotations

import argparse

from benchmarks.harness.options import add_json

EXAMPLES = """\
examples:
  python -m benchmarks generation-speed
  python -m benchmarks generation-speed --rows 8 --turns 2 --groups 1 --repeats 1 --json
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add = parser.add_argument
    add("--rows", type=int, default=32, help="episodes in the batch")
    add("--turns", type=int, nargs="+", default=[4, 8], help="turns of an episode")
    add("--groups", type=int, nargs="+", default=[1, 8], help="episodes that share a prompt; each divides --rows")
    add("--repeats", type=int, default=3, help="interleaved repeats; medians are shown")
    add_json(parser)


def run(given: argparse.Namespace) -> int:
    """Measure and print.

    Raises:
        ValueError: if a group size does not divide the number of rows.
    """
    import torch

    from benchmarks.harness.tables import print_tables
    from benchmarks.speed.rollout_cost import compare

    for group in given.groups:
        if group < 1 or given.rows % group:
            raise ValueError(f"--groups {group} must divide --rows {given.rows}")
    torch.set_num_threads(1)
    titles = ("turns", "rows per prompt", "KV kept, s", "re-prefill, s", "times faster")
    rows = [
        dict(zip(titles, (turns, group, *compare(given.rows, turns, group, given.repeats)), strict=True))
        for turns in given.turns
        for group in given.groups
    ]
    print_tables({"rollouts": rows}, dict.fromkeys(titles[2:], ".2f"), as_json=given.json)
    return 0
