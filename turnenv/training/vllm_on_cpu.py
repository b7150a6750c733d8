"""TRL's vLLM where there is no GPU: the engine is made, and given the policy's weights, in the way that works there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from peft import PeftModel
from torch import Tensor, nn
from transformers import PreTrainedModel
from trl import GRPOConfig
from trl.generation.vllm_generation import VLLMGeneration
from trl.trainer import grpo_trainer

from turnenv.training.seam import check

if TYPE_CHECKING:
    from vllm import LLM


@contextmanager
def vllm_of_the_device(args: GRPOConfig, model: str | PreTrainedModel | PeftModel) -> Iterator[None]:
    """While TRL's trainer is made, let it make the engine that works on its device; on a GPU that is TRL's own.

    Raises:
        ValueError: if vLLM cannot load the model, or several processes would play on a CPU.
    """
    if args.use_vllm and not isinstance(model, str) and not model.name_or_path:
        raise ValueError("the model has no path, and vLLM loads the model itself: save it and pass the folder")
    if not args.use_vllm or args.device.type != "cpu":
        yield
        return
    if args.world_size > 1:
        raise ValueError("use_vllm on a CPU plays in one process; drop use_vllm, or start one process")
    check(hasattr(grpo_trainer, "VLLMGeneration"), "its trainer makes no VLLMGeneration")
    with patch.object(grpo_trainer, "VLLMGeneration", CPUGeneration):
        yield


class CPUGeneration(VLLMGeneration):  # type: ignore[misc]
    """TRL's, with an engine in the policy's own precision and weights that are loaded as from a checkpoint."""

    def _init_vllm(self) -> None:
        from turnenv.policies.vllm import load_engine

        self.llm = load_engine(
            self.model.name_or_path,
            dtype=self.model.dtype,
            max_model_len=self.max_model_length,
            max_num_seqs=self.max_num_seqs,
            model_impl=self.model_impl,
            trust_remote_code=self.trust_remote_code,
        )

    def sync_weights(self) -> None:
        """Give the engine the policy's weights, and forget what it has cached of others."""
        reload_weights(self.llm, dict(weights_of(self.model, self._iter_named_params())))


def weights_of(model: nn.Module, named: Iterator[tuple[str, Tensor]]) -> dict[str, Tensor]:
    """All weights of a model by name, tied ones under each of their names.

    Args:
        model: a causal LM, or one with PEFT's adapters.
        named: its parameters, adapters merged; each is read before the next is asked for.
    """
    weights = {name: parameter.detach().clone() for name, parameter in named}
    base: Any = model.get_base_model() if isinstance(model, PeftModel) else model
    return {**{name: weights[source] for name, source in base.all_tied_weights_keys.items()}, **weights}


def reload_weights(llm: LLM, weights: dict[str, Tensor]) -> None:
    """Replace the weights of an engine on a CPU, and reset its prefix cache.

    On a CPU vLLM packs weights when it loads them, so that single ones cannot be overwritten. They are loaded anew,
    all of them: where `lm_head.weight` is left out since it is tied, the old head stays, and nothing says so.
    """
    runner = llm.llm_engine.model_executor.driver_worker.model_runner
    runner.reload_weights(weights_iterator=iter(weights.items()))
    llm.reset_prefix_cache()
