"""Measures a policy on questions of TriviaSearch, by the four columns of the paper's table."""

from __future__ import annotations

from os import PathLike

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from turnenv import Episode, collect
from turnenv.envs.trivia_search import WEIGHTS, TriviaSearch
from turnenv.training import ChatPolicy, episode_metrics


def measure(
    path: str | PathLike[str], episodes: int, *, seed: int = 0, split: str = "test", temperature: float = 1.0
) -> dict[str, float]:
    """Play episodes; return "tool success", "answer found", "format" and "exact match", each 0 to 1.

    Each is the mean of a reward component per episode, divided by its weight.

    Args:
        path: folder or hub name of the policy.
        episodes: how many episodes are played.
        seed: the seed of the first episode and of the sampling.
        split: the split of the questions.
        temperature: of sampling; 0 takes the likeliest token.
    """
    torch.manual_seed(seed)
    model, tokenizer = AutoModelForCausalLM.from_pretrained(path), AutoTokenizer.from_pretrained(path)
    policy = ChatPolicy(model, tokenizer, max_turn_tokens=64, temperature=temperature)
    played: list[Episode] = []
    for first in range(seed, seed + episodes, 128):
        seeds = range(first, min(first + 128, seed + episodes))
        played += collect(lambda: TriviaSearch(split=split), policy, seeds)
    means = episode_metrics(played)
    return {
        "tool success": means["turn_reward/tool_execution"] / WEIGHTS["tool_execution"],
        "answer found": means["turn_reward/answer_in_result"] / WEIGHTS["answer_in_result"],
        "format": means.get("outcome/xml_format", 0.0) / WEIGHTS["xml_format"],
        "exact match": means["outcome/exact_match"] / WEIGHTS["exact_match"],
    }
