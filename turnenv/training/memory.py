"""Saves the state that an estimator and a critic keep between batches with the checkpoints, and loads it with them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR, get_last_checkpoint

from turnenv.atomic import replacing
from turnenv.training.critic import Critic

CREDIT_FILE = "credit.json"
CRITIC_FILE = "critic.pt"


@runtime_checkable
class Remembering(Protocol):
    """An estimator with state that it keeps between batches."""

    def remembered(self) -> Mapping[str, Any]:
        """Return the state, as JSON values."""

    def recall(self, remembered: Mapping[str, Any]) -> None:
        """Restore the state that `remembered` returned."""


class Memory(TrainerCallback):
    """Writes the states into each checkpoint, and reads them when training resumes from one.

    Args:
        estimator: an estimator; nothing is saved of one without state.
        critic: a critic, if there is one.

    Attributes:
        resumed_from: the checkpoint that training resumes from.
    """

    def __init__(self, estimator: object, critic: Critic | None = None) -> None:
        self._estimator = estimator if isinstance(estimator, Remembering) else None
        self._critic = critic
        self.resumed_from: Path | None = None

    def resume(self, checkpoint: str | bool | None, output_dir: str | None) -> None:
        """Note what training resumes from: a folder, or True for the last one of `output_dir`."""
        folder = get_last_checkpoint(output_dir) if checkpoint is True else checkpoint  # type: ignore[no-untyped-call]
        self.resumed_from = Path(folder) if isinstance(folder, str) and folder else None

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Write the states next to the weights."""
        if not state.is_world_process_zero:
            return
        folder = Path(str(args.output_dir)) / f"{PREFIX_CHECKPOINT_DIR}-{state.global_step}"
        estimator, critic = self._estimator, self._critic
        if estimator is not None:
            with replacing(folder / CREDIT_FILE) as partial:
                partial.write_text(json.dumps(estimator.remembered()), encoding="utf-8")
        if critic is not None:
            with replacing(folder / CRITIC_FILE) as partial:
                torch.save(critic.state_dict(), partial)

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Read the states, if training resumes from a checkpoint.

        Raises:
            ValueError: if it has no critic, but one is trained here.
        """
        folder = self.resumed_from
        if folder is None or not state.global_step:
            return
        if self._estimator is not None and (folder / CREDIT_FILE).exists():
            self._estimator.recall(json.loads((folder / CREDIT_FILE).read_text(encoding="utf-8")))
        if self._critic is not None:
            if not (folder / CRITIC_FILE).exists():
                raise ValueError(f"{folder} has no {CRITIC_FILE}: it was written by a run without a critic")
            self._critic.load_state_dict(torch.load(folder / CRITIC_FILE, map_location="cpu", weights_only=True))
