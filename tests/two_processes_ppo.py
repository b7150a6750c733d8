"""Run by test_training_distributed.py under a launcher: three steps of one group spread over both processes."""

from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import gather_object
from key_world import AlwaysBroken, KeyEnv, Recorder, config, tiny_model, word_tokenizer

from turnenv.training import TurnGRPOTrainer

warnings.filterwarnings("ignore", category=FutureWarning)
METHODS: dict[str, dict[str, Any]] = {
    "grpo": {"credit": "mt_grpo"},
    "probe": {"credit": "turn_gae", "critic": "probe"},
    "model": {"credit": "turn_gae", "critic": "model", "critic_kwargs": {"learning_rate": 1e-3}},
    "rank_of_faults": {"credit": "turn_gae", "critic": "model", "critic_kwargs": {"learning_rate": 1e-3}},
}
Batch = dict[str, list[Any]]


def make(folder: Path, method: str, rows: int, env: Any = KeyEnv, **changes: Any) -> Recorder:
    """The trainer of a method; `rows` episodes per process make one group."""
    args = config(
        folder, per_device_train_batch_size=rows, num_generations=16, max_steps=3, **METHODS[method], **changes
    )
    return Recorder(tiny_model(), env, args, processing_class=word_tokenizer())


def state_of(trainer: Recorder) -> dict[str, Any]:
    """The weights of the policy, and what the critic has learned."""
    critic = trainer._critic
    policy = [p.detach().clone() for p in trainer.accelerator.unwrap_model(trainer.model).parameters()]
    return {"policy": policy, "critic": None if critic is None else critic.state_dict()}


def main(folder: Path, method: str) -> None:
    broken = method == "rank_of_faults" and os.environ["RANK"] == "1"
    trainer = make(folder, method, 8, AlwaysBroken if broken else KeyEnv, ddp_backend="gloo")
    played: list[Batch] = []
    play = trainer.rollout_func

    def remember(prompts: Any, trainer: TurnGRPOTrainer) -> Batch:
        batch: Batch = play(prompts, trainer)
        rows = gather_object([dict(zip(batch, row, strict=True)) for row in zip(*batch.values(), strict=True)])
        played.append({name: [row[name] for row in rows] for name in batch})
        return batch

    trainer.rollout_func = remember
    trainer.train()
    if trainer.accelerator.is_main_process:
        advantages = [output["advantages"] for _, output in trainer.recorded]
        torch.save({"played": played, "advantages": advantages, **state_of(trainer)}, folder / f"{method}.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
