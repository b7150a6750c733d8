"""An environment small enough to enumerate, as arrays: its own rules, called once for every state, action and draw.

Axes: S states, A actions, N branches of an action at most, H turns (the horizon).
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from turnenv.branching import branches
from turnenv.core import Reply

Floats = NDArray[np.float64]


class Enumerable(Protocol):
    """A `TextEnv` with few states, draws that can be enumerated (`turnenv.branching`), and its actions told.

    Attributes:
        max_turns: the horizon H.
        action_texts: the A actions that are worth telling apart.
    """

    max_turns: int

    @property
    def action_texts(self) -> Sequence[str]:
        """The actions, as an agent would write them."""

    def start(self, rng: np.random.Generator, options: Mapping[str, Any]) -> tuple[Any, str]:
        """As `TextEnv.start`."""

    def respond(self, state: Any, action: str, rng: np.random.Generator) -> Reply:
        """As `TextEnv.respond`."""

    def state_key(self, state: Any) -> object:
        """As `TextEnv.state_key`, hashable; equal keys must mean equal futures."""

    def observation_key(self, state: Any) -> object:
        """What the agent can tell apart, hashable; the state's key where it sees everything that matters."""

    def silence(self, state: Any) -> Mapping[str, float]:
        """As `TextEnv.silence`."""


@dataclass(frozen=True, eq=False)
class TabularModel:
    """What an environment does, as arrays.

    Attributes:
        keys: the environment's `state_key` of each state, (S,).
        actions: the action's texts, (A,).
        start: distribution of the first state, (S,).
        probabilities: of a branch, (S, A, N); they sum to 1 over N, and to 0 in a state met only after turn H.
        next_states: where a branch leads, int (S, A, N); 0 where it ends the episode or does not exist.
        ends: True where a branch ends the episode, bool (S, A, N).
        turn_rewards: of a branch, (S, A, N).
        outcome_rewards: of a branch that ends the episode, else 0, (S, A, N).
        successes: True where a branch ends the episode with success, bool (S, A, N).
        observations: number of what the agent sees in a state, 0 … O - 1, int (S,).
        silence: the outcome's reward of an episode that is cut in this state after H turns, (S,).
        horizon: H.
    """

    keys: tuple[object, ...]
    actions: tuple[str, ...]
    start: Floats
    probabilities: Floats
    next_states: NDArray[np.int64]
    ends: NDArray[np.bool_]
    turn_rewards: Floats
    outcome_rewards: Floats
    successes: NDArray[np.bool_]
    observations: NDArray[np.int64]
    silence: Floats
    horizon: int

    @property
    def index(self) -> dict[object, int]:
        """From a state's key to its number."""
        return {key: number for number, key in enumerate(self.keys)}


_Branch = tuple[object, float, float, bool]
"""The next state's key (None if the episode ends), turn reward, outcome reward, success."""


def tabular_model(env: Enumerable, tasks: Iterable[int] = (0,), *, max_states: int = 100_000) -> TabularModel:
    """Enumerate an environment by calling its own `start` and `respond`: there is no second copy of its rules.

    Args:
        env: the environment, unwrapped.
        tasks: the tasks an episode may play, each as likely.
        max_states: more states than this are refused.

    Raises:
        ValueError: if there are more than `max_states` states.
        TypeError: if the environment draws in a way that cannot be enumerated, or its keys cannot be hashed.
    """
    starts: dict[object, float] = {}
    states: dict[object, Any] = {}
    tasks = tuple(tasks)
    for task in tasks:
        for probability, (state, _) in branches(lambda rng, task=task: env.start(rng, {"task": task})):  # type: ignore[misc]
            key = env.state_key(state)
            states.setdefault(key, state)
            starts[key] = starts.get(key, 0.0) + probability / len(tasks)
    table: dict[object, list[dict[_Branch, float]]] = {}
    frontier = list(states)
    for _ in range(env.max_turns):
        met: list[object] = []
        for key in frontier:
            table[key] = [_after(env, states, key, action, met) for action in env.action_texts]
        if len(states) > max_states:
            raise ValueError(f"more than {max_states} states: this environment is too large to enumerate")
        frontier = met
    return _as_arrays(env, states, starts, table)


def _after(
    env: Enumerable, states: dict[object, Any], key: object, action: str, met: list[object]
) -> dict[_Branch, float]:
    """The branches of an action; new states are added to `states` and their keys to `met`."""

    def take(rng: np.random.Generator) -> tuple[Any, Reply]:
        state = copy.deepcopy(states[key])
        return state, env.respond(state, action, rng)

    found: dict[_Branch, float] = {}
    for probability, (state, reply) in branches(take):
        turn_reward, outcome = float(sum(reply.rewards.values())), reply.outcome
        if outcome is None:
            after = env.state_key(state)
            if after not in states:
                states[after] = state
                met.append(after)
            branch: _Branch = (after, turn_reward, 0.0, False)
        else:
            branch = (None, turn_reward, outcome.reward, outcome.success)
        found[branch] = found.get(branch, 0.0) + probability
    return found


def _as_arrays(
    env: Enumerable,
    states: dict[object, Any],
    starts: dict[object, float],
    table: dict[object, list[dict[_Branch, float]]],
) -> TabularModel:
    number = {key: index for index, key in enumerate(states)}
    width = max(len(branch) for row in table.values() for branch in row)
    shape = (len(states), len(env.action_texts), width)
    probabilities, turn_rewards, outcome_rewards = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    next_states = np.zeros(shape, dtype=np.int64)
    ends, successes = np.zeros(shape, dtype=bool), np.zeros(shape, dtype=bool)
    for key, row in table.items():
        for action, found in enumerate(row):
            for at, ((after, turn_reward, outcome_reward, success), probability) in enumerate(found.items()):
                cell = number[key], action, at
                probabilities[cell], turn_rewards[cell], outcome_rewards[cell] = (
                    probability,
                    turn_reward,
                    outcome_reward,
                )
                next_states[cell], ends[cell], successes[cell] = number.get(after, 0), after is None, success
    return TabularModel(
        keys=tuple(states),
        actions=tuple(env.action_texts),
        start=np.array([starts.get(key, 0.0) for key in states]),
        probabilities=probabilities,
        next_states=next_states,
        ends=ends,
        turn_rewards=turn_rewards,
        outcome_rewards=outcome_rewards,
        successes=successes,
        observations=_numbered(env.observation_key(state) for state in states.values()),
        silence=np.array([float(sum(env.silence(state).values())) for state in states.values()]),
        horizon=env.max_turns,
    )


def _numbered(keys: Iterable[object]) -> NDArray[np.int64]:
    """Equal keys, equal numbers, from 0 in the order of first sight."""
    numbers: dict[object, int] = {}
    return np.array([numbers.setdefault(key, len(numbers)) for key in keys], dtype=np.int64)
