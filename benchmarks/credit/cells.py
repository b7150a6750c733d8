"""One setting of the lab as data, and what is computed from it once: the model, the starting policy, the tasks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from turnenv.exact import Enumerable, Floats, TabularModel, optimal, tabular_model


class Cell(BaseModel):
    """One setting: an environment, a policy at which estimators are measured, and how they are trained from it.

    Attributes:
        env: id of an environment that `turnenv.exact` can enumerate.
        env_kwargs: its arguments.
        tasks: tasks in the training set; all members of a group play the same one.
        group_size: G, episodes of a task.
        groups: P, groups in a batch.
        right: probability of the best action in the policy that is measured; None for the uniform policy.
        spread: standard deviation of the noise on that policy's logits.
        start_right: as `right`, for the policy that training starts from.
        threshold: success probability at which training counts as done.
        budget: turns that a training run may spend; 0 for a cell without training.
        keep_going: train until the budget is spent even when the threshold is reached, so that a later fall is seen.
        facets: what reports sort by, e.g. `{"length": 8, "mode": "aligned"}`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    env: str = "turnenv/CreditChain-v0"
    env_kwargs: dict[str, Any] = Field(default_factory=dict)
    tasks: int = Field(default=1, gt=0)
    group_size: int = Field(default=8, gt=1)
    groups: int = Field(default=4, gt=0)
    right: float | None = 0.5
    spread: float = Field(default=0.5, ge=0.0)
    start_right: float | None = None
    threshold: float = Field(default=0.9, gt=0.0, lt=1.0)
    budget: int = Field(default=0, ge=0)
    keep_going: bool = False
    facets: dict[str, int | float | str] = Field(default_factory=dict)

    @property
    def cell_id(self) -> str:
        """A hash of everything that decides the cell's results."""
        everything = json.dumps(self.model_dump(mode="json", exclude={"facets"}), sort_keys=True)
        return blake2b(everything.encode(), digest_size=5).hexdigest()

    @property
    def episodes(self) -> int:
        """Episodes in a batch, P·G."""
        return self.groups * self.group_size


@dataclass(frozen=True, eq=False)
class Problem:
    """A cell made ready: what the environment does, and the policies.

    Attributes:
        cell: the setting.
        model: the environment as arrays; S states, O observations, A actions, H turns.
    """

    cell: Cell
    model: TabularModel

    @classmethod
    def of(cls, cell: Cell) -> Problem:
        """Enumerate the cell's environment.

        Raises:
            TypeError: if the environment cannot be enumerated.
        """
        return cls(cell, tabular_model(_environment(cell.env, cell.env_kwargs), range(cell.tasks)))

    @property
    def shape(self) -> tuple[int, int]:
        """(O, A), the shape of a policy table."""
        return len(self.model.observation_keys), len(self.model.actions)

    @cached_property
    def measured_logits(self) -> Floats:
        """Logits (O, A) of the policy at which estimators are measured."""
        return self._logits(self.cell.right, self.cell.spread)

    @cached_property
    def start_logits(self) -> Floats:
        """Logits (O, A) of the policy that training starts from."""
        return self._logits(self.cell.start_right, 0.0)

    def starts(self, groups: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """A first state for each group, int (groups,)."""
        return rng.choice(len(self.model.keys), size=groups, p=self.model.start)

    def _logits(self, right: float | None, spread: float) -> Floats:
        """The best action has probability `right` wherever one action is best, and noise of that spread is added."""
        noise = np.random.default_rng(0).normal(scale=spread, size=self.shape) if spread else np.zeros(self.shape)
        if right is None:
            return noise
        q_OA = self._worth()
        ranked_OA = np.sort(q_OA, axis=1)
        unique_O = ranked_OA[:, -1] > ranked_OA[:, -2] + 1e-9
        lift = np.log(right * (self.shape[1] - 1) / (1.0 - right))
        best_OA = np.eye(self.shape[1])[q_OA.argmax(1)] * unique_O[:, None]
        return np.asarray(noise + lift * best_OA)

    def _worth(self) -> Floats:
        """The optimum's Q of each action, (O, A), at the first turn.

        Where detours cost nothing all actions tie there; then it is the mean over turns, which prefers the short way.
        """
        q_TSA = optimal(self.model).q
        q_OA = np.zeros(self.shape)
        np.add.at(q_OA, self.model.observations, q_TSA[0])
        if np.ptp(q_OA, axis=1).max() < 1e-9:
            np.add.at(q_OA, self.model.observations, q_TSA.mean(0))
        return q_OA


def _environment(env_id: str, kwargs: Mapping[str, Any]) -> Enumerable:
    import gymnasium

    import turnenv  # noqa: F401  (registers the ids)

    return cast(Enumerable, gymnasium.make(env_id, **kwargs).unwrapped)
