"""Exact values of an enumerated environment: optimal values, a policy's values, and the policy's exact gradient.

Axes: S states, O observations that the agent can distinguish, A actions, N the most branches of an action, H turns (the
horizon), B simulated episodes. Time t is the number of turns taken, so that H - t turns are left; nothing is
discounted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from turnenv.exact.model import Enumerable, Floats, TabularModel, as_seen, tabular_model

__all__ = [
    "Enumerable",
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
    "visitation",
]

Objective = Literal["outcome", "shaped", "success"]
"""What is summed: the outcome's reward ("outcome"), turn rewards and outcome's reward ("shaped"), or 1 per success."""


@dataclass(frozen=True, eq=False)
class Values:
    """Values after t turns: `q` (H, S, A), `v` (H + 1, S); `v[H]` is what an episode that ran out of turns gets."""

    q: Floats
    v: Floats

    @property
    def advantages(self) -> Floats:
        """`q - v`, (H, S, A)."""
        return self.q - self.v[:-1, :, None]


@dataclass(frozen=True, eq=False)
class Rollouts:
    """Simulated episodes, padded to H turns.

    Attributes:
        states: the state before each action, by its number, int (B, H); 0 where masked.
        actions: each action, by its number, int (B, H); 0 where masked.
        turn_rewards: (B, H); 0 where masked.
        turn_mask: True where a turn was taken, bool (B, H).
        outcome_rewards: (B,); `silence` where truncated.
        successes: bool (B,).
        truncated: True where the episode ran out of turns, bool (B,).
    """

    states: NDArray[np.int64]
    actions: NDArray[np.int64]
    turn_rewards: Floats
    turn_mask: NDArray[np.bool_]
    outcome_rewards: Floats
    successes: NDArray[np.bool_]
    truncated: NDArray[np.bool_]


def optimal(model: TabularModel, objective: Objective = "outcome") -> Values:
    """Q* and V* by backward induction, for an agent that sees the state (not only what `observations` distinguishes).

    Raises:
        ValueError: if there is no such objective.
    """
    return _backward(model, None, objective)


def evaluate(model: TabularModel, policy: Floats, objective: Objective = "outcome") -> Values:
    """Q^π and V^π of a policy, exactly.

    Args:
        model: the environment.
        policy: probability of each action, (S, A), or (H, S, A) if it depends on the turns taken.
        objective: what is summed.

    Raises:
        ValueError: if the policy has another shape or does not sum to 1 over actions, or there is no such objective.
    """
    return _backward(model, _by_turn(model, policy), objective)


def expected_return(model: TabularModel, policy: Floats, objective: Objective = "outcome") -> float:
    """J: the expectation of the objective over episodes of a policy, (S, A) or (H, S, A); raises as `evaluate`."""
    return float(model.start @ evaluate(model, policy, objective).v[0])


def visitation(model: TabularModel, policy: Floats) -> Floats:
    """Probability that an episode is still running after t turns, and in state s, (H, S); raises as `evaluate`."""
    policy_HSA, goes_SAN = _by_turn(model, policy), model.probabilities * ~model.ends
    visits_HS = np.zeros((model.horizon, len(model.keys)))
    visits_HS[0] = model.start
    for turn in range(1, model.horizon):
        flow_SAN = (visits_HS[turn - 1, :, None] * policy_HSA[turn - 1])[:, :, None] * goes_SAN
        visits_HS[turn] = np.bincount(model.next_states.ravel(), flow_SAN.ravel(), minlength=len(model.keys))
    return visits_HS


def policy_gradient(model: TabularModel, policy: Floats, objective: Objective = "outcome") -> Floats:
    """The exact gradient of J in the logits of a softmax policy, by turn, (H, S, A); raises as `evaluate`.

    Turn t contributes `d_t(s) π(a|s) A_t(s, a)` (policy gradient theorem, Sutton et al. 2000). This is the gradient for
    logits that depend on the turn; for logits (S, A) that all turns share, sum over the first axis.
    """
    values = evaluate(model, policy, objective)
    return visitation(model, policy)[:, :, None] * _by_turn(model, policy) * values.advantages


def over_states(model: TabularModel, policy: Floats) -> Floats:
    """Convert a policy over observations, (O, A) or (H, O, A), to one over states, (S, A) or (H, S, A)."""
    return np.asarray(policy[..., model.observations, :])


def over_observations(model: TabularModel, gradient: Floats) -> Floats:
    """Convert a gradient in logits of states, (S, A) or (H, S, A), to logits of observations, (O, A) or (H, O, A)."""
    seen_OS = np.arange(len(model.observation_keys))[:, None] == model.observations
    return np.asarray(seen_OS @ gradient)


def softmax(logits: Floats) -> Floats:
    """Turn logits into probabilities over the last axis."""
    weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=-1, keepdims=True))


def greedy(values: Values) -> Floats:
    """The policy that takes the best action, the first of equal ones (to 12 digits), (H, S, A)."""
    best = np.round(values.q, 12).argmax(axis=-1)
    return np.asarray(np.eye(values.q.shape[-1])[best])


def simulate(model: TabularModel, policy: Floats, episodes: int, rng: np.random.Generator) -> Rollouts:
    """Play many episodes of a policy, (S, A) or (H, S, A), as arrays; each episode has noise of its own."""
    cumulative_HSA, cumulative_SAN = _by_turn(model, policy).cumsum(-1), model.probabilities.cumsum(-1)
    shape = (episodes, model.horizon)
    states, actions = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    turn_rewards, turn_mask = np.zeros(shape), np.zeros(shape, dtype=bool)
    outcome_rewards, successes = np.zeros(episodes), np.zeros(episodes, dtype=bool)
    rows = np.arange(episodes)
    here = rng.choice(len(model.keys), size=episodes, p=model.start)
    for turn in range(model.horizon):
        action = _draw(cumulative_HSA[turn, here], rng)
        cell = here, action, _draw(cumulative_SAN[here, action], rng)
        states[rows, turn], actions[rows, turn], turn_mask[rows, turn] = here, action, True
        turn_rewards[rows, turn] = model.turn_rewards[cell]
        outcome_rewards[rows], successes[rows] = model.outcome_rewards[cell], model.successes[cell]
        here, rows = model.next_states[cell][~model.ends[cell]], rows[~model.ends[cell]]
    outcome_rewards[rows] = model.silence[here]
    truncated = np.zeros(episodes, dtype=bool)
    truncated[rows] = True
    return Rollouts(states, actions, turn_rewards, turn_mask, outcome_rewards, successes, truncated)


def _draw(cumulative: Floats, rng: np.random.Generator) -> NDArray[np.int64]:
    # Scaled by the last column, because the sums may round to less than 1.
    points = rng.random(len(cumulative)) * cumulative[:, -1]
    return np.asarray((points[:, None] >= cumulative).sum(axis=-1), dtype=np.int64)


def _backward(model: TabularModel, policy_HSA: Floats | None, objective: Objective) -> Values:
    reward_SA, cut_S = _rewards(model, objective)
    goes_SAN = model.probabilities * ~model.ends
    q_HSA = np.zeros((model.horizon, *reward_SA.shape))
    v_HS = np.zeros((model.horizon + 1, len(model.keys)))
    v_HS[-1] = cut_S
    for turn in reversed(range(model.horizon)):
        q_HSA[turn] = reward_SA + (goes_SAN * v_HS[turn + 1][model.next_states]).sum(-1)
        v_HS[turn] = q_HSA[turn].max(-1) if policy_HSA is None else (policy_HSA[turn] * q_HSA[turn]).sum(-1)
    return Values(q_HSA, v_HS)


def _rewards(model: TabularModel, objective: Objective) -> tuple[Floats, Floats]:
    """The expected reward of an action (S, A), and what a cut episode gets (S,)."""
    if objective == "success":
        return (model.probabilities * model.successes).sum(-1), np.zeros(len(model.keys))
    if objective not in ("outcome", "shaped"):
        raise ValueError(f"objective must be 'outcome', 'shaped' or 'success'; got {objective!r}")
    rewards_SAN = model.outcome_rewards + (model.turn_rewards if objective == "shaped" else 0.0)
    return (model.probabilities * rewards_SAN).sum(-1), model.silence


def _by_turn(model: TabularModel, policy: Floats) -> Floats:
    shape = (model.horizon, len(model.keys), len(model.actions))
    if policy.shape not in (shape, shape[1:]):
        raise ValueError(f"the policy must be (S, A) = {shape[1:]} or (H, S, A) = {shape}; got {policy.shape}")
    if not np.allclose(policy.sum(-1), 1.0):
        raise ValueError("the policy's probabilities must sum to 1 over actions")
    return np.broadcast_to(policy, shape)
