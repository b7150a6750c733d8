"""Training of which only the steps count: on the CPU, without files or anything on stdout."""

from __future__ import annotations

from typing import Any

from transformers import PrinterCallback

from turnenv.training import TurnGRPOConfig, TurnGRPOTrainer


def quiet_config(folder: str, *, rows: int, steps: int, **fields: Any) -> TurnGRPOConfig:
    """Steps of `rows` episodes in groups of 8; `fields` are other fields of the configuration."""
    return TurnGRPOConfig(
        output_dir=folder,
        use_cpu=True,
        per_device_train_batch_size=rows,
        num_generations=8,
        max_steps=steps,
        gradient_checkpointing=False,
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
        log_level="error",
        **fields,
    )


def train_quietly(trainer: TurnGRPOTrainer) -> None:
    """Train, and print nothing on stdout, where it would be part of the answer."""
    trainer.remove_callback(PrinterCallback)
    trainer.train()
