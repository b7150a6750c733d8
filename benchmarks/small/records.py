"""The records of a comparison of small policies: what was done, and the learning curve that came of it."""

from __future__ import annotations

import json
from hashlib import blake2b
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from benchmarks.harness.methods import Method
from benchmarks.harness.rows import JsonLines, Record
from benchmarks.harness.settings import DERIVED
from turnenv.evaluation.provenance import Provenance

SCHEMA = 1


class Settings(Record):
    """What all runs of a comparison share: options of `python -m benchmarks small`, with their help."""

    policy: Literal["mlp", "tabular"] = Field(
        default="tabular", description="one logit per observation and action (tabular), or a small torch network (mlp)"
    )
    policy_kwargs: Annotated[dict[str, Any], DERIVED] = Field(
        default_factory=dict, description="the policy's own options"
    )
    env: str = Field(default="CreditChain-easy", description="environment id; turnenv/ and -v0 may be left out")
    env_kwargs: dict[str, Any] = Field(default_factory=dict, description="arguments of the environment")
    tasks: int = Field(default=1, gt=0, description="tasks 0 … N-1 are played, evenly")
    steps: int = Field(default=100, gt=0, description="updates of the policy")
    groups: int = Field(default=4, gt=0, description="groups per step, each of one task and one noise")
    group_size: int = Field(default=8, gt=0, description="episodes per group")
    eval_every: int = Field(default=1, gt=0, description="steps between two points of the curve")


class Run(Record):
    """Training by one method with one learning rate from one seed.

    Attributes:
        settings: what it shares with the other runs.
        method: the estimator and its options.
        learning_rate: of the policy.
        seed: draws tasks, noise, actions and the first weights; equal seeds make runs of two methods a pair.
    """

    settings: Settings
    method: Method
    learning_rate: float = Field(gt=0.0)
    seed: int = Field(ge=0)

    @property
    def run_id(self) -> str:
        """Readable, and a hash of everything that decides the result: equal runs, equal ids."""
        everything = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        digest = blake2b(everything.encode(), digest_size=5).hexdigest()
        return f"{self.method.name}-seed{self.seed}-{digest}"

    @property
    def title(self) -> str:
        """What the progress bar calls it."""
        return f"{self.method.label} lr {self.learning_rate:g} seed {self.seed}"


class Row(Record):
    """A finished run. The curve has one value per point, the first before any training.

    Attributes:
        schema_version: of this record.
        run_id: `run.run_id`.
        run: what was done.
        episodes: episodes played before each point.
        turns: turns of the environment played before each point.
        success: exact chance of success of the policy at each point (no evaluation episodes, no noise).
        provenance: where, when and with which code.
    """

    schema_version: int = SCHEMA
    run_id: str
    run: Run
    episodes: tuple[int, ...]
    turns: tuple[int, ...]
    success: tuple[float, ...]
    provenance: Provenance

    def episodes_to(self, threshold: float) -> int | None:
        """Episodes before the first point whose success reaches the threshold; None if none does."""
        for episodes, success in zip(self.episodes, self.success, strict=True):
            if success >= threshold:
                return episodes
        return None

    @property
    def final_success(self) -> float:
        """The curve's last point."""
        return self.success[-1]

    @property
    def mean_success(self) -> float:
        """The mean of the curve's points: high if the policy learns fast and well."""
        return float(np.mean(self.success))


class RowFile(JsonLines[Row]):
    """The rows of a comparison of small policies."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, Row, SCHEMA)
