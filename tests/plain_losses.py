"""The losses of the trainer in plain torch, row by row: what its gradients are held against."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from key_world import largest_difference
from torch import Tensor

LOW, HIGH, CISPO_HIGH, LIMIT = 0.1, 0.3, 1.1, 12
CONSTANTS: Mapping[str, Any] = {
    "delta": None,
    "sapo_temperature_pos": 1.0,
    "sapo_temperature_neg": 1.05,
    "vespo_k_pos": 2.0,
    "vespo_lambda_pos": 3.0,
    "vespo_k_neg": 3.0,
    "vespo_lambda_neg": 2.0,
}


def shared(log_ratio: Tensor, turns: Tensor, level: str, reduction: str) -> Tensor:
    """The log-ratio of each token of one row; `turns` is -1 where the environment wrote."""
    result = torch.zeros_like(log_ratio)
    for token in range(len(turns)):
        if turns[token] < 0:
            continue
        own = {"token": [token], "turn": (turns == turns[token]).nonzero()[:, 0].tolist()}.get(
            level, (turns >= 0).nonzero()[:, 0].tolist()
        )
        values = log_ratio[own]
        result[token] = values.sum() if level == "turn" and reduction == "sum" else values.mean()
    return result


def vespo_weight(log_weight: Tensor, advantage: Tensor, constants: Mapping[str, Any]) -> Tensor:
    """The gamma weight of VESPO, e^λ · w^k · e^(-λw), with constants of their own where the advantage is negative."""
    positive = advantage >= 0
    k = torch.where(positive, constants["vespo_k_pos"], constants["vespo_k_neg"])
    lam = torch.where(positive, constants["vespo_lambda_pos"], constants["vespo_lambda_neg"])
    return torch.exp(lam + k * log_weight - lam * torch.exp(log_weight))


def token_losses(
    loss: str, logp: Tensor, old: Tensor, turns: Tensor, advantage: Tensor, level: str, how: str, **changed: Any
) -> Tensor:
    """The loss of each token of one row."""
    constants = {**CONSTANTS, **changed}
    difference = (logp - old).detach()
    ratio = torch.exp(shared(difference, turns, level, how)) * torch.exp(logp - logp.detach())
    if loss == "cispo":
        return -ratio.detach().clamp(max=CISPO_HIGH) * advantage * logp
    if loss == "sapo":
        temperature = torch.where(advantage > 0, constants["sapo_temperature_pos"], constants["sapo_temperature_neg"])
        return -torch.sigmoid(temperature * (ratio - 1)) * 4 / temperature * advantage
    if loss == "vespo":
        log_weight = torch.zeros_like(logp)
        for token in range(len(turns)):
            unit = turns == turns[token] if level == "turn" else turns >= 0
            log_weight[token] = difference[unit].sum()
        return -vespo_weight(log_weight, advantage, constants) * advantage * logp
    limited = ratio if constants["delta"] is None else ratio.clamp(max=constants["delta"])
    return -torch.minimum(limited * advantage, ratio.clamp(1 - LOW, 1 + HIGH) * advantage)


def aggregated(loss: str, losses: Sequence[Tensor]) -> Tensor:
    """The loss of a batch, of its sampled tokens' by row."""
    if loss in ("grpo", "sapo"):
        return torch.stack([row.mean() for row in losses]).mean()
    if loss == "luspo":
        return torch.stack([row.sum() for row in losses]).mean()
    if loss == "dr_grpo":
        return torch.stack([row.sum() for row in losses]).mean() / LIMIT
    return torch.cat(list(losses)).mean()


def relative(ours: Sequence[Tensor], expected: Sequence[Tensor]) -> float:
    """The largest difference of two gradients, over the largest entry of the second."""
    assert len(ours) == len(expected)
    return largest_difference(ours, expected) / max(float(each.abs().max()) for each in expected)
