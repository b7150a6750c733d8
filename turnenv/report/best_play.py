"""What each action of an episode cost against the best player, where `turnenv.exact` solves the environment."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import gymnasium
import numpy as np

from turnenv.core import Reply, TextEnv
from turnenv.core.state_keys import hash_state
from turnenv.exact import Floats, TabularModel, optimal, tabular_model
from turnenv.exact.branching import branches
from turnenv.types import Episode

_MOST_STATES = 1_000
_MOST_TASKS = 24
_PARTS = ("action_texts", "observation_key")


def costs(episodes: Sequence[Episode]) -> list[list[float] | None]:
    """Per episode `Q*(state, action) - V*(state)` of each turn, at most 0; None where it is not known.

    The best player knows the state. The environment is made by its id alone: an episode whose replay passes other
    states than it recorded, because it was played with other arguments, has none. At most 24 tasks are solved.

    Args:
        episodes: of any environments.
    """
    solved: dict[tuple[str, int], _Solved | None] = {}
    found: list[list[float] | None] = []
    for episode in episodes:
        key = episode.env_id, episode.task
        if key not in solved and len(solved) < _MOST_TASKS:
            solved[key] = _solve(*key)
        here = solved.get(key)
        found.append(None if here is None or episode.faulted else here.costs(episode))
    return found


class _Solved:
    """A task of an environment, and its optimal values."""

    def __init__(self, env: TextEnv[Any], model: TabularModel) -> None:
        self._env, self._index = env, model.index
        self._values_HS: Floats = optimal(model, "shaped").v

    def costs(self, episode: Episode) -> list[float] | None:
        """Replay an episode; None if it passes other states than those recorded."""
        self._env.reset(seed=episode.seed, options={"task": episode.task})
        found = []
        for number, turn in enumerate(episode.turns):
            state = self._env.snapshot().state
            key = self._env.state_key(state)
            if hash_state(key) != turn.state_key or key not in self._index or number >= len(self._values_HS) - 1:
                return None
            value = self._value_of(state, turn.action, number)
            if value is None:
                return None
            found.append(min(0.0, value - float(self._values_HS[number, self._index[key]])))
            self._env.step(turn.action)
        return found

    def _value_of(self, state: Any, action: str, number: int) -> float | None:
        def take(rng: np.random.Generator) -> tuple[Any, Reply]:
            after = copy.deepcopy(state)
            return after, self._env.respond(after, action, rng)

        total = 0.0
        for probability, (after, reply) in branches(take):
            paid = float(sum(reply.rewards.values()))
            if reply.outcome is not None:
                paid += float(sum(reply.outcome.components.values()))
            else:
                key = self._env.state_key(after)
                if key not in self._index:
                    return None
                paid += float(self._values_HS[number + 1, self._index[key]])
            total += probability * paid
        return total


@lru_cache(maxsize=_MOST_TASKS)
def _solve(env_id: str, task: int) -> _Solved | None:
    """A task's optimal values; None if the id is not known here, or it is too large or not enumerable."""
    if env_id not in gymnasium.registry:
        return None
    env = gymnasium.make(env_id).unwrapped
    if not isinstance(env, TextEnv) or not all(hasattr(env, part) for part in _PARTS):
        return None
    try:
        return _Solved(env, tabular_model(env, (task,), max_states=_MOST_STATES))  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
