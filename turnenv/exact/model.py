"""An environment small enough to enumerate, as arrays, made by calling its rules for every state, action and draw.

Axes: S states, A actions, N the most branches of an action, H turns (the horizon), O observations.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from turnenv.core import Reply
from turnenv.exact.branching import branches

Floats = NDArray[np.float64]


class Enumerable(Protocol):
    """A `TextEnv` with few states, draws that can be enumerated (`turnenv.exact.branching`), and a list of actions.

    Attributes:
        max_turns: the horizon H.
        action_texts: the A actions that can lead to different results.
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
        """What the agent can distinguish, hashable; the state's key where it sees everything that matters."""

    def silence(self, state: Any) -> Mapping[str, float]:
        """As `TextEnv.silence`."""


@dataclass(frozen=True, eq=False)
class TabularModel:
    """An environment's rules as arrays.

    Attributes:
        keys: the environment's `state_key` of each state, (S,).
        actions: the texts of the actions, (A,).
        start: distribution of the first state, (S,).
        probabilities: of a branch, (S, A, N); they sum to 1 over N, or to 0 in a state first reached after turn H.
        next_states: where a branch leads, int (S, A, N); 0 where it ends the episode or does not exist.
        ends: True where a branch ends the episode, bool (S, A, N).
        turn_rewards: of a branch, (S, A, N).
        outcome_rewards: of a branch that ends the episode, (S, A, N); 0 for other branches.
        successes: True where a branch ends the episode with success, bool (S, A, N).
        observations: the number of the observation that the agent sees in a state, 0 … O - 1, int (S,).
        observation_keys: the environment's `observation_key` of each observation, (O,).
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
    observation_keys: tuple[object, ...]
    silence: Floats
    horizon: int

    @property
    def index(self) -> dict[object, int]:
        """From a state's key to its number."""
        return {key: number for number, key in enumerate(self.keys)}


_Branch = tuple[object, float, float, bool]
"""The next state's key (None if the episode ends), turn reward, outcome reward, success."""
_Rows = Mapping[object, Sequence[Mapping[_Branch, float]]]
"""For a state's key and each action, the branches and their probabilities."""


def tabular_model(env: Enumerable, tasks: Iterable[int] = (0,), *, max_states: int = 100_000) -> TabularModel:
    """Enumerate an environment by calling its own `start` and `respond`, so that no copy of its rules is needed.

    Args:
        env: the environment, unwrapped.
        tasks: the tasks that an episode may play, equally likely.
        max_states: the most states that are enumerated.

    Raises:
        ValueError: if there are more than `max_states` states, or no task.
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
        new: list[object] = []
        for key in frontier:
            table[key] = [_after(env, states, key, action, new) for action in env.action_texts]
        if len(states) > max_states:
            raise ValueError(f"more than {max_states} states: this environment is too large to enumerate")
        frontier = new
    seen: dict[object, int] = {}
    return TabularModel(
        tuple(states),
        tuple(env.action_texts),
        np.array([starts.get(key, 0.0) for key in states]),
        *_as_arrays(table, tuple(states), len(env.action_texts)),
        np.array([seen.setdefault(env.observation_key(state), len(seen)) for state in states.values()], dtype=np.int64),
        tuple(seen),
        np.array([float(sum(env.silence(state).values())) for state in states.values()]),
        env.max_turns,
    )


def _after(
    env: Enumerable, states: dict[object, Any], key: object, action: str, new: list[object]
) -> dict[_Branch, float]:
    """The branches of an action; new states are added to `states`, and their keys to `new`."""

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
                new.append(after)
            branch: _Branch = (after, turn_reward, 0.0, False)
        else:
            branch = (None, turn_reward, outcome.reward, outcome.success)
        found[branch] = found.get(branch, 0.0) + probability
    return found


def _as_arrays(
    table: _Rows, keys: Sequence[object], actions: int
) -> tuple[Floats, NDArray[np.int64], NDArray[np.bool_], Floats, Floats, NDArray[np.bool_]]:
    """The fields of `TabularModel` from `probabilities` to `successes`."""
    number = {key: index for index, key in enumerate(keys)}
    shape = (len(keys), actions, max(len(found) for row in table.values() for found in row))
    probabilities, turn_rewards, outcome_rewards = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    next_states = np.zeros(shape, dtype=np.int64)
    ends, successes = np.zeros(shape, dtype=bool), np.zeros(shape, dtype=bool)
    for key, row in table.items():
        for action, found in enumerate(row):
            for at, ((after, turn_reward, outcome_reward, success), probability) in enumerate(found.items()):
                cell = number[key], action, at
                probabilities[cell], turn_rewards[cell] = probability, turn_reward
                outcome_rewards[cell], successes[cell] = outcome_reward, success
                next_states[cell], ends[cell] = number.get(after, 0), after is None
    return probabilities, next_states, ends, turn_rewards, outcome_rewards, successes


def as_seen(model: TabularModel) -> TabularModel:
    """The model of an agent that sees only observations: its states are the observations of `model`.

    A branch's probability is its mean over the belief, the distribution of the states behind an observation. That is
    exact if an observation determines the belief, however the agent came to it, which is checked.

    Raises:
        ValueError: if the belief at an observation depends on how it was reached.
    """
    belief_S, seen_S = _beliefs(model), model.observations.tolist()
    table: dict[object, list[dict[_Branch, float]]] = {o: [{} for _ in model.actions] for o in set(seen_S)}
    arrivals: dict[tuple[int, int, int], dict[int, float]] = {}
    for state, action, at in np.argwhere(model.probabilities * belief_S[:, None, None] > 0.0).tolist():
        cell, here = (state, action, at), seen_S[state]
        mass, ended, there = belief_S[state] * model.probabilities[cell], model.ends[cell], model.next_states[cell]
        rewards = float(model.turn_rewards[cell]), float(model.outcome_rewards[cell])
        branch: _Branch = (None if ended else seen_S[there], *rewards, bool(model.successes[cell]))
        table[here][action][branch] = table[here][action].get(branch, 0.0) + mass
        if not ended:
            arrived = arrivals.setdefault((here, action, seen_S[there]), {})
            arrived[int(there)] = arrived.get(int(there), 0.0) + mass
    for (here, action, _), arrived in arrivals.items():
        total = sum(arrived.values())
        if any(abs(mass / total - belief_S[state]) > 1e-9 for state, mass in arrived.items()):
            where = f"{model.actions[action]!r} at {model.observation_keys[here]!r}"
            raise ValueError(
                f"what the agent sees after {where} does not sum up what it saw before: observations cannot be states"
            )
    count = len(model.observation_keys)
    return TabularModel(
        model.observation_keys,
        model.actions,
        _summed(model.observations, model.start, count),
        *_as_arrays(table, range(count), len(model.actions)),
        np.arange(count),
        model.observation_keys,
        _summed(model.observations, belief_S * model.silence, count),
        model.horizon,
    )


def _beliefs(model: TabularModel) -> Floats:
    """Probability of each state given its observation, over all turns of an agent that acts uniformly, (S,)."""
    goes_SAN = model.probabilities * ~model.ends / len(model.actions)
    visits_S = total_S = model.start
    for _ in range(model.horizon):
        flow_SAN = visits_S[:, None, None] * goes_SAN
        visits_S = _summed(model.next_states, flow_SAN, len(model.keys))
        total_S = total_S + visits_S
    return np.asarray(total_S / _summed(model.observations, total_S, len(model.observation_keys))[model.observations])


def _summed(numbers: NDArray[np.int64], weights: Floats, count: int) -> Floats:
    """The sum of the weights of each number from 0 to count - 1."""
    return np.bincount(numbers.ravel(), weights.ravel(), minlength=count).astype(np.float64)
