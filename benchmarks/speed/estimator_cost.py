"""What an estimator costs: CPU time of one call at a large batch, and how it grows with trajectories and with turns."""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Sequence

import numpy as np
from tabulate import tabulate

from turnenv.credit import ESTIMATORS, TurnBatch


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed.estimator_cost", description=__doc__)
    parser.add_argument("--trajectories", type=int, default=4096, help="B (default: %(default)s)")
    parser.add_argument("--turns", type=int, default=64, help="K (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=9, help="interleaved; medians are shown (default: %(default)s)")
    given = parser.parse_args(arguments)
    B, K = given.trajectories, given.turns
    batches = [some_batch(B, K), some_batch(B // 2, K), some_batch(B, K // 2)]
    seconds: dict[tuple[str, int], list[float]] = {(name, size): [] for name in ESTIMATORS for size in range(3)}
    for _ in range(given.rounds):
        for name, estimator in ESTIMATORS.items():
            for size, batch in enumerate(batches):
                began = time.process_time()
                estimator(batch)
                seconds[name, size].append(time.process_time() - began)
    medians = {key: statistics.median(values) for key, values in seconds.items()}
    rows = [
        (name, f"{1e3 * medians[name, 0]:.1f}", *(f"{medians[name, 0] / medians[name, half]:.2f}" for half in (1, 2)))
        for name in ESTIMATORS
    ]
    print(
        tabulate(rows, headers=[f"B = {B}, K = {K}", "ms", "÷ at half of B", "÷ at half of K"], disable_numparse=True)
    )
    print("\nbar: 50 ms each; linear growth is a ratio of 2")
    print("Above 2.5, look at page faults first: MALLOC_MMAP_THRESHOLD_=1073741824 MALLOC_TRIM_THRESHOLD_=4294967296")
    print("lets glibc reuse the memory of temporary arrays.")


def some_batch(B: int, K: int) -> TurnBatch:
    """Full trajectories in groups of 8, with every optional field; one in four branched off the one before it."""
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


if __name__ == "__main__":
    main()
