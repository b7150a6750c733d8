"""Measure what an estimator costs: CPU time of one call on a large batch, and how it grows with B and with K."""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from benchmarks.harness.options import add_json

if TYPE_CHECKING:
    from benchmarks.harness.tables import Value
    from turnenv.credit import TurnBatch

EXAMPLES = """\
examples:
  python -m benchmarks estimator-cost
  python -m benchmarks estimator-cost --trajectories 512 --turns 16 --rounds 3 --json

The aim is 50 ms for each estimator; where cost grows linearly, a batch twice as large takes twice as long. Above 2.5,
look at page faults first: MALLOC_MMAP_THRESHOLD_=1073741824 MALLOC_TRIM_THRESHOLD_=4294967296 lets glibc reuse the
memory of temporary arrays.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("--trajectories", type=int, default=4096, help="B, trajectories in the batch")
    parser.add_argument("--turns", type=int, default=64, help="K, turns of each trajectory")
    parser.add_argument("--rounds", type=int, default=9, help="interleaved rounds; medians are shown")
    add_json(parser)


def run(given: argparse.Namespace) -> int:
    """Measure and print."""
    from benchmarks.harness.tables import print_tables

    B, K = given.trajectories, given.turns
    medians = measure([some_batch(B, K), some_batch(B // 2, K), some_batch(B, K // 2)], given.rounds)
    rows: list[Mapping[str, Value]] = [
        {
            "estimator": name,
            "ms": 1e3 * whole,
            "÷ at half of B": whole / half_B,
            "÷ at half of K": whole / half_K,
        }
        for name, (whole, half_B, half_K) in medians.items()
    ]
    print(f"B = {B}, K = {K}; the aim is 50 ms each; linear growth is a ratio of 2", file=sys.stderr)
    formats = {"ms": ".1f", "÷ at half of B": ".2f", "÷ at half of K": ".2f"}
    print_tables({"estimators": rows}, formats, as_json=given.json)
    return 0


def measure(batches: list[TurnBatch], rounds: int) -> dict[str, list[float]]:
    """Estimator → median CPU seconds of one call on each batch, all calls interleaved."""
    from turnenv.credit import ESTIMATORS

    seconds: dict[str, list[list[float]]] = {name: [[] for _ in batches] for name in ESTIMATORS}
    for _ in range(rounds):
        for name, estimator in ESTIMATORS.items():
            for number, batch in enumerate(batches):
                began = time.process_time()
                estimator(batch)
                seconds[name][number].append(time.process_time() - began)
    return {name: [statistics.median(values) for values in columns] for name, columns in seconds.items()}


def some_batch(B: int, K: int) -> TurnBatch:
    """Full trajectories in groups of 8, with every optional field; one in four branches off the one before it."""
    import numpy as np

    from turnenv.credit import TurnBatch

    rng, rows = np.random.default_rng(0), np.arange(B)
    parents = np.full((B, 2), -1)
    branches = rows[rows % 4 == 3]
    parents[branches] = np.stack([branches - 1, rng.integers(K, size=len(branches))], axis=1)
    return TurnBatch(
        turn_rewards=rng.random((B, K)),
        outcome_rewards=rng.integers(2, size=B).astype(float),
        turn_mask=np.ones((B, K), dtype=bool),
        group_ids=rows // 8,
        truncated=np.zeros(B, dtype=bool),
        state_keys=rng.integers(1 << 20, size=(B, K)),
        values=rng.random((B, K + 1)),
        parents=parents,
        true_advantages=rng.normal(size=(B, K)),
    )
