"""What a small policy plays: an environment by its id, its actions and observations numbered, and its exact model."""

from __future__ import annotations

import difflib
import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from agents.small.toy_text import MAX_STEPS, TurnRewards, toy_model
from turnenv.core import TextEnv, TextVectorEnv
from turnenv.exact import TabularModel, expected_return, optimal, over_states, tabular_model

__all__ = ["World", "factored_one_hot", "make_world"]


@dataclass(frozen=True, eq=False)
class World:
    """An environment with O observations and A actions, both numbered.

    Attributes:
        model: the environment, enumerated over the tasks that are played.
        tasks: numbers of the tasks.
        actions: what `step` takes for action 0 … A - 1: a string, or Gymnasium's number.
        make_batch: makes a vector environment of a given number of episodes.
        seen: from an environment of the batch and its observation to the observation's number.
    """

    model: TabularModel
    tasks: Sequence[int]
    actions: Sequence[Any]
    make_batch: Callable[[int], TextVectorEnv]
    seen: Callable[[Any, Any], int]

    @property
    def shape(self) -> tuple[int, int]:
        """(O, A)."""
        return len(self.model.observation_keys), len(self.actions)

    @property
    def optimum(self) -> float:
        """The highest chance of success of a policy that sees the state and the turn."""
        return float(self.model.start @ optimal(self.model, "success").v[0])

    def success(self, policy: NDArray[np.float64]) -> float:
        """The exact chance of success of a policy (O, A), over the tasks and all draws."""
        return expected_return(self.model, over_states(self.model, policy), "success")


def make_world(env_id: str, kwargs: Mapping[str, Any], tasks: int = 1) -> World:
    """Enumerate an environment and number what its agent sees.

    Args:
        env_id: a solvable turnenv id (CreditChain, GridQuest, BlocksArm), with or without `turnenv/` and `-v0`, or a
            tabular task of Gymnasium (FrozenLake-v1, Taxi-v4, CliffWalking-v1), which gets turn rewards.
        kwargs: the environment's keyword arguments.
        tasks: tasks 0 … tasks - 1 are played; a tabular task of Gymnasium has one.

    Raises:
        ValueError: if the id or an argument is unknown, or the environment cannot be enumerated.
    """
    env_id = _known(env_id)
    if env_id.startswith("turnenv/"):
        return _text_world(env_id, kwargs, range(tasks))
    return _toy_world(env_id, kwargs)


def _known(env_id: str) -> str:
    for name in (env_id, f"turnenv/{env_id}", f"turnenv/{env_id}-v0"):
        if name in gymnasium.registry:
            return name
    close = difflib.get_close_matches(f"turnenv/{env_id.removeprefix('turnenv/')}", gymnasium.registry, n=2)
    close = close or difflib.get_close_matches(env_id, gymnasium.registry, n=2)
    hint = f"did you mean {' or '.join(close)}? " if close else ""
    raise ValueError(
        f"no environment is named {env_id!r}; {hint}small policies play CreditChain, GridQuest, BlocksArm (with -easy, "
        "-hard, …), FrozenLake-v1, Taxi-v4 and CliffWalking-v1"
    )


def _made(env_id: str, kwargs: Mapping[str, Any]) -> gymnasium.Env[Any, Any]:
    try:
        return gymnasium.make(env_id, **kwargs)
    except TypeError as error:
        raise ValueError(f"{env_id} does not take these arguments: {error}") from error


def _text_world(env_id: str, kwargs: Mapping[str, Any], tasks: Sequence[int]) -> World:
    env: Any = _made(env_id, kwargs).unwrapped
    if not hasattr(env, "action_texts") or not hasattr(env, "observation_key"):
        raise ValueError(f"{env_id} does not list its actions and observations (turnenv.exact.model.Enumerable)")
    model = tabular_model(env, tasks)
    index = {key: number for number, key in enumerate(model.observation_keys)}

    def seen(env: Any, observation: str) -> int:
        return index[env.observation_key(env.shown_state)]

    spec = gymnasium.spec(env_id)
    make_one = functools.partial(_showing_state(type(env)), **{**spec.kwargs, **kwargs})
    return World(model, tasks, model.actions, functools.partial(TextVectorEnv, make_one), seen)


def _showing_state(family: type[TextEnv[Any]]) -> type[TextEnv[Any]]:
    """The family with the state of its episode as `shown_state`.

    `start` makes the state and `respond` changes it in place, so that the object from `start` stays the episode's.
    `snapshot().state` has the same content, but copies it, which takes longer than the turn.
    """

    class Showing(family):  # type: ignore[misc, valid-type]
        shown_state: Any

        def start(self, rng: np.random.Generator, options: Mapping[str, Any]) -> tuple[Any, str]:
            self.shown_state, observation = super().start(rng, options)
            return self.shown_state, observation

    return Showing


def _toy_world(env_id: str, kwargs: Mapping[str, Any]) -> World:
    kwargs = {"max_episode_steps": gymnasium.spec(env_id).max_episode_steps or MAX_STEPS.get(env_id, 0), **kwargs}
    if not kwargs["max_episode_steps"]:
        raise ValueError(f"{env_id} has no time limit; pass max_episode_steps among the environment's arguments")
    env = _made(env_id, kwargs)
    if not hasattr(env.unwrapped, "P"):
        raise ValueError(f"{env_id} carries no transition table `P`; FrozenLake, Taxi and CliffWalking do")
    model = toy_model(env, int(kwargs["max_episode_steps"]))
    make_one: Any = functools.partial(_shaped, env_id, kwargs)
    make_batch = functools.partial(TextVectorEnv, make_one)
    return World(model, (0,), range(len(model.actions)), make_batch, lambda env, observation: int(observation))


def _shaped(env_id: str, kwargs: Mapping[str, Any]) -> TurnRewards:
    return TurnRewards(gymnasium.make(env_id, **kwargs))


def factored_one_hot(keys: Sequence[object]) -> NDArray[np.float32]:
    """Observations as numbers: the parts of each key (tuples in tuples, laid flat), one-hot and side by side.

    Args:
        keys: O observation keys.

    Returns:
        Float (O, F), F the count of distinct values summed over parts; a part that never changes is left out.
    """
    rows = [_flat(key) for key in keys]
    width = max(map(len, rows))
    columns = [[row[part] if part < len(row) else None for row in rows] for part in range(width)]
    blocks = []
    for column in columns:
        values = {value: number for number, value in enumerate(dict.fromkeys(column))}
        if len(values) > 1:
            blocks.append(np.eye(len(values), dtype=np.float32)[[values[value] for value in column]])
    return np.concatenate(blocks, axis=1) if blocks else np.ones((len(rows), 1), dtype=np.float32)


def _flat(key: object) -> tuple[object, ...]:
    if not isinstance(key, tuple):
        return (key,)
    return tuple(part for inner in key for part in _flat(inner))
