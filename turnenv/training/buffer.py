"""Resuming where TRL does not: in the middle of a batch that is trained on more than once, and of a later epoch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import send_to_device
from datasets import Dataset
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR
from trl import GRPOTrainer

from turnenv.atomic import replacing

_ROUNDING = 1e-6
Batches = Sequence[dict[str, Any]]


def save_batch(folder: Path, rank: int, micro_step: int, batches: Batches) -> None:
    """Write this process's part of the batch, whole or not at all.

    Args:
        folder: the checkpoint's.
        rank: of the process.
        micro_step: how many forward and backward passes came before.
        batches: what is trained on in turn.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = _path(folder, rank)
    with replacing(path) as partial:
        torch.save({"micro_step": micro_step, "batches": list(batches)}, partial)


def load_batch(folder: Path, rank: int) -> tuple[int, Batches] | None:
    """What `save_batch` wrote; None if the checkpoint falls between two batches."""
    path = _path(folder, rank)
    if not path.exists():
        return None
    saved = torch.load(path, map_location="cpu", weights_only=True)
    return int(saved["micro_step"]), saved["batches"]


def _path(folder: Path, rank: int) -> Path:
    return folder / f"batch_{rank}.pt"


class MidBatchTrainer(GRPOTrainer):  # type: ignore[misc]
    """TRL's trainer, which resumes from the middle of a batch or of an epoch as if it had not stopped."""

    _order: Any = None

    def _get_train_sampler(self, dataset: Dataset | None = None) -> Any:
        self._order = super()._get_train_sampler(dataset)
        return self._order

    def _save_checkpoint(self, model: torch.nn.Module, trial: Any) -> None:
        super()._save_checkpoint(model, trial)
        if self._step % (self.args.steps_per_generation * self.num_iterations) and self._buffered_inputs:
            folder = Path(self._get_output_dir(trial=trial)) / f"{PREFIX_CHECKPOINT_DIR}-{self.state.global_step}"
            save_batch(folder, self.accelerator.process_index, self._step, self._buffered_inputs)

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        super()._load_optimizer_and_scheduler(checkpoint)
        if checkpoint is not None:
            self._pass_over(math.floor((self.state.epoch or 0.0) + _ROUNDING))
        saved = None if checkpoint is None else load_batch(Path(checkpoint), self.accelerator.process_index)
        if saved is not None:
            self._step, batches = saved
            self._buffered_inputs = send_to_device(batches, self.accelerator.device)

    def _pass_over(self, epochs: int) -> None:
        """Draw the orders of epochs that are done, as a run that did not stop has."""
        if self._order is not None and self._order.shuffle:
            for _ in range(epochs):
                torch.randperm(self._order.num_samples, generator=self._order.generator)
