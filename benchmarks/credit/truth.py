"""Exact values of R tabular policies at once: what `turnenv.exact` computes for one.

Axes: R policies, H turns, S states, O observations, A actions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks.credit.sampling import Plays
from turnenv.exact import Floats, Objective, TabularModel


@dataclass(frozen=True, eq=False)
class PolicyValues:
    """Values with t turns taken, of R policies: `q` (R, H, S, A), `v` (R, H + 1, S)."""

    q: Floats
    v: Floats

    def advantages(self, plays: Plays) -> Floats:
        """`Q^π - V^π` of what was done, (R, E, H); 0 where masked."""
        rows = np.arange(len(self.q))[:, None, None]
        turns = np.arange(self.q.shape[1])
        q_REH = self.q[rows, turns, plays.states, plays.actions]
        return np.where(plays.turn_mask, q_REH - self.v[rows, turns, plays.states], 0.0)

    def along(self, plays: Plays) -> Floats:
        """V^π of the state before each turn, (R, E, H + 1); after the last turn of an episode 0."""
        rows = np.arange(len(self.v))[:, None, None]
        before_REH = self.v[rows, np.arange(self.q.shape[1]), plays.states]
        known_REH = np.where(plays.turn_mask, before_REH, 0.0)
        return np.concatenate([known_REH, np.zeros((*known_REH.shape[:2], 1))], axis=2)


def evaluate_all(model: TabularModel, policies: Floats, objective: Objective) -> PolicyValues:
    """Q^π and V^π of policies (R, O, A), by backward induction."""
    policies_RSA, goes_SAN = policies[:, model.observations], model.probabilities * ~model.ends
    reward_SA, cut_S = _rewards(model, objective)
    q_RHSA = np.zeros((len(policies), model.horizon, *reward_SA.shape))
    v_RHS = np.zeros((len(policies), model.horizon + 1, len(model.keys)))
    v_RHS[:, -1] = cut_S
    for turn in reversed(range(model.horizon)):
        q_RHSA[:, turn] = reward_SA + (goes_SAN * v_RHS[:, turn + 1][:, model.next_states]).sum(-1)
        v_RHS[:, turn] = (policies_RSA * q_RHSA[:, turn]).sum(-1)
    return PolicyValues(q_RHSA, v_RHS)


def success_probability(model: TabularModel, policies: Floats) -> Floats:
    """Of R policies (R, O, A), exactly, (R,)."""
    return np.asarray(evaluate_all(model, policies, "success").v[:, 0] @ model.start)


def _rewards(model: TabularModel, objective: Objective) -> tuple[Floats, Floats]:
    if objective == "success":
        return (model.probabilities * model.successes).sum(-1), np.zeros(len(model.keys))
    rewards_SAN = model.outcome_rewards + (model.turn_rewards if objective == "shaped" else 0.0)
    return (model.probabilities * rewards_SAN).sum(-1), model.silence
