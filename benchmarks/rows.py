"""Rows: one JSON line a finished run, and a file of them that a kill at any instant neither loses nor doubles."""

from __future__ import annotations

import json
import os
from hashlib import blake2b
from pathlib import Path
from typing import Any

from filelock import FileLock
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from benchmarks.methods import Method

SCHEMA = 1


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class Evaluation(_Frozen):
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


class Settings(_Frozen):
    """What all runs of a comparison share; two rows may be compared only if their settings are equal.

    Attributes:
        env: environment id, as `gym.make` takes it.
        env_kwargs: its arguments in training.
        eval_kwargs: its arguments on the held-out tasks.
        model: folder or hub name of the policy at the start.
        model_hash: what the folder held, or which revision of the hub's it was.
        steps: optimizer steps.
        groups: tasks a step.
        num_generations: episodes a task, i.e. the size of a group.
        learning_rate: AdamW's, constant.
        temperature: of sampling, in training and in evaluation.
        max_turn_tokens: tokens that the policy may write in one turn.
        eval_episodes: held-out episodes before and after training.
        eval_batch: how many of them are played at a time.
        eval_every: steps between further evaluations on the way; 0 for none.
        trainer_kwargs: further fields of `TurnGRPOConfig`.
        device: "cpu" or "cuda".
    """

    env: str
    env_kwargs: dict[str, Any] = Field(default_factory=dict)
    eval_kwargs: dict[str, Any] = Field(default_factory=dict)
    model: str
    model_hash: str
    steps: int = Field(gt=0)
    groups: int = Field(gt=0)
    num_generations: int = Field(gt=1)
    learning_rate: float = Field(gt=0)
    temperature: float = Field(gt=0)
    max_turn_tokens: int = Field(gt=0)
    eval_episodes: int = Field(gt=0)
    eval_batch: int = Field(gt=0)
    eval_every: int = Field(ge=0)
    trainer_kwargs: dict[str, Any] = Field(default_factory=dict)
    device: str


class Run(_Frozen):
    """One thing to do: train by a method from a seed, or (without a method) evaluate the start of that seed."""

    settings: Settings
    method: Method | None
    seed: int

    @property
    def run_id(self) -> str:
        """Readable, and a hash of everything that decides the result: equal runs, equal ids."""
        everything = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        digest = blake2b(everything.encode(), digest_size=5).hexdigest()
        return f"{'start' if self.method is None else self.method.name}-seed{self.seed}-{digest}"

    @property
    def title(self) -> str:
        """What progress bars call it."""
        return f"{'start' if self.method is None else self.method.label} seed {self.seed}"


class Spent(_Frozen):
    """What a run took; zeros for training where nothing was trained.

    Attributes:
        episodes: training episodes.
        env_turns: turns taken in them.
        sampled_tokens: tokens the policy wrote in them.
        train_seconds: wall time of training.
        eval_seconds: wall time of the evaluations.
        seconds: wall time of the process, imports included.
    """

    episodes: int = 0
    env_turns: int = 0
    sampled_tokens: int = 0
    train_seconds: float = 0.0
    eval_seconds: float = 0.0
    seconds: float = 0.0


class Checkpoint(_Frozen):
    """A held-out evaluation on the way."""

    step: int
    evaluation: Evaluation


class Row(_Frozen):
    """A finished run with all that is needed to repeat it and to report it.

    Attributes:
        schema_version: of this record.
        run_id: `run.run_id`.
        run: what was done.
        env_spec: Gymnasium's own description of the training environment, as JSON.
        evaluation: after training; of the untrained policy in a start row.
        checkpoints: evaluations on the way.
        curve: column → one value a logged step, on *training* tasks; the trainer's metrics by their own names.
        spent: what it took.
        trainer_arguments: every field of the trainer's configuration.
        provenance: versions, commit, hardware, command, start and end.
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
    provenance: dict[str, Any]


class RowFile:
    """`rows.jsonl` of a folder.

    A row is appended in one write under a lock, flushed to the disk before the lock goes, and never rewritten. A kill
    can leave at most a torn last line: readers pass over it, the next append cuts it off. A run id that is already
    there is not written again, whoever finished second.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "rows.jsonl"
        self._lock = FileLock(folder / ".rows.lock")

    def read(self) -> list[Row]:
        """Every whole row, oldest first; none if there is no file.

        Raises:
            ValueError: if a whole line is no row of this schema; the message says which line and why.
        """
        if not self.path.exists():
            return []
        content = self.path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        return [self._parse(number, line) for number, line in enumerate(whole.splitlines(), 1) if line.strip()]

    def append(self, row: Row) -> bool:
        """Add a row; False if its run id is there already."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self._lock, self.path.open("a+b") as file:
            file.seek(0)
            content = file.read()
            file.truncate(content.rfind(b"\n") + 1)
            if any(known.run_id == row.run_id for known in self.read()):
                return False
            file.write(row.model_dump_json().encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        return True

    def _parse(self, number: int, line: bytes) -> Row:
        try:
            version = json.loads(line).get("schema_version")
            if version != SCHEMA:
                raise ValueError(f"schema version {version}, this code reads {SCHEMA}")
            return Row.model_validate_json(line)
        except (ValidationError, ValueError, AttributeError) as error:
            raise ValueError(f"{self.path}, line {number} is no row: {error}. Report from another --out.") from error


def differences(old: Settings, new: Settings) -> list[str]:
    """One line for every setting that differs, old value first."""
    before, after = old.model_dump(mode="json"), new.model_dump(mode="json")
    return [f"{name}: {before[name]!r} there, {after[name]!r} now" for name in after if before[name] != after[name]]
