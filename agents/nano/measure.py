"""Where a policy stands on held-out questions of TriviaSearch, in the paper's four figures."""

from __future__ import annotations

from os import PathLike

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from turnenv import Episode, collect
from turnenv.envs.trivia_search import WEIGHTS, TriviaSearch
from turnenv.training import ChatPolicy


def measure(path: str | PathLike[str], episodes: int, *, seed: int = 0, split: str = "test") -> dict[str, float]:
    """Shares from 0 to 1 of tool success, answer found, format and exact match over sampled episodes."""
    torch.manual_seed(seed)
    model, tokenizer = AutoModelForCausalLM.from_pretrained(path), AutoTokenizer.from_pretrained(path)
    policy = ChatPolicy(model, tokenizer, max_turn_tokens=64)
    played: list[Episode] = []
    for first in range(seed, seed + episodes, 128):
        seeds = range(first, min(first + 128, seed + episodes))
        played += collect(lambda: TriviaSearch(split=split), policy, seeds)
    return {
        "tool success": _mean(played, "tool_execution"),
        "answer found": _mean(played, "answer_in_result"),
        "format": _mean(played, "xml_format"),
        "exact match": _mean(played, "exact_match"),
    }


def _mean(episodes: list[Episode], component: str) -> float:
    paid = [
        sum(turn.reward_components.get(component, 0.0) for turn in episode.turns)
        + episode.outcome.components.get(component, 0.0)
        for episode in episodes
    ]
    return sum(paid) / len(paid) / WEIGHTS[component]
