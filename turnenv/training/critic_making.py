"""How a trainer comes to its critic: what the estimator asks for, made of the trainer's policy and configuration."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from inspect import signature
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from transformers import PreTrainedModel

from turnenv.credit import CRITIC_FIELDS, TRAINING_FIELDS, Estimator, EstimatorSpec, check_estimator, critic_for
from turnenv.credit.checks import find_spec
from turnenv.credit.critics import option_of
from turnenv.training.config import TurnGRPOConfig
from turnenv.training.critic import Critic, Learner
from turnenv.training.critic_model import ValueModel, make_backbone
from turnenv.training.critic_probe import Probe
from turnenv.training.reading import Reading, backbone_of, evaluating, states_at

_FASTER_THAN_THE_POLICY = 10.0
_FAST = 1e-4


@dataclass(frozen=True)
class Plan:
    """What a run assigns credit with.

    Attributes:
        estimator: for this run alone.
        spec: what is declared of it.
        critic: "probe", "model" or None.
        backbone: what a critic of its own starts from.
    """

    estimator: Estimator
    spec: EstimatorSpec
    critic: str | None
    backbone: PreTrainedModel | None

    @classmethod
    def of(cls, model: str | PreTrainedModel, args: TurnGRPOConfig, credit: Estimator | None) -> Plan:
        """Decide, and take a copy of the policy's backbone, if one is needed, before anything is put around it.

        Raises:
            ValueError: if estimator, options and critic do not fit.
        """
        chosen = args.credit if credit is None else credit
        spec = find_spec(chosen)
        critic = critic_for(spec, args.credit_options, args.critic)
        if args.critic_kwargs and critic is None:
            raise ValueError(f"critic_kwargs={args.critic_kwargs} would not be read: {spec.name} needs no critic")
        if args.distinct_seeds and critic is None:
            raise ValueError(
                f"distinct_seeds=True: {spec.name} compares the episodes of a group, which would then play different "
                "tasks; choose an estimator on a critic's values, such as turn_gae"
            )
        supplied = TRAINING_FIELDS if critic is None else CRITIC_FIELDS
        estimator = check_estimator(chosen, args.credit_options, supplied)
        backbone = None
        if critic == "model":
            backbone = make_backbone(model, args.critic_options.backbone, args.model_init_kwargs or {})
        return cls(estimator, spec, critic, backbone)

    def make_critic(
        self, model: nn.Module, args: TurnGRPOConfig, accelerator: Accelerator, *, pad_id: int
    ) -> Critic | None:
        """The critic, or None if the estimator needs no values.

        Args:
            model: the policy as the trainer runs it.
            args: the trainer's.
            accelerator: the trainer's.
            pad_id: for padding.
        """
        if self.critic is None:
            return None
        options, rows = args.critic_options, args.per_device_train_batch_size
        learner: Learner
        if self.backbone is None:
            learner = Probe(policy_states(model, accelerator, rows=rows, pad_id=pad_id), options.buffer)
        else:
            slow = args.learning_rate
            rate = options.learning_rate or max(slow, min(_FASTER_THAN_THE_POLICY * slow, _FAST))
            learner = ValueModel(
                self.backbone, replace(options, learning_rate=rate), accelerator, rows=rows, pad_id=pad_id
            )
        given = args.credit_options
        return Critic(
            learner,
            options,
            gamma=float(option_of(self.spec, given, "gamma", 1.0)),
            rewards=option_of(self.spec, given, "rewards", "turn"),
        )


def policy_states(
    model: nn.Module, accelerator: Accelerator, *, rows: int, pad_id: int
) -> Callable[[Sequence[Reading]], Tensor]:
    """From readings to the policy's last hidden states at their positions, float (P, H), without a gradient.

    The whole model runs, so that wrapped and sharded ones gather what they need; the LM head scores one token per row.

    Args:
        model: the policy as the trainer runs it.
        accelerator: the trainer's.
        rows: episodes per forward pass; every process has as many episodes, hence as many passes.
        pad_id: for padding.
    """
    causal = next(module for module in model.modules() if isinstance(module, PreTrainedModel))
    extras: dict[str, Any] = {"use_cache": False}
    if "logits_to_keep" in signature(type(causal).forward).parameters:
        extras["logits_to_keep"] = 1

    def states(readings: Sequence[Reading]) -> Tensor:
        call, backbone = partial(model, **extras), backbone_of(model)
        with evaluating(model), torch.no_grad(), accelerator.autocast():
            chunks = [
                states_at(backbone, call, readings[start : start + rows], pad_id, accelerator.device)
                for start in range(0, len(readings), rows)
            ]
        return torch.cat(chunks)

    return states
