"""Saves the state that an estimator keeps between batches with the checkpoints, and loads it with them."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR

FILE = "credit.json"


@runtime_checkable
class Remembering(Protocol):
    """An estimator with state that it keeps between batches."""

    def remembered(self) -> Mapping[str, Any]:
        """Return the state, as JSON values."""

    def recall(self, remembered: Mapping[str, Any]) -> None:
        """Restore the state that `remembered` returned."""


class CreditMemory(TrainerCallback):
    """Writes the estimator's state into each checkpoint, and reads it when training resumes from one."""

    def __init__(self, estimator: Remembering) -> None:
        self._estimator = estimator

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Write the state next to the weights."""
        if state.is_world_process_zero:
            path = _path(args, state)
            path.with_suffix(".part").write_text(json.dumps(self._estimator.remembered()), encoding="utf-8")
            os.replace(path.with_suffix(".part"), path)

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Read the state, if training resumes from a checkpoint of this folder."""
        path = _path(args, state)
        if state.global_step and path.exists():
            self._estimator.recall(json.loads(path.read_text(encoding="utf-8")))


def _path(args: TrainingArguments, state: TrainerState) -> Path:
    return Path(str(args.output_dir)) / f"{PREFIX_CHECKPOINT_DIR}-{state.global_step}" / FILE
