"""Multi-turn rollouts of a random model, with the KV cache kept and with each conversation read again at every turn."""

from __future__ import annotations

import statistics
import time

import torch
from transformers import Qwen2ForCausalLM

from benchmarks.speed.random_model import random_qwen
from turnenv.policies.generation import CachedTurnSampler, Sampling, TurnSampler

_VOCABULARY, _PAD = 4000, 0
_PROMPT, _OBSERVATION, _TURN = (96, 160), (32, 64), (12, 24)
"""Least and most tokens of a prompt, an observation and a turn."""

Conversations = list[tuple[list[list[int]], list[int]]]
"""For each turn, what every row reads and how many tokens it then writes."""


def build_model() -> Qwen2ForCausalLM:
    """About five million random weights."""
    model = random_qwen(_VOCABULARY, width=256, mlp_width=1024, layers=4, positions=4096)
    model.eval()  # type: ignore[no-untyped-call]
    return model


def script(rows: int, turns: int, group: int) -> Conversations:
    """Random conversations of ragged lengths in which each `group` consecutive rows share their prompt."""
    noise = torch.Generator().manual_seed(rows * turns)

    def draw(low: int, high: int) -> int:
        return int(torch.randint(low, high + 1, (1,), generator=noise))

    def text(low: int, high: int) -> list[int]:
        return torch.randint(1, _VOCABULARY, (draw(low, high),), generator=noise).tolist()

    prompts = [text(*_PROMPT) for _ in range(rows // group)]
    read = [[list(prompts[row // group]) for row in range(rows)]]
    read += [[text(*_OBSERVATION) for _ in range(rows)] for _ in range(turns - 1)]
    return [(texts, [draw(*_TURN) for _ in range(rows)]) for texts in read]


def play(sampler_class: type[TurnSampler], model: Qwen2ForCausalLM, conversations: Conversations) -> float:
    """CPU seconds of one rollout."""
    sampler = sampler_class(
        model, pad_id=_PAD, eos_ids=[], sampling=Sampling(generator=torch.Generator().manual_seed(0))
    )
    began = time.process_time()
    for read, written in conversations:
        sampler.turn(range(len(read)), read, written)
    return time.process_time() - began


def compare(rows: int, turns: int, group: int, repeats: int) -> tuple[float, float, float]:
    """Median seconds with the cache and without, interleaved, and the median of their ratios."""
    model, conversations = build_model(), script(rows, turns, group)
    play(CachedTurnSampler, model, conversations[:1])
    pairs = [tuple(play(cls, model, conversations) for cls in (CachedTurnSampler, TurnSampler)) for _ in range(repeats)]
    cached, replayed = (statistics.median(column) for column in zip(*pairs, strict=True))
    return cached, replayed, statistics.median(replay / cache for cache, replay in pairs)
