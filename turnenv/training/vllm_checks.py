"""Which settings vLLM cannot play with, and which are read with vLLM only: each is refused in a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trl import GRPOConfig

from turnenv.credit.options import check_choice
from turnenv.training.settings import OF_VLLM

MODES = ("token_truncate", "token_mask", "sequence_truncate", "sequence_mask")
"""What `vllm_importance_sampling_mode` may be."""


def check_vllm(args: GRPOConfig, defaults: Mapping[str, Any]) -> None:
    """Raise ValueError for settings that contradict `use_vllm`.

    Args:
        args: the configuration.
        defaults: of each of its settings.
    """
    if not args.use_vllm:
        for name in OF_VLLM:
            if getattr(args, name) != defaults[name]:
                raise ValueError(f"{name}={getattr(args, name)!r} would not be read without use_vllm=True")
        return
    if args.top_p < 1.0 or args.top_k > 0:
        raise ValueError(
            f"use_vllm with top_p={args.top_p}, top_k={args.top_k}: vLLM's log-probabilities would be of the "
            "distribution that was cut and the loss's of the whole one, so that the correction would be biased by the "
            "mass that was cut; leave top_p=1 and top_k=0"
        )
    check_choice("vllm_importance_sampling_mode", args.vllm_importance_sampling_mode, MODES)
    if not args.vllm_importance_sampling_correction or not args.vllm_importance_sampling_mode.startswith("sequence"):
        return
    if args.importance_sampling_level == "turn":
        raise ValueError(
            f"vllm_importance_sampling_mode={args.vllm_importance_sampling_mode!r} weighs whole episodes, and "
            "importance_sampling_level='turn' turns: take token_truncate or token_mask, which are of turns then"
        )
    if args.loss_type == "vespo":
        raise ValueError(
            f"vllm_importance_sampling_mode={args.vllm_importance_sampling_mode!r}: loss_type='vespo' weighs by "
            "tokens; take token_truncate or token_mask"
        )
