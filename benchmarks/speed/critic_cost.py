"""Measure what a critic adds to a training step: turn-level PPO against GRPO on the same episodes."""

from __future__ import annotations

import argparse

from benchmarks.harness.options import add_json, check_steps

EXAMPLES = """\
examples:
  python -m benchmarks critic-cost
  python -m benchmarks critic-cost --rows 8 --steps 2 --repeats 1 --json
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add = parser.add_argument
    add("--model", default="agents/nano", help="folder or hub id of the policy")
    add("--env", default="turnenv/TriviaSearch-v0", help="environment id")
    add("--rows", type=int, default=64, help="episodes per step, a multiple of 8")
    add("--steps", type=int, default=6, help="steps of each run; the first is not counted")
    add("--repeats", type=int, default=3, help="runs of each, in turn, each in a process of its own; medians are shown")
    add_json(parser)


def run(given: argparse.Namespace) -> int:
    """Measure and print.

    Raises:
        ValueError: if there are too few steps, or the rows are no whole groups of 8.
    """
    check_steps(given.rows, given.steps)
    from benchmarks.harness.tables import print_tables
    from benchmarks.speed.critic_steps import measure

    rows = measure(given.model, given.env, rows=given.rows, steps=given.steps, repeats=given.repeats)
    formats = {"s per step": ".3f", "peak memory, MB": ".0f", "time ratio": ".2f", "memory ratio": ".2f"}
    print_tables({"critics": rows}, formats, as_json=given.json)
    return 0
