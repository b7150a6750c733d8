"""The metrics of a batch of episodes and of its advantages, by the names of the glossary."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from turnenv.credit import TurnBatch
from turnenv.types import Episode

_TOOL_COMPONENT = "tool_execution"


def episode_metrics(episodes: Sequence[Episode]) -> dict[str, float]:
    """Means over the episodes that did not fault; rewards are sums over an episode.

    Returns:
        `return`, `turn_reward`, `turn_reward/<component>`, `outcome`, `outcome/<component>`, `success`, `turns`,
        `valid_action` (of turns), `tool_use` (of episodes, if the environment pays `tool_execution`), `turn_tokens`
        (if a model acted), and `faults` (share of all episodes). Where every episode faulted, only `faults`.
    """
    faults = {"faults": fmean(episode.faulted for episode in episodes)}
    live = [episode for episode in episodes if not episode.faulted]
    if not live:
        return faults
    turns = [turn for episode in live for turn in episode.turns]
    paid = [_summed(turn.reward_components for turn in episode.turns) for episode in live]
    metrics = {
        "return": fmean(episode.total_reward for episode in live),
        "turn_reward": fmean(sum(episode.turn_rewards) for episode in live),
        **_means("turn_reward/", paid),
        "outcome": fmean(episode.outcome.reward for episode in live),
        **_means("outcome/", [episode.outcome.components for episode in live]),
        "success": fmean(episode.outcome.success for episode in live),
        "turns": fmean(len(episode.turns) for episode in live),
        "valid_action": fmean(turn.valid_action for turn in turns),
    }
    if any(_TOOL_COMPONENT in turn.reward_components for turn in turns):
        metrics["tool_use"] = fmean(
            any(turn.reward_components.get(_TOOL_COMPONENT, 0.0) > 0.0 for turn in episode.turns) for episode in live
        )
    sampled = [len(turn.token_ids) for turn in turns if turn.token_ids is not None]
    if sampled:
        metrics["turn_tokens"] = fmean(sampled)
    return metrics | faults


def advantage_metrics(batch: TurnBatch, advantages: NDArray[np.float64]) -> dict[str, float]:
    """Metrics of the advantages.

    Args:
        batch: what the estimator was given.
        advantages: what it returned, (B, K).

    Returns:
        `dead_groups`, the share of groups whose advantages are all zero (they teach nothing), and for turns
        k = 1, 2, … `advantage/turn_<k>/mean` and `advantage/turn_<k>/mean_abs` over the episodes that took the turn.
    """
    metrics = {"dead_groups": len(dead_groups(batch, advantages)) / len(np.unique(batch.group_ids))}
    for k in range(batch.turn_mask.shape[1]):
        taken = advantages[batch.turn_mask[:, k], k]
        if taken.size:
            metrics[f"advantage/turn_{k + 1}/mean"] = float(taken.mean())
            metrics[f"advantage/turn_{k + 1}/mean_abs"] = float(np.abs(taken).mean())
    return metrics


def dead_groups(batch: TurnBatch, advantages: NDArray[np.float64]) -> list[int]:
    """The groups whose advantages are all zero, of advantages (B, K)."""
    groups = np.unique(batch.group_ids)
    return [int(group) for group in groups if not advantages[batch.group_ids == group].any()]


def _summed(components: Iterable[Mapping[str, float]]) -> dict[str, float]:
    total: dict[str, float] = defaultdict(float)
    for named in components:
        for name, value in named.items():
            total[name] += value
    return total


def _means(prefix: str, rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    names = dict.fromkeys(name for row in rows for name in row)
    return {prefix + name: fmean(row.get(name, 0.0) for row in rows) for name in names}
