"""Many policies' episodes at once, and from them what an estimator reads and the gradient its advantages make.

Axes: R policies, E episodes of each, H turns at most, S states, O observations, A actions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from turnenv.exact import Floats, TabularModel

Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Plays:
    """Episodes of R policies, right-padded to H turns; masked cells hold 0.

    Attributes:
        states: number of the state before each action, (R, E, H).
        actions: number of each action, (R, E, H).
        turn_rewards: (R, E, H).
        turn_mask: True where a turn was taken, (R, E, H).
        outcome_rewards: (R, E).
        truncated: True where the episode ran out of turns, (R, E).
    """

    states: Ints
    actions: Ints
    turn_rewards: Floats
    turn_mask: NDArray[np.bool_]
    outcome_rewards: Floats
    truncated: NDArray[np.bool_]

    @property
    def turns(self) -> Ints:
        """Turns that each policy took, (R,)."""
        return np.asarray(np.count_nonzero(self.turn_mask, axis=(1, 2)))


def play(model: TabularModel, policies: Floats, starts: Ints, noise: Floats, first: Ints | None = None) -> Plays:
    """Play E episodes of each of R policies; equal noise and equal policies give equal episodes.

    Args:
        model: the environment.
        policies: probability of each action, (R, O, A).
        starts: the state that each episode starts from, (R, E).
        noise: uniform numbers in [0, 1), the policy's and the environment's of each turn, (R, E, H, 2).
        first: the turn that each episode starts at, (R, E), by default 0; its cells before that turn are masked. One
            that starts at H is not played at all.
    """
    rows, episodes = starts.shape
    row_N, here_N, noise_NH2 = np.repeat(np.arange(rows), episodes), starts.ravel(), noise.reshape(-1, model.horizon, 2)
    first_N, over_N = np.zeros_like(here_N) if first is None else first.ravel(), np.zeros(here_N.shape, dtype=bool)
    cumulative_ROA, cumulative_SAN = policies.cumsum(-1), model.probabilities.cumsum(-1)
    shape = (rows * episodes, model.horizon)
    states_NH, actions_NH = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    rewards_NH, mask_NH, outcome_N = np.zeros(shape), np.zeros(shape, dtype=bool), np.zeros(shape[0])
    here_N = here_N.copy()
    for turn in range(model.horizon):
        live_L = np.flatnonzero(~over_N & (first_N <= turn))
        here_L, policy_L = here_N[live_L], row_N[live_L]
        action_L = _draw(cumulative_ROA[policy_L, model.observations[here_L]], noise_NH2[live_L, turn, 0])
        branch_L = _draw(cumulative_SAN[here_L, action_L], noise_NH2[live_L, turn, 1])
        cell = here_L, action_L, branch_L
        states_NH[live_L, turn], actions_NH[live_L, turn], mask_NH[live_L, turn] = here_L, action_L, True
        rewards_NH[live_L, turn], outcome_N[live_L] = model.turn_rewards[cell], model.outcome_rewards[cell]
        here_N[live_L], over_N[live_L] = model.next_states[cell], model.ends[cell]
    outcome_N = np.where(over_N, outcome_N, model.silence[here_N])
    turns, flat = (rows, episodes, model.horizon), (rows, episodes)
    return Plays(
        states_NH.reshape(turns),
        actions_NH.reshape(turns),
        rewards_NH.reshape(turns),
        mask_NH.reshape(turns),
        outcome_N.reshape(flat),
        ~over_N.reshape(flat),
    )


def score_gradients(model: TabularModel, policies: Floats, plays: Plays, weights: Floats) -> Floats:
    """The gradient that a policy-gradient step takes, one of each turn: `mean_e w_et ∇log π(a_et | o_et)`.

    Args:
        model: the environment.
        policies: probability of each action, (R, O, A).
        plays: R times E episodes of these policies.
        weights: the advantages, (R, E, H); 0 where masked.

    Returns:
        In the logits (O, A) of each policy, (R, H, O, A); the gradient of the whole batch is its sum over H.
    """
    rows, episodes, horizon = weights.shape
    shape = (rows, horizon, *policies.shape[1:])
    place_REH = np.arange(rows)[:, None, None] * horizon + np.arange(horizon)
    place_REH = place_REH * shape[2] + model.observations[plays.states]
    taken = np.bincount((place_REH * shape[3] + plays.actions).ravel(), weights.ravel(), minlength=int(np.prod(shape)))
    seen = np.bincount(place_REH.ravel(), weights.ravel(), minlength=int(np.prod(shape[:3])))
    expected_RHOA = seen.reshape(*shape[:3], 1) * policies[:, None]
    return np.asarray((taken.reshape(shape) - expected_RHOA) / episodes)


def score_gradient(model: TabularModel, policies: Floats, plays: Plays, weights: Floats) -> Floats:
    """`score_gradients` summed over the turns, (R, O, A), without making the summands."""
    rows = len(weights)
    place_REH = np.arange(rows)[:, None, None] * policies.shape[1] + model.observations[plays.states]
    flat = (place_REH * policies.shape[2] + plays.actions).ravel()
    taken_ROA = np.bincount(flat, weights.ravel(), minlength=policies.size).reshape(policies.shape)
    return np.asarray((taken_ROA - taken_ROA.sum(-1, keepdims=True) * policies) / weights.shape[1])


def _draw(cumulative: Floats, points: Floats) -> Ints:
    if cumulative.shape[1] == 1:
        return np.zeros(len(cumulative), dtype=np.int64)
    # Scaled by the last column, so that rounding in the sum never draws past it.
    return np.asarray(((points * cumulative[:, -1])[:, None] >= cumulative).sum(axis=-1), dtype=np.int64)
