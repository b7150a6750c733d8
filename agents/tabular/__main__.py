"""`python -m agents.tabular`: train a tabular softmax policy, several estimators side by side."""

from __future__ import annotations

import sys
from argparse import Namespace

from agents.policy_gradient.command import Kind, main
from agents.policy_gradient.learner import Learner
from agents.policy_gradient.worlds import World
from agents.tabular import TabularPolicy


def make(world: World, learning_rate: float, seed: int, given: Namespace) -> Learner:
    """The uniform policy, whatever the seed."""
    return TabularPolicy(world.shape, learning_rate)


KIND = Kind("tabular", "a tabular softmax policy (numpy), one logit for each observation and action", (3.0,), make)

if __name__ == "__main__":
    sys.exit(main(KIND))
