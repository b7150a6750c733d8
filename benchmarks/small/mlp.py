"""`python -m agents.small.mlp`: train a small neural policy, several estimators side by side."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace

import torch

from agents.small.learner import Learner
from agents.small.mlp import MlpPolicy
from agents.small.worlds import World, factored_one_hot
from benchmarks.small.command import Kind, main


def make(world: World, learning_rate: float, seed: int, given: Namespace) -> Learner:
    """A policy on the parts of the observation's key, its hidden weights drawn by the seed."""
    features, options = factored_one_hot(world.model.observation_keys), {"hidden": given.hidden, "seed": seed}
    return MlpPolicy(features, world.shape[1], learning_rate, optimizer=given.optimizer, **options)


def add_arguments(parser: ArgumentParser) -> None:
    """The options that only a neural policy has."""
    parser.add_argument(
        "--hidden", type=int, nargs="*", default=[64], metavar="UNITS", help="units of each hidden layer (default: 64)"
    )
    parser.add_argument(
        "--optimizer",
        choices=("adam", "sgd"),
        default="adam",
        help="adam undoes most of the estimators' different scales; sgd does not (default: %(default)s)",
    )


KIND = Kind(
    "mlp",
    "a small MLP policy (torch) that sees the parts of the observation's key as one-hot features",
    (0.01,),
    make,
    add_arguments,
)

if __name__ == "__main__":
    torch.set_num_threads(1)
    sys.exit(main(KIND))
