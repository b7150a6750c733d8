"""Run by test_training_distributed.py under a launcher: three steps of one group spread over both processes.

With a method that begins with "fsdp", the policy is sharded (FSDP2), as `accelerate launch` would have it on GPUs.
"""

from __future__ import annotations

import os
import sys
import warnings
from functools import partial
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator, PartialState
from accelerate.utils import DistributedType, FullyShardedDataParallelPlugin, gather_object
from key_world import AlwaysBroken, KeyEnv, Recorder, config, tiny_model, word_tokenizer
from torch.distributed.tensor import DTensor

from turnenv import Reply
from turnenv.training import TurnGRPOTrainer

warnings.filterwarnings("ignore", category=FutureWarning)
METHODS: dict[str, dict[str, Any]] = {
    "grpo": {"credit": "mt_grpo"},
    "probe": {"credit": "turn_gae", "critic": "probe"},
    "model": {"credit": "turn_gae", "critic": "model", "critic_kwargs": {"learning_rate": 1e-3}},
    "rank_of_faults": {"credit": "turn_gae", "critic": "model", "critic_kwargs": {"learning_rate": 1e-3}},
    # A key's bias has gradient 0, but for rounding, which differs between one process and two; with Adam's usual eps of
    # 1e-8 it would still take steps of the size of the learning rate.
    "fsdp": {"credit": "mt_grpo", "adam_epsilon": 1e-5},
    "fsdp_probe": {"credit": "turn_gae", "critic": "probe"},
    "fsdp_rank_of_faults": {"credit": "turn_gae", "critic": "probe"},
}
Batch = dict[str, list[Any]]


class Lasting(KeyEnv):
    """Ends at its last turn alone, so that the episodes of one process are longer than all of the other's."""

    def respond(self, state: dict[str, Any], action: str, rng: Any) -> Reply:
        said = str(state["digit"]) in action.split()
        state["turn"] += 1
        if state["turn"] == self.max_turns:
            return Reply.final(".", {"right": said}, outcome={"last": float(said)}, success=said)
        return Reply.turn(f"obs {state['digit']}", {"right": float(said)})


def make(folder: Path, method: str, rows: int, env: Any = KeyEnv, **changes: Any) -> Recorder:
    """The trainer of a method; `rows` episodes per process make one group."""
    args = config(
        folder, per_device_train_batch_size=rows, num_generations=16, max_steps=3, **METHODS[method], **changes
    )
    if method.startswith("fsdp") and int(os.environ.get("WORLD_SIZE", 1)) > 1:
        shard()
    return Recorder(tiny_model(), env, args, processing_class=word_tokenizer())


def shard() -> None:
    """Turn FSDP2 on, which accelerate does on accelerators alone."""
    state = Accelerator(cpu=True).state
    state.fsdp_plugin = FullyShardedDataParallelPlugin(
        fsdp_version=2,
        auto_wrap_policy="transformer_based_wrap",
        transformer_cls_names_to_wrap=["Qwen2DecoderLayer"],
        state_dict_type="FULL_STATE_DICT",
        cpu_ram_efficient_loading=False,
    )
    state.distributed_type = PartialState().distributed_type = DistributedType.FSDP


def whole(parameter: torch.Tensor) -> torch.Tensor:
    """A parameter of which every process may hold a part."""
    return parameter.full_tensor() if isinstance(parameter, DTensor) else parameter


def state_of(trainer: Recorder) -> dict[str, Any]:
    """The weights of the policy, and what the critic has learned."""
    critic = trainer._critic
    policy = [whole(p.detach()).clone() for p in trainer.accelerator.unwrap_model(trainer.model).parameters()]
    return {"policy": policy, "critic": None if critic is None else critic.state_dict()}


def env_of(method: str) -> Any:
    """What this process plays."""
    if os.environ["RANK"] == "1" and method.endswith("rank_of_faults"):
        return AlwaysBroken
    return partial(Lasting, max_turns=(3, 7)[int(os.environ["RANK"])]) if method.startswith("fsdp") else KeyEnv


def main(folder: Path, method: str) -> None:
    trainer = make(folder, method, 8, env_of(method), ddp_backend="gloo")
    played: list[Batch] = []
    play = trainer.rollout_func

    def remember(prompts: Any, trainer: TurnGRPOTrainer) -> Batch:
        batch: Batch = play(prompts, trainer)
        rows = gather_object([dict(zip(batch, row, strict=True)) for row in zip(*batch.values(), strict=True)])
        played.append({name: [row[name] for row in rows] for name in batch})
        return batch

    trainer.rollout_func = remember
    trainer.train()
    assert method.startswith("fsdp") == any(isinstance(p, DTensor) for p in trainer.model.parameters())
    state = state_of(trainer)
    if trainer.accelerator.is_main_process:
        advantages = [output["advantages"] for _, output in trainer.recorded]
        torch.save({"played": played, "advantages": advantages, **state}, folder / f"{method}.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
