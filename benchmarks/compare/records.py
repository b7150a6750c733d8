"""The records of a comparison: what was asked for, what was done, what came of it, and where it comes from."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path
from statistics import fmean, median
from typing import Annotated, Any, Literal

from pydantic import Field

from benchmarks.harness.methods import Method
from benchmarks.harness.rows import JsonLines, Record
from benchmarks.harness.settings import DERIVED
from turnenv.evaluation.provenance import Provenance

SCHEMA = 1


class Evaluation(Record):
    """What is recorded of a group of episodes.

    Attributes:
        episodes: how many the means are over; those that ended in a fault are not among them.
        faults: how many the infrastructure broke.
        env_turns: turns taken, faulted episodes included.
        means: metric → mean, by the names of `turnenv.training.episode_metrics`; empty if every episode faulted.
    """

    episodes: int
    faults: int
    env_turns: int
    means: dict[str, float]


class Settings(Record):
    """What all runs of a comparison share; two rows may be compared only if their settings are equal.

    The fields are the options of `python -m benchmarks compare`, and their descriptions its help. The record has what
    they came to: `eval_kwargs` with everything that evaluation is played with, `device` without "auto".
    """

    env: str = Field(
        default="turnenv/TriviaSearch-v0",
        description="environment id, as gym.make takes it; module:id imports the module first",
    )
    env_kwargs: dict[str, Any] = Field(default_factory=dict, description="arguments of the environment")
    eval_kwargs: dict[str, Any] = Field(
        default_factory=dict,
        description="arguments on the held-out tasks, over --env-kwargs and the suite's (TriviaSearch: split=test)",
    )
    model: str = Field(
        default="agents/nano", description="the policy to start from: a folder or a name on the Hugging Face hub"
    )
    model_hash: Annotated[str, DERIVED] = Field(
        default="", description="what the folder held, or which revision of the hub's it was"
    )
    steps: int = Field(default=120, gt=0, description="optimizer steps; the most of them with --env-turns")
    env_turns: int = Field(
        default=0,
        ge=0,
        description="end training when this many environment turns are played, so that methods with longer episodes "
        "get no more than others; the learning rate falls to 0 by then; 0 for the number of steps",
    )
    groups: int = Field(default=4, gt=0, description="tasks per step")
    num_generations: int = Field(default=8, gt=1, description="episodes per task: the size of a group")
    learning_rate: float = Field(
        default=1e-3, gt=0, description="AdamW's at the first step, falling linearly to 0; an LLM wants 1e-6"
    )
    temperature: float = Field(default=1.0, gt=0, description="of sampling, in training and in evaluation")
    max_turn_tokens: int = Field(default=48, gt=0, description="tokens that the policy may write in one turn")
    eval_episodes: int = Field(
        default=256, gt=0, description="held-out episodes before and after training, for each seed"
    )
    eval_batch: int = Field(default=128, gt=0, description="how many of them are played at a time")
    eval_every: int = Field(
        default=0, ge=0, description="also evaluate each time this many steps have passed; 0 for never"
    )
    trainer_kwargs: dict[str, Any] = Field(default_factory=dict, description="more fields of TurnGRPOConfig")
    device: Literal["auto", "cpu", "cuda"] = Field(
        default="auto", description="what the model runs on; auto takes a GPU if there is one"
    )


class Run(Record):
    """One thing to do: train by a method from a seed, or (without a method) evaluate the start of that seed.

    Attributes:
        settings: what it shares with the other runs.
        method: the estimator and its options; None to evaluate the start.
        seed: of the policy's sampling, the tasks and the noise; equal seeds make runs of two methods a pair.
        code: hash of the file of a user's own estimator; empty for turnenv's.
        learning_rate: the method's own, if one was chosen for it; None for that of the settings.
    """

    settings: Settings
    method: Method | None
    seed: int
    code: str = ""
    learning_rate: float | None = None

    @property
    def rate(self) -> float:
        """The learning rate that it trains with."""
        return self.settings.learning_rate if self.learning_rate is None else self.learning_rate

    @property
    def run_id(self) -> str:
        """Readable, and a hash of everything that decides the result: equal runs, equal ids."""
        unset = {name for name in ("code", "learning_rate") if not getattr(self, name)}
        # A field that is newer than published rows must not change their ids.
        newer = set() if self.settings.env_turns else {"env_turns"}
        everything = self.model_dump(mode="json", exclude={**dict.fromkeys(unset, True), "settings": newer})
        digest = blake2b(json.dumps(everything, sort_keys=True).encode(), digest_size=5).hexdigest()
        # The id names files, and a user's own estimator may be a path.
        name = "start" if self.method is None else re.sub(r"[^\w.-]+", "-", self.method.name)
        return f"{name}-seed{self.seed}-{digest}"

    @property
    def title(self) -> str:
        """What progress bars call it."""
        rate = "" if self.learning_rate is None else f" at {self.learning_rate:g}"
        return f"{'start' if self.method is None else self.method.label} seed {self.seed}{rate}"


class Distribution(Record):
    """How a count is distributed over episodes."""

    mean: float
    min: int
    median: float
    max: int

    @classmethod
    def of(cls, counts: Sequence[int]) -> Distribution | None:
        """Of the counts of some episodes; None of none."""
        if not counts:
            return None
        return cls(mean=fmean(counts), min=min(counts), median=median(counts), max=max(counts))


class Spent(Record):
    """What a run took; zeros for training where nothing was trained, None where it was not recorded.

    Attributes:
        episodes: training episodes, faulted ones and those of dropped groups included.
        env_turns: turns taken in them.
        sampled_tokens: tokens the policy wrote in them.
        read_tokens: tokens of their prompts and observations.
        turns_per_episode: of the training episodes.
        tokens_per_episode: sampled and read, of the training episodes.
        parameters: of the policy.
        trained_parameters: those of them that were trained.
        devices: how many took part in training.
        device_seconds: wall time of training × devices.
        critic_forwards: forward passes of a critic, one per training episode that it read.
        restores: returns to an earlier point of a training episode, to branch from.
        judge_calls: verdicts that judges were asked for in training episodes, stored ones included.
        train_seconds: wall time of training.
        eval_seconds: wall time of the evaluations.
        seconds: wall time of the process, imports included.
    """

    episodes: int = 0
    env_turns: int = 0
    sampled_tokens: int = 0
    read_tokens: int | None = None
    turns_per_episode: Distribution | None = None
    tokens_per_episode: Distribution | None = None
    parameters: int | None = None
    trained_parameters: int | None = None
    devices: int | None = None
    device_seconds: float | None = None
    critic_forwards: int | None = None
    restores: int | None = None
    judge_calls: int | None = None
    train_seconds: float = 0.0
    eval_seconds: float = 0.0
    seconds: float = 0.0


class Checkpoint(Record):
    """A held-out evaluation on the way."""

    step: int
    evaluation: Evaluation


class Row(Record):
    """A finished run with all that is needed to repeat it and to report it.

    Attributes:
        schema_version: of this record.
        run_id: `run.run_id`.
        run: what was done.
        env_spec: Gymnasium's own description of the training environment, as JSON.
        evaluation: after training; of the untrained policy in a start row.
        checkpoints: evaluations on the way.
        curve: column → one value per logged step, on *training* tasks; the trainer's metrics by their own names.
        spent: what it took.
        trainer_arguments: every field of the trainer's configuration.
        provenance: where and when it was done, and with which code.
    """

    schema_version: int = SCHEMA
    run_id: str
    run: Run
    env_spec: str
    evaluation: Evaluation
    checkpoints: tuple[Checkpoint, ...] = ()
    curve: dict[str, list[float | None]] = Field(default_factory=dict)
    spent: Spent
    trainer_arguments: dict[str, Any] = Field(default_factory=dict)
    provenance: Provenance


class RowFile(JsonLines[Row]):
    """The rows of a comparison."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, Row, SCHEMA)


def differences(old: Settings, new: Settings) -> list[str]:
    """One line for every setting that differs, old value first."""
    before, after = old.model_dump(mode="json"), new.model_dump(mode="json")
    return [f"{name}: {before[name]!r} there, {after[name]!r} now" for name in after if before[name] != after[name]]
