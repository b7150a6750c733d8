"""Run by test_training_distributed.py under a launcher: one step of one group spread over the processes, saved."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import torch
from accelerate.utils import gather_object
from key_world import KeyEnv, Recorder, config, tiny_model, unpadded, word_tokenizer

warnings.filterwarnings("ignore", category=FutureWarning)


def main(folder: Path) -> None:
    args = config(folder, per_device_train_batch_size=8, num_generations=16, ddp_backend="gloo", credit="mt_grpo")
    trainer = Recorder(tiny_model(), KeyEnv, args, processing_class=word_tokenizer())
    trainer.train()
    rows, output = trainer.recorded[0]
    prompts, completions = unpadded(output)
    local = [
        (prompt, completion, row["turn_of"], row["episode"], advantages.tolist())
        for prompt, completion, row, advantages in zip(prompts, completions, rows, output["advantages"], strict=True)
    ]
    gathered = gather_object(local)
    if trainer.accelerator.is_main_process:
        played = {"rows": gathered, "gradients": trainer.gradients[0], "logged": trainer.state.log_history[0]}
        torch.save(played, folder / "played.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
