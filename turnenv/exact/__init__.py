"""Exact solutions of families with few states: optimal values, values of any policy, its gradient, beliefs."""

from turnenv.exact.model import Enumerable, Floats, TabularModel, as_seen, tabular_model
from turnenv.exact.played import true_advantages
from turnenv.exact.solve import (
    Objective,
    Rollouts,
    Values,
    evaluate,
    expected_return,
    greedy,
    optimal,
    over_observations,
    over_states,
    policy_gradient,
    simulate,
    softmax,
    visitation,
)

__all__ = [
    "Enumerable",
    "Floats",
    "Objective",
    "Rollouts",
    "TabularModel",
    "Values",
    "as_seen",
    "evaluate",
    "expected_return",
    "greedy",
    "optimal",
    "over_observations",
    "over_states",
    "policy_gradient",
    "simulate",
    "softmax",
    "tabular_model",
    "true_advantages",
    "visitation",
]
