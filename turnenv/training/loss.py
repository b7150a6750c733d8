"""TRL's loss with the ratio of a token, a turn or an episode, and without what the environment wrote."""

from __future__ import annotations

from typing import Any

import torch
from trl import GRPOTrainer

from turnenv.training.config import TurnGRPOConfig
from turnenv.training.lm_head import only_sampled_tokens
from turnenv.training.ratio import settle
from turnenv.training.sampler_ratio import SamplerRatio, ratio_metrics
from turnenv.training.seam import check

_MEANS_OVER_EPISODES = ("grpo", "sapo", "dr_grpo", "luspo")


class TurnLossTrainer(GRPOTrainer):  # type: ignore[misc]
    """TRL's trainer on batches with `turn_of`, int (B, T): the turn that each token was sampled in, -1 elsewhere."""

    args: TurnGRPOConfig
    _unsettled: dict[str, Any] | None = None

    def denominators(self, live: int, episodes: int) -> dict[str, torch.Tensor]:
        """What a batch needs so that a mean over its episodes is one over those that did not fault.

        Args:
            live: how many episodes of all processes did not fault.
            episodes: how many there are.
        """
        if self.loss_type not in _MEANS_OVER_EPISODES or live in (0, episodes):
            return {}
        return {"rows_per_live_row": torch.tensor(episodes / live, device=self.accelerator.device)}

    def weigh_turns_of_vllm(self, output: dict[str, Any]) -> dict[str, float]:
        """Correct whole turns for having been sampled by vLLM, where the loss's ratio is of turns.

        Args:
            output: TRL's batch with `turn_of`, whose `importance_sampling_ratio`, if there is one, is replaced.

        Returns:
            TRL's metrics of the ratio, if it was replaced.
        """
        args = self.args
        # VESPO makes its weights itself, of tokens' ratios.
        of_tokens = args.importance_sampling_level != "turn" or args.loss_type == "vespo"
        if of_tokens or "importance_sampling_ratio" not in output:
            return {}
        weigh = SamplerRatio(
            args.vllm_importance_sampling_mode,
            args.vllm_importance_sampling_clip_min,
            args.vllm_importance_sampling_clip_max,
            args.turn_ratio,
        )
        output["importance_sampling_ratio"] = ratio_BT = weigh.of(output, output["turn_of"])
        return ratio_metrics(ratio_BT, output["completion_mask"] * output["tool_mask"], self.accelerator.gather)

    def _compute_loss(self, model: torch.nn.Module, inputs: dict[str, Any]) -> torch.Tensor:
        """TRL's loss with our ratio, without running the LM head on what the environment wrote."""
        self._unsettled = inputs = dict(inputs)
        self._turn_of_BT = inputs["turn_of"]
        with only_sampled_tokens(model, inputs["tool_mask"]):
            loss: torch.Tensor = super()._compute_loss(model, inputs)
        check(self._unsettled is None, "its loss does not score a batch by _get_per_token_logps_and_entropies")
        return loss + self._of_faults(loss.detach(), float(inputs.get("rows_per_live_row", 1.0)))

    def _of_faults(self, loss: torch.Tensor, rows_per_live_row: float) -> torch.Tensor | float:
        """What the value of TRL's loss lacks, whose policy term it divides by the faulted episodes too.

        Its gradient lacks nothing: `turnenv.training.ratio.settle` has scaled that.
        """
        if rows_per_live_row == 1.0:
            return 0.0
        training = self.model.training
        logged = self._metrics["train" if training else "eval"]
        accumulated = self.current_gradient_accumulation_steps if training else 1.0
        policy: torch.Tensor | float = loss
        if self._entropy_bonus_enabled:
            policy = logged["policy_loss"][-1] / accumulated
            logged["policy_loss"][-1] *= rows_per_live_row
        elif self.aux_loss_enabled:
            policy = loss - self.router_aux_loss_coef * logged["aux_loss"][-1] / accumulated
        return (rows_per_live_row - 1.0) * policy

    def _get_per_token_logps_and_entropies(self, *args: Any, **kwargs: Any) -> tuple[Any, ...]:
        """TRL's; when its loss calls this, the ratio is settled (see `turnenv.training.ratio.settle`)."""
        logps_BT, *others = super()._get_per_token_logps_and_entropies(*args, **kwargs)
        inputs, self._unsettled = self._unsettled, None
        if inputs is not None:
            # VESPO makes its weights itself, of tokens' ratios.
            level = "token" if self.loss_type == "vespo" else self.args.importance_sampling_level
            logps_BT = settle(inputs, logps_BT, level, self.args.turn_ratio)
        return logps_BT, *others

    def get_gamma_weights(self, mask: torch.Tensor, **kwargs: Any) -> torch.Tensor:
        """VESPO's weights by TRL, of episodes or, where that is the ratio's level, of turns."""
        weigh = super().get_gamma_weights
        if self.args.importance_sampling_level != "turn":
            return weigh(mask=mask, **kwargs)  # type: ignore[no-any-return]
        weights_BT = torch.zeros_like(kwargs["log_ratio_per_token"])
        sampler_BT = kwargs.get("importance_sampling_ratio")
        for turn in range(int(self._turn_of_BT.max()) + 1):
            turn_BT = (self._turn_of_BT == turn).int()
            if sampler_BT is not None:
                kwargs["importance_sampling_ratio"] = torch.where(turn_BT.bool(), sampler_BT, 1.0)
            weights_BT += turn_BT * weigh(mask=mask * turn_BT, **kwargs)
        return weights_BT
