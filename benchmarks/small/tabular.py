"""`python -m agents.small.tabular`: train a tabular softmax policy, several estimators side by side."""

from __future__ import annotations

import sys
from argparse import Namespace

from agents.small.learner import Learner
from agents.small.tabular import TabularPolicy
from agents.small.worlds import World
from benchmarks.small.command import Kind, main


def make(world: World, learning_rate: float, seed: int, given: Namespace) -> Learner:
    """The uniform policy, whatever the seed."""
    return TabularPolicy(world.shape, learning_rate)


KIND = Kind("tabular", "a tabular softmax policy (numpy), one logit for each observation and action", (3.0,), make)

if __name__ == "__main__":
    sys.exit(main(KIND))
