"""The probability ratio of the policy to the one that played: of a token, of a turn, or of an episode."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

import torch
from torch import Tensor

LEVELS = ("token", "turn", "sequence")
"""What `importance_sampling_level` may be."""
REDUCTIONS = ("mean", "sum")
"""What `turn_ratio` may be."""

_LARGEST_LOG_RATIO = 20.0


def log_ratios(log_ratio_BT: Tensor, mask_BT: Tensor, turn_of_BT: Tensor, level: str, reduction: str) -> Tensor:
    """The log-ratio that each sampled token is weighted with.

    Args:
        log_ratio_BT: log π - log π_old of each token.
        mask_BT: 1 where the policy sampled the token.
        turn_of_BT: the turn that the token was sampled in, -1 elsewhere.
        level: "token" leaves each token its own; "turn" gives the tokens of a turn one; "sequence" those of an episode,
            the mean over them (GSPO, arXiv 2507.18071).
        reduction: "mean" or "sum" of a turn's log-ratios; the sum is the ratio of the turn's probabilities, kept within
            e^±20.

    Returns:
        Float (B, T), 0 where the mask is.
    """
    own_BT = torch.where(mask_BT.bool(), log_ratio_BT, 0.0)
    if level == "token":
        return own_BT
    unit_BT = turn_of_BT if level == "turn" else torch.zeros_like(turn_of_BT)
    unit_BT = unit_BT.clamp(min=0)
    sums_BK = own_BT.new_zeros(len(own_BT), int(unit_BT.max()) + 1).scatter_add(1, unit_BT, own_BT)
    if level == "sequence" or reduction == "mean":
        counts_BK = torch.zeros_like(sums_BK).scatter_add(1, unit_BT, mask_BT.to(sums_BK.dtype))
        sums_BK = sums_BK / counts_BK.clamp(min=1.0)
    shared_BT = sums_BK.clamp(-_LARGEST_LOG_RATIO, _LARGEST_LOG_RATIO).gather(1, unit_BT)
    return torch.where(mask_BT.bool(), shared_BT, 0.0)


def settle(inputs: MutableMapping[str, Any], logps_BT: Tensor, level: str, reduction: str) -> Tensor:
    """Give TRL's token-level loss what makes it the loss of another level, once the policy has scored a batch.

    TRL's loss weighs token t with exp(logp_t - old_t). With old_t = sg(logp_t) - S, where S is the log-ratio of the
    token's turn or episode, that is s·π_t/sg(π_t): its value is s, and its gradient is the token's own (GSPO-token,
    arXiv 2507.18071, section 4.3), so that each token keeps its own advantage. Where no old log-probabilities are
    given, the batch is played by the policy itself, every S is 0 and all levels are one.

    Args:
        inputs: TRL's batch, whose `old_per_token_logps` are replaced.
        logps_BT: the policy's log-probabilities, with their gradient.
        level: as of `log_ratios`.
        reduction: as of `log_ratios`.

    Returns:
        The log-probabilities for TRL's loss: equal in value; with the gradient as of a mean over the episodes that did
        not fault, where the loss divides by the number of episodes.
    """
    old_BT = inputs.get("old_per_token_logps")
    if old_BT is not None:
        now_BT, mask_BT = logps_BT.detach(), inputs["completion_mask"] * inputs["tool_mask"]
        shared_BT = log_ratios(now_BT - old_BT, mask_BT, inputs["turn_of"], level, reduction)
        inputs.setdefault("sampling_per_token_logps", old_BT)
        inputs["old_per_token_logps"] = now_BT - shared_BT
    if "rows_per_live_row" not in inputs:
        return logps_BT
    scaled_BT: Tensor = logps_BT.detach() + inputs["rows_per_live_row"] * (logps_BT - logps_BT.detach())
    return scaled_BT
