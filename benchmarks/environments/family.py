"""A family of environments as its pages know it: its ids, their states, and what its agents scored."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import gymnasium

from benchmarks.environments.scripted_scores import AgentName, Range, Score
from turnenv import TextEnv
from turnenv.exact import tabular_model

Scores = Mapping[tuple[str, AgentName], Score]

LAST_HEADERS = ("turns at most", "expert succeeds", "random succeeds", "exact values")
"""The last columns of both the list of ids and a family's own table of them."""

_MOST_STATES = 20_000
_MOST_ACTIONS = 50
"""Beyond either, an id is not enumerated: it would take minutes."""


@dataclass(frozen=True)
class Family:
    """A family: its name, and its ids with the default one first."""

    name: str
    ids: tuple[str, ...]

    @cached_property
    def envs(self) -> tuple[TextEnv[Any], ...]:
        """An environment of each id."""
        made = [gymnasium.make(env_id).unwrapped for env_id in self.ids]
        return tuple(env for env in made if isinstance(env, TextEnv))

    @cached_property
    def states(self) -> tuple[int | None, ...]:
        """States of task 0 of each id; None if it cannot be enumerated."""
        return tuple(map(_states, self.envs))

    @property
    def summary(self) -> str:
        """The task in one sentence: the module's docstring after its colon."""
        told = (sys.modules[type(self.envs[0]).__module__].__doc__ or "").partition(": ")[2].strip()
        return told[0].upper() + told[1:]


def rates(env_id: str, scores: Scores) -> list[str]:
    """How often the expert and the random agent succeed, in percent."""
    rows = [scores[env_id, "expert"], scores[env_id, "random"]]
    return [f"{100 * row.successes / row.seeds:.1f} %" for row in rows]


def merged_ranges(rows: Iterable[Mapping[str, Range]]) -> dict[str, Range]:
    """The least and the most of each component over all rows."""
    merged: dict[str, Range] = {}
    for row in rows:
        for name, (low, high) in row.items():
            known = merged.get(name, (low, high))
            merged[name] = min(known[0], low), max(known[1], high)
    return merged


def _states(env: TextEnv[Any]) -> int | None:
    solvable: Any = env
    if not hasattr(env, "action_texts") or len(solvable.action_texts) > _MOST_ACTIONS:
        return None
    try:
        return len(tabular_model(solvable, (0,), max_states=_MOST_STATES).keys)
    except ValueError:
        return None
