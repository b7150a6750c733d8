"""Sharded models: their parameters are gathered once for a batch of episodes, so that no process waits for another.

In each forward pass of a sharded model all processes take part, but episodes differ in length, and so does the number
of forward passes: the process that is done first would leave the others waiting forever.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn
from torch.distributed.fsdp import FSDPModule, FullyShardedDataParallel


@contextmanager
def gathered(model: nn.Module) -> Iterator[None]:
    """While open, each process holds all parameters of a model that `fully_shard` (FSDP2) sharded.

    Every process has to open it, equally often. Other models stay as they are; ZeRO-3's parameters are gathered by
    TRL's `unwrap_model_for_generation`.

    Raises:
        ValueError: if the model is sharded by FSDP1.
    """
    if any(isinstance(module, FullyShardedDataParallel) for module in model.modules()):
        raise ValueError(
            "the model is sharded by FSDP1, under which processes whose episodes differ in length wait for each other "
            "forever: use FSDP2 (fsdp_version: 2 in accelerate's configuration)"
        )
    sharded = [module for module in model.modules() if isinstance(module, FSDPModule)]
    resharding = [_reshards_after_forward(module) for module in sharded]
    for module in sharded:
        module.set_reshard_after_forward(False, recurse=False)
        module.unshard()
    try:
        yield
    finally:
        for module, again in zip(sharded, resharding, strict=True):
            module.set_reshard_after_forward(again, recurse=False)
            module.reshard()


def _reshards_after_forward(module: FSDPModule) -> bool:
    # PyTorch sets this and does not tell it.
    state = module._get_fsdp_state()
    groups = getattr(state, "_fsdp_param_groups", None) or [getattr(state, "_fsdp_param_group", None)]
    return any(group is not None and group.post_forward_mesh_info is not None for group in groups)
