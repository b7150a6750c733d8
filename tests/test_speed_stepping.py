"""Speed measurements: the median of rounds, each at another depth of the call stack."""

import inspect
import itertools

import pytest

from benchmarks.speed.stepping import measure


def test_the_median_round_counts():
    ticks = itertools.count()
    steps = iter([3, 30, 6])  # one play per round, which takes three ticks
    speeds = measure({"game": lambda: next(steps)}, rounds=3, seconds=1.5, clock=lambda: float(next(ticks)))
    assert speeds == {"game": pytest.approx(6 / 3)}


def test_rounds_spread_over_a_block_of_frames_and_contenders_share_their_depths():
    depths = {"old": [], "new": []}

    def contender(name):
        def play():
            depths[name].append(len(inspect.stack(0)))
            return 1

        return play

    measure({name: contender(name) for name in depths}, rounds=9, seconds=0.0001)
    shallowest = min(depths["old"])
    assert sorted({depth - shallowest for depth in depths["old"]}) == list(range(0, 90, 10))
    assert set(depths["old"]) == set(depths["new"])
