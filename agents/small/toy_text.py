"""Gymnasium's tabular tasks as environments with turn rewards, computed from their own transition tables.

Axes: S states, A actions, N branches of an action at most.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import gymnasium
import numpy as np
from numpy.typing import NDArray

from turnenv.exact import TabularModel
from turnenv.types import End

Branches: TypeAlias = Sequence[tuple[float, int, float, bool]]
"""An action's branches: probability, next state, reward, whether the episode ends."""
Transitions: TypeAlias = Mapping[int, Mapping[int, Branches]]
"""`env.unwrapped.P`."""

MAX_STEPS = {"CliffWalking-v1": 100, "CliffWalkingSlippery-v1": 100}
"""Steps after which an episode is cut, for the ids that Gymnasium registers without a limit."""
WEIGHT = 0.5
"""The sum of the turn rewards of an episode that succeeds."""


def reward_of_success(transitions: Transitions) -> float:
    """The highest reward that a branch ends an episode with, which distinguishes success from failure.

    1 for FrozenLake's treasure (a hole ends with 0), 20 for Taxi's delivery, -1 for CliffWalking's goal.
    """
    return max(reward for _, _, _, reward, ends in _every_branch(transitions) if ends)


def distances(transitions: Transitions) -> NDArray[np.float64]:
    """Fewest steps from each state to success if all random moves turn out well, float (S,); infinite without a way."""
    best = reward_of_success(transitions)
    before: dict[int, set[int]] = {}
    found = np.full(len(transitions), np.inf)
    frontier: deque[int] = deque()
    for state, probability, after, reward, ends in _every_branch(transitions):
        if probability > 0.0 and ends and reward == best and found[state] > 1:
            found[state] = 1.0
            frontier.append(state)
        elif probability > 0.0 and not ends:
            before.setdefault(after, set()).add(state)
    while frontier:
        here = frontier.popleft()
        for state in before.get(here, ()):
            if np.isinf(found[state]):
                found[state] = found[here] + 1
                frontier.append(state)
    return found


def potential(distance: float, first: float) -> float:
    """`0.5·(1 - d/d_0)`, and 0 (all progress lost) where success is out of reach."""
    return 0.0 if np.isinf(distance) else WEIGHT * (1.0 - distance / first)


class TurnRewards(gymnasium.Wrapper[int, int, int, int]):
    """FrozenLake, Taxi or CliffWalking with turnenv's contract: turn rewards reported separately from the outcome.

    Turn reward `progress`: potential-based (Ng et al. 1999), `Φ(s') - Φ(s)` with `Φ(s) = 0.5·(1 - d(s)/d(s_0))`, d the
    length of the shortest way to success in the task's own table, and Φ = 0 in a hole. The sum telescopes, so that a
    loop earns nothing and success 0.5 in all. Outcome `success`: 1.0 (see `reward_of_success`). The task's own rewards
    are not paid. `step` returns `reward = turn reward + outcome reward` and the `info` of `turnenv.TextEnv`.
    """

    blocking = False

    def __init__(self, env: gymnasium.Env[int, int]) -> None:
        super().__init__(env)
        transitions: Transitions = env.unwrapped.P  # type: ignore[attr-defined]
        self._distances, self._best = distances(transitions), reward_of_success(transitions)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[int, dict[str, Any]]:
        """Begin an episode; there is one task, whose first state the seed may draw."""
        observation, _ = self.env.reset(seed=seed)
        self._state, self._first, self._rewards = int(observation), float(self._distances[observation]), list[float]()
        return self._state, {"task": 0, "system_prompt": ""}

    def step(self, action: int) -> tuple[int, float, bool, bool, dict[str, Any]]:
        """Take the action; the closing step's info has the outcome."""
        before = self._state
        observation, reward, terminated, truncated, _ = self.env.step(int(action))
        after = int(observation)
        success = terminated and reward == self._best
        left = 0.0 if success else np.inf if terminated else float(self._distances[after])
        progress = potential(left, self._first) - potential(float(self._distances[before]), self._first)
        self._state = after
        self._rewards.append(progress)
        outcome = float(success)
        info: dict[str, Any] = {
            "turn_reward": progress,
            "turn_rewards": self._rewards.copy(),
            "outcome_reward": outcome,
            "turn": len(self._rewards),
            "reward_components": {"progress": progress},
            "state_key": before,
            "valid_action": True,
        }
        if terminated or truncated:
            end = End.SOLVED if success else End.FAILED if terminated else End.TURN_LIMIT
            components = {"success": outcome}
            info["outcome"] = {"reward": outcome, "success": success, "end": end.value, "components": components}
            info["fault"] = ""
        return after, progress + outcome, terminated, truncated and not terminated, info


def toy_model(env: gymnasium.Env[int, int], horizon: int) -> TabularModel:
    """The task as arrays, for `turnenv.exact`; its outcome is success, its turn rewards are left at 0.

    A turn reward depends on the episode's first state, which is not part of the task's state.
    """
    table: Transitions = env.unwrapped.P  # type: ignore[attr-defined]
    states, actions = len(table), len(table[0])
    branches = max(len(table[state][action]) for state in table for action in table[state])
    shape = (states, actions, branches)
    probabilities, next_states = np.zeros(shape), np.zeros(shape, dtype=np.int64)
    ends, successes = np.zeros(shape, dtype=bool), np.zeros(shape, dtype=bool)
    best = reward_of_success(table)
    for state, action in itertools.product(range(states), range(actions)):
        for number, (probability, after, reward, over) in enumerate(table[state][action]):
            cell = state, action, number
            probabilities[cell], ends[cell], successes[cell] = probability, over, over and reward == best
            next_states[cell] = 0 if over else after
    return TabularModel(
        keys=tuple(range(states)),
        actions=tuple(map(str, range(actions))),
        start=np.asarray(env.unwrapped.initial_state_distrib, dtype=np.float64),  # type: ignore[attr-defined]
        probabilities=probabilities,
        next_states=next_states,
        ends=ends,
        turn_rewards=np.zeros(shape),
        outcome_rewards=successes.astype(np.float64),
        successes=successes,
        observations=np.arange(states),
        observation_keys=tuple(_factors(env, state) for state in range(states)),
        silence=np.zeros(states),
        horizon=horizon,
    )


def _factors(env: gymnasium.Env[int, int], state: int) -> tuple[int, ...]:
    """What a state's number is made of: Taxi's row, column, passenger and destination; else row and column."""
    task: Any = env.unwrapped
    if hasattr(task, "decode"):
        return tuple(int(part) for part in task.decode(state))
    columns = task.ncol if hasattr(task, "ncol") else task.shape[1]
    return divmod(state, int(columns))


def _every_branch(transitions: Transitions) -> list[tuple[int, float, int, float, bool]]:
    return [
        (int(state), float(probability), int(after), float(reward), bool(ends))
        for state, actions in transitions.items()
        for branches in actions.values()
        for probability, after, reward, ends in branches
    ]
