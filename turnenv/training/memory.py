"""What an estimator remembers from batch to batch goes into the checkpoints, and comes back with them."""

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
    """An estimator that remembers earlier batches."""

    def remembered(self) -> Mapping[str, Any]:
        """What it remembers, as JSON takes it."""

    def recall(self, remembered: Mapping[str, Any]) -> None:
        """Go on from what was remembered."""


class CreditMemory(TrainerCallback):
    """Writes what the estimator remembers into each checkpoint, and reads it when training goes on from one."""

    def __init__(self, estimator: Remembering) -> None:
        self._estimator = estimator

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Write beside the weights."""
        if state.is_world_process_zero:
            path = _path(args, state)
            path.with_suffix(".part").write_text(json.dumps(self._estimator.remembered()), encoding="utf-8")
            os.replace(path.with_suffix(".part"), path)

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Read, if training goes on from a checkpoint of this folder."""
        path = _path(args, state)
        if state.global_step and path.exists():
            self._estimator.recall(json.loads(path.read_text(encoding="utf-8")))


def _path(args: TrainingArguments, state: TrainerState) -> Path:
    return Path(str(args.output_dir)) / f"{PREFIX_CHECKPOINT_DIR}-{state.global_step}" / FILE
