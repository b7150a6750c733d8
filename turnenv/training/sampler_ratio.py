"""vLLM's correction by the turn: how likely the trainer finds a turn, against how likely vLLM found it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from turnenv.training.ratio import log_ratios


@dataclass(frozen=True, slots=True)
class SamplerRatio:
    """The weight of each token for having been sampled by vLLM, one per turn.

    Attributes:
        mode: "token_truncate" bounds a ratio, "token_mask" makes it 0 outside the bounds.
        clip_min: lower bound; None is none.
        clip_max: upper bound; None is none.
        reduction: as of `turnenv.training.ratio.log_ratios`.
    """

    mode: str
    clip_min: float | None
    clip_max: float | None
    reduction: str

    def of(self, output: Mapping[str, Any], turn_of_BT: Tensor) -> Tensor:
        """The ratio of each turn of TRL's batch, on all of its tokens, float (B, T); 1 where nothing was sampled."""
        mask_BT = output["completion_mask"] * output["tool_mask"]
        # vLLM says NaN of a token that it cannot score, which then corrects nothing.
        difference_BT = torch.nan_to_num(output["old_per_token_logps"] - output["sampling_per_token_logps"], nan=0.0)
        ratio_BT = log_ratios(difference_BT, mask_BT, turn_of_BT, "turn", self.reduction).exp()
        if self.mode == "token_truncate":
            return ratio_BT.clamp(self.clip_min, self.clip_max)
        low = -math.inf if self.clip_min is None else self.clip_min
        high = math.inf if self.clip_max is None else self.clip_max
        return torch.where((ratio_BT < low) | (ratio_BT > high), 0.0, ratio_BT)


def ratio_metrics(ratio_BT: Tensor, mask_BT: Tensor, gather: Callable[[Tensor], Tensor]) -> dict[str, float]:
    """TRL's metrics of the ratio, of all processes' sampled tokens; `gather` collects one tensor from each."""
    own = ratio_BT[mask_BT.bool()]
    own = own if own.numel() else own.new_ones(1)
    least, mean, most = gather(torch.stack([own.min(), own.mean(), own.max()])).view(-1, 3).unbind(1)
    name = "sampling/importance_sampling_ratio"
    return {f"{name}/min": least.min().item(), f"{name}/mean": mean.mean().item(), f"{name}/max": most.max().item()}
