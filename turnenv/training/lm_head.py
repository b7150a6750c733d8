"""Spares the LM head the tokens that nobody trains: it is a costly layer, and most tokens are the environment's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any
from unittest.mock import patch

import trl.trainer.utils
from torch import Tensor, nn

_IGNORED = -100


@contextmanager
def only_sampled_tokens(model: nn.Module, sampled: Tensor) -> Iterator[None]:
    """While open, TRL's fused LM head scores sampled tokens only; elsewhere log-probability and entropy are 0.

    The loss masks both there. On a CPU, TRL would score every position, prompt and padding too, since tiles of changing
    shape cost a recompilation on some accelerators; on a CPU they cost nothing.

    Args:
        model: what the loss calls with `labels=`.
        sampled: 1 where the policy sampled the completion's token, int (B, T).
    """

    def ignore_the_rest(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        if "labels" in kwargs:
            kwargs["labels"] = kwargs["labels"].clone()
            kwargs["labels"][:, -sampled.shape[1] :].masked_fill_(sampled == 0, _IGNORED)
        return args, kwargs

    on_cpu = sampled.device.type == "cpu" and hasattr(trl.trainer.utils, "_use_triton")
    compact = patch.object(trl.trainer.utils, "_use_triton", lambda device: True) if on_cpu else nullcontext()
    hook = model.register_forward_pre_hook(ignore_the_rest, with_kwargs=True)
    try:
        with compact:
            yield
    finally:
        hook.remove()
