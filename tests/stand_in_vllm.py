"""A stand-in for vLLM: the part of its interface that turnenv uses, on a transformers model, one token per step.

What is easy to get wrong is as in vLLM: the prefix cache outlives a change of the weights, a head that is tied is a
weight of its own when weights are loaded, making an engine seeds PyTorch, and an engine that two threads use breaks.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import ModuleType, SimpleNamespace
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor
from transformers import AutoModelForCausalLM


class RequestOutputKind(Enum):
    CUMULATIVE = 0
    DELTA = 1
    FINAL_ONLY = 2


@dataclass(frozen=True, kw_only=True)
class SamplingParams:
    max_tokens: int
    seed: int
    temperature: float
    top_p: float
    top_k: int
    logprobs: int
    detokenize: bool
    ignore_eos: bool
    stop_token_ids: list[int]
    output_kind: RequestOutputKind

    def __post_init__(self) -> None:
        if self.max_tokens < 1:
            raise ValueError("max_tokens must be at least 1")


@dataclass
class Request:
    prompt: list[int]
    params: SamplingParams
    cached: int
    generator: torch.Generator
    ids: list[int] = field(default_factory=list)
    logprobs: list[dict[int, Any]] = field(default_factory=list)


class Engine:
    """As `LLMEngine`."""

    def __init__(self, model: Any, max_model_len: int, logprobs_mode: str, block_size: int) -> None:
        self.model, self.block = model, block_size
        self.model_config = SimpleNamespace(
            max_model_len=max_model_len,
            logprobs_mode=logprobs_mode,
            try_get_generation_config=lambda: {"eos_token_id": model.generation_config.eos_token_id},
        )
        self.model_executor = SimpleNamespace(driver_worker=SimpleNamespace(model_runner=self))
        self.running: dict[str, Request] = {}
        self.asked: list[SamplingParams] = []
        self.batches: list[int] = []
        self.known: dict[tuple[int, ...], int] = {}
        self.version = self.stale = 0
        self.skew = 0.0
        self.alone = threading.Lock()

    def add_request(self, name: str, prompt: Mapping[str, list[int]], params: SamplingParams) -> None:
        with self.used_alone():
            ids = prompt["prompt_token_ids"]
            assert name not in self.running
            assert 0 < len(ids) < self.model_config.max_model_len
            self.asked.append(params)
            generator = torch.Generator().manual_seed(params.seed)
            self.running[name] = Request(list(ids), params, self.cached(ids), generator)

    def abort_request(self, names: list[str]) -> None:
        with self.used_alone():
            for name in names:
                self.running.pop(name, None)

    def step(self) -> list[Any]:
        with self.used_alone():
            self.batches.append(len(self.running))
            return [output for name in list(self.running) for output in self.advance(name)]

    def used_alone(self) -> Any:
        assert self.alone.acquire(blocking=False), "two threads use the engine"
        self.alone.release()
        return self.alone

    @torch.no_grad()
    def advance(self, name: str) -> Iterator[Any]:
        request = self.running[name]
        params = request.params
        logits = self.model(input_ids=torch.tensor([request.prompt + request.ids])).logits[0, -1].float()
        logprobs = (logits / (params.temperature or 1.0)).log_softmax(-1)
        drawn = torch.multinomial(logprobs.exp(), 1, generator=request.generator)
        token = int(logprobs.argmax() if params.temperature == 0.0 else drawn)
        request.ids.append(token)
        request.logprobs.append({token: SimpleNamespace(logprob=float(logprobs[token]) + self.skew)})
        reason = "stop" if token in params.stop_token_ids else None
        if (
            len(request.ids) == params.max_tokens
            or len(request.prompt + request.ids) == self.model_config.max_model_len
        ):
            reason = reason or "length"
        if reason is not None:
            del self.running[name]
            self.remember(request.prompt + request.ids[:-1])
        if reason is not None or params.output_kind is RequestOutputKind.CUMULATIVE:
            text = SimpleNamespace(token_ids=tuple(request.ids), logprobs=list(request.logprobs), finish_reason=reason)
            yield SimpleNamespace(
                request_id=name,
                prompt_token_ids=request.prompt,
                outputs=[text],
                finished=reason is not None,
                num_cached_tokens=request.cached,
            )

    def cached(self, ids: list[int]) -> int:
        """Whole blocks that are known, but never all of the prompt."""
        found = [n for n in range(self.block, len(ids), self.block) if tuple(ids[:n]) in self.known]
        self.stale += sum(self.known[tuple(ids[:n])] != self.version for n in found)
        return max(found, default=0)

    def remember(self, ids: list[int]) -> None:
        for length in range(self.block, len(ids) + 1, self.block):
            self.known[tuple(ids[:length])] = self.version

    def reload_weights(self, weights_iterator: Iterator[tuple[str, Tensor]]) -> None:
        self.model.load_state_dict(dict(weights_iterator), strict=False)
        self.version += 1


class LLM:
    """As `vllm.LLM`."""

    made: ClassVar[list[LLM]] = []

    def __init__(
        self,
        model: str,
        *,
        logprobs_mode: str,
        block_size: int,
        seed: int = 0,
        dtype: Any,
        max_model_len: Any = None,
        **_: Any,
    ) -> None:
        torch.manual_seed(seed)
        loaded = AutoModelForCausalLM.from_pretrained(model, dtype=dtype).eval()
        loaded.lm_head.weight = torch.nn.Parameter(loaded.lm_head.weight.detach().clone())
        longest = max_model_len or loaded.config.max_position_embeddings
        self.llm_engine = Engine(loaded, longest, logprobs_mode, block_size)
        LLM.made.append(self)

    def reset_prefix_cache(self) -> None:
        self.llm_engine.known.clear()


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> type[LLM]:
    """Puts the stand-in where vLLM would be."""
    vllm, params, platforms = (ModuleType(name) for name in ("vllm", "vllm.sampling_params", "vllm.platforms"))
    vllm.LLM, vllm.SamplingParams = LLM, SamplingParams  # type: ignore[attr-defined]
    params.RequestOutputKind = RequestOutputKind  # type: ignore[attr-defined]
    platforms.current_platform = SimpleNamespace(is_cpu=lambda: True)  # type: ignore[attr-defined]
    for module in (vllm, params, platforms):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.delitem(sys.modules, "turnenv.policies.vllm", raising=False)
    monkeypatch.setattr(LLM, "made", [])
    return LLM
