"""Runs the LM head on sampled tokens only: it is a costly layer, and most tokens are the environment's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import trl
from torch import Tensor, nn
from transformers import PreTrainedModel

_IGNORED = -100
#: What TRL's fused LM head returns for each token; None where it was not asked to.
_PER_TOKEN = ("log_probs", "entropy", "log_sum_sq_probs", "mean_logits", "is_top1")


@contextmanager
def only_sampled_tokens(model: nn.Module, sampled: Tensor) -> Iterator[None]:
    """While open, TRL's fused LM head scores sampled tokens only; elsewhere log-probability and entropy are 0.

    The loss masks both there. On a CPU, TRL would score every position, prompt and padding too, since tiles of changing
    shape cost a recompilation on some accelerators; on a CPU they cost nothing. So the head gets the hidden states of
    the sampled tokens only, as one row, with `shift_labels` in place of `labels`, and its output is put back in place.

    It uses PyTorch's hooks on the model and on its backbone, and removes them at the end.

    Args:
        model: what the loss calls with `fused_lm_head=True` and `labels=`; it may be wrapped for DDP or PEFT.
        sampled: 1 where the policy sampled the completion's token, int (B, T).

    Raises:
        RuntimeError: TRL's head returned something else than one value per sampled token.
    """
    call = _Call(sampled)
    backbone = next(module for module in model.modules() if isinstance(module, PreTrainedModel)).base_model
    hooks = [
        model.register_forward_pre_hook(call.shorten_labels, with_kwargs=True),
        backbone.register_forward_hook(call.shorten_states),
        model.register_forward_hook(call.spread),
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


class _Call:
    """One forward pass at a time, through the model's hooks; `_mask` is where it scores, bool (B, S-1), or None."""

    def __init__(self, sampled: Tensor) -> None:
        self._sampled = sampled
        self._mask: Tensor | None = None

    def shorten_labels(self, _: nn.Module, args: Any, kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        self._mask = None
        if not kwargs.get("fused_lm_head") or kwargs.get("labels") is None:
            return args, kwargs
        labels = kwargs["labels"][:, 1:].clone()
        labels[:, -self._sampled.shape[1] :].masked_fill_(self._sampled == 0, _IGNORED)
        self._mask = labels != _IGNORED
        return args, {**kwargs, "labels": None, "shift_labels": labels[self._mask].unsqueeze(0)}

    def shorten_states(self, _: nn.Module, args: Any, output: Any) -> None:
        if self._mask is not None:
            # PEFT may have put virtual tokens before the first; the last token predicts nothing.
            states = output.last_hidden_state[:, -self._mask.shape[1] - 1 : -1]
            output.last_hidden_state = states[self._mask].unsqueeze(0)

    def spread(self, _: nn.Module, args: Any, output: Any) -> None:
        if self._mask is None:
            return
        mask, self._mask = self._mask, None
        for name in _PER_TOKEN:
            row = getattr(output, name, None)
            if row is None and name != "log_probs":
                continue
            if row is None or row.shape != (1, int(mask.sum())):
                raise RuntimeError(
                    f"TRL {trl.__version__} is not what turnenv builds on: its fused LM head scores no single row"
                )
            setattr(output, name, row.new_zeros(mask.shape).masked_scatter(mask, row))
        output.label_mask = mask
