"""From episodes to the advantage of every token: each turn's advantage is copied to its tokens."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from numpy import float64
from numpy.typing import NDArray
from torch import Tensor


def turns_of_tokens(turn_of: Sequence[Sequence[int]], width: int) -> Tensor:
    """The turn that each token was sampled in.

    Args:
        turn_of: B lists, the turn of each token, -1 for the environment's.
        width: T, at least the longest list.

    Returns:
        Int (B, T), -1 on padding too.
    """
    turns_BT = torch.full((len(turn_of), width), -1, dtype=torch.long)
    for row, turns in enumerate(turn_of):
        turns_BT[row, : len(turns)] = torch.tensor(turns, dtype=torch.long)
    return turns_BT


def spread_over_tokens(advantages: NDArray[float64], turns_BT: Tensor) -> Tensor:
    """Give each token the advantage of the turn it was sampled in.

    Args:
        advantages: of turn k of episode b, (B, K).
        turns_BT: as of `turns_of_tokens`.

    Returns:
        Float32 (B, T), 0 on the environment's tokens and on padding.
    """
    advantages_BK = torch.as_tensor(advantages, dtype=torch.float32)
    assert advantages_BK.shape[0] == len(turns_BT), f"{advantages_BK.shape[0]} rows of advantages for {len(turns_BT)}"
    return torch.where(turns_BT >= 0, advantages_BK.gather(1, turns_BT.clamp(min=0)), 0.0)
