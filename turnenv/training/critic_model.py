"""The critic as a model of its own: a backbone with a linear head, trained by its own AdamW."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import broadcast, gather_object
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import AutoModel, PreTrainedModel

from turnenv.credit.critic_options import CriticOptions
from turnenv.training.reading import Reading, states_at


def make_backbone(model: str | PreTrainedModel, chosen: str | None, init_kwargs: Mapping[str, Any]) -> PreTrainedModel:
    """The backbone that a critic starts from, in float32: the policy's, or a chosen one.

    Args:
        model: the policy, before anything is put around it; a name, a model, or a `PeftModel`, whose adapter is merged.
        chosen: folder or hub id; None for the policy's.
        init_kwargs: with which the policy is loaded; `revision` is for its own weights alone.

    Raises:
        ValueError: if the policy's weights are quantised.
    """
    name = chosen or (model if isinstance(model, str) else None)
    if name is not None:
        names = ("trust_remote_code", "attn_implementation", *(() if chosen else ("revision",)))
        kwargs = {name: init_kwargs[name] for name in names if init_kwargs.get(name) is not None}
        loaded: PreTrainedModel = AutoModel.from_pretrained(name, dtype=torch.float32, **kwargs)
        return loaded
    if getattr(model, "is_quantized", False) or getattr(model, "quantization_method", None) is not None:
        raise ValueError(
            "critic='model' starts from the policy's weights, which are quantised: name another in critic_kwargs, "
            'such as {"backbone": "Qwen/Qwen2.5-0.5B"}, or take critic=\'probe\''
        )
    assert not isinstance(model, str)
    whole: Any = copy.deepcopy(model)
    if hasattr(whole, "merge_and_unload"):
        whole = whole.merge_and_unload()
    backbone: PreTrainedModel = whole.base_model.float()
    return backbone.requires_grad_(True)


class ValueModel:
    """Values of a backbone of its own.

    It stays in eval mode, so that equal episodes get equal values, and is replicated: processes add up their gradients,
    and so take the step that one process would.

    Args:
        backbone: a model without a head.
        options: how it learns; `learning_rate` must be set.
        accelerator: the trainer's.
        rows: episodes per forward pass.
        pad_id: for padding.
    """

    def __init__(
        self, backbone: PreTrainedModel, options: CriticOptions, accelerator: Accelerator, *, rows: int, pad_id: int
    ) -> None:
        assert options.learning_rate is not None
        self._options, self._accelerator, self._rows, self._pad_id = options, accelerator, rows, pad_id
        self.backbone: PreTrainedModel = backbone.to(accelerator.device).eval()
        # Initialised without a draw, so that a run plays the same episodes with and without a critic.
        self.head = nn.utils.skip_init(nn.Linear, backbone.config.get_text_config().hidden_size, 1)  # type: ignore[no-untyped-call]
        self.head.to(accelerator.device)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)
        broadcast([parameter.data for parameter in self._parameters()])
        # Weights whose gradient is all rounding, such as a key's bias, stay where they are with this eps of PPO codes.
        self._optimizer = torch.optim.AdamW(self._parameters(), lr=options.learning_rate, eps=1e-5, weight_decay=0.0)
        self._readings: list[Reading] = []
        self._read: list[Tensor] = []
        self._fitted = False

    def read(self, readings: Sequence[Reading]) -> list[list[float]]:
        """Values at the positions of every process's episodes; 0 before the first fit."""
        self._readings = list(readings)
        with torch.no_grad():
            self._read = [values for chunk in self._chunks() for values in self._values(readings[chunk])]
        local = [values.tolist() for values in self._read]
        gathered: list[list[float]] = gather_object(local)
        return gathered

    def fit(self, targets: Sequence[NDArray[np.float64]], groups: Sequence[int]) -> None:
        """Take `passes` steps on the episodes last read.

        Args:
            targets: of the turns of each process's episodes; none of an episode that takes no part.
            groups: not read.
        """
        count = sum(map(len, targets))
        if not count:
            return
        first = self._accelerator.process_index * len(self._readings)
        local = [
            torch.as_tensor(targets_K, dtype=self.head.weight.dtype, device=self.head.weight.device)
            for targets_K in targets[first : first + len(self._readings)]
        ]
        if not self._fitted:
            # From values of 0 the head would first have to climb to the mean.
            nn.init.constant_(self.head.bias, float(np.concatenate(targets).mean()))
            self._fitted = True
        for _ in range(self._options.passes):
            self._step(local, count)

    def _step(self, targets: Sequence[Tensor], count: int) -> None:
        self._optimizer.zero_grad(set_to_none=False)
        for chunk in self._chunks():
            if sum(map(len, targets[chunk])):
                self._loss(chunk, targets[chunk]).div(count).backward()  # type: ignore[no-untyped-call]
        parameters = self._parameters()
        gradients = [torch.zeros_like(each) if each.grad is None else each.grad for each in parameters]
        summed = self._accelerator.reduce(torch.cat([each.flatten() for each in gradients]), "sum")
        for each, gradient in zip(parameters, summed.split([each.numel() for each in parameters]), strict=True):
            each.grad = gradient.view_as(each)
        nn.utils.clip_grad_norm_(parameters, self._options.max_grad_norm)
        self._optimizer.step()

    def _loss(self, chunk: slice, targets: Sequence[Tensor]) -> Tensor:
        """Half the squared errors of a chunk, summed over its turns."""
        values = self._values(self._readings[chunk])
        given = torch.cat([row[: len(due)] for row, due in zip(values, targets, strict=True)])
        due_N, clip = torch.cat(list(targets)), self._options.value_clip
        errors = (given - due_N) ** 2
        if clip is not None:
            before = torch.cat([row[: len(due)] for row, due in zip(self._read[chunk], targets, strict=True)])
            errors = torch.maximum(errors, (before + (given - before).clamp(-clip, clip) - due_N) ** 2)
        return errors.sum() / 2

    def _values(self, readings: Sequence[Reading]) -> tuple[Tensor, ...]:
        bf16 = self._accelerator.mixed_precision == "bf16"
        with self._accelerator.autocast() if bf16 else nullcontext():
            states = states_at(self.backbone, self.backbone, readings, self._pad_id, self._accelerator.device)
        values: Tensor = self.head(states.to(self.head.weight.dtype)).squeeze(-1)
        return torch.split(values, [len(each.positions) for each in readings])

    def _chunks(self) -> Iterator[slice]:
        for start in range(0, len(self._readings), self._rows):
            yield slice(start, start + self._rows)

    def _parameters(self) -> list[nn.Parameter]:
        return [*self.backbone.parameters(), *self.head.parameters()]

    def state_dict(self) -> dict[str, Any]:
        """Weights and the optimizer's state."""
        return {
            "backbone": self.backbone.state_dict(),
            "head": self.head.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "fitted": self._fitted,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state_dict`."""
        self.backbone.load_state_dict(state["backbone"])
        self.head.load_state_dict(state["head"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._fitted = bool(state["fitted"])
