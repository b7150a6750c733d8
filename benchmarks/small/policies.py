"""The kinds of small policy that a command line can name, and their own options."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agents.small.learner import Learner
    from agents.small.worlds import World

LEARNING_RATES = {"tabular": 3.0, "mlp": 0.01}
"""Kind of policy → its learning rate by default."""
MLP_OPTIONS: Mapping[str, Any] = {"hidden": [64], "optimizer": "adam"}
"""What only an MLP has, with the defaults."""


def policy_options(kind: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a kind of policy.

    Args:
        kind: "tabular" or "mlp".
        given: option → value, None where the default counts.

    Raises:
        ValueError: if an option is given that the kind does not have.
    """
    named = {name: value for name, value in given.items() if value is not None}
    if kind == "mlp":
        return {**MLP_OPTIONS, **named}
    if named:
        raise ValueError(f"a tabular policy has no {' or '.join(f'--{name}' for name in named)}; pass --policy mlp too")
    return {}


def make_policy(kind: str, options: Mapping[str, Any], world: World, learning_rate: float, seed: int) -> Learner:
    """A fresh policy, uniform over actions.

    Args:
        kind: "tabular", one logit per observation and action; "mlp", a network on the parts of the observation's key.
        options: from `policy_options`.
        world: what it plays.
        learning_rate: of its updates.
        seed: draws an MLP's hidden weights; a tabular policy has none.
    """
    if kind == "tabular":
        from agents.small.tabular import TabularPolicy

        return TabularPolicy(world.shape, learning_rate)
    import torch

    from agents.small.mlp import MlpPolicy
    from agents.small.worlds import factored_one_hot

    torch.set_num_threads(1)
    return MlpPolicy(
        factored_one_hot(world.model.observation_keys), world.shape[1], learning_rate, seed=seed, **options
    )
