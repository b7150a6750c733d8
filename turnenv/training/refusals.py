"""Arguments of TRL that would not be read here, and rows that cannot be played: each is refused in a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_ARGUMENTS = {
    "reward_funcs": "the environment pays the rewards, so that none are computed from completions: drop it",
    "reward_processing_classes": "the environment pays the rewards, so that no reward model reads completions: drop it",
    "tools": "the environment has its own tools: drop it",
    "environment_factory": "pass the environment as env=",
    "rollout_func": "episodes are played by turnenv: drop it",
    "data_collator": "a batch is made of episodes: drop it",
    "compute_metrics": "an evaluation reports the episodes' metrics: drop it",
    "tokenizer": "its name is processing_class=",
}


def refuse_arguments(given: Mapping[str, Any]) -> None:
    """Raise ValueError for one of TRL's arguments that ours has no use for, TypeError for one that neither has."""
    for name, value in given.items():
        if name not in _ARGUMENTS:
            raise TypeError(f"TurnGRPOTrainer has no argument {name!r}")
        if value is not None:
            raise ValueError(f"{name}= would not be read: {_ARGUMENTS[name]}")


def check_rows(dataset: Any) -> None:
    """Raise ValueError if a dataset's rows are no episodes to play.

    Args:
        dataset: of `datasets`, streamed or not; several by name; or None.
    """
    for part in dataset.values() if isinstance(dataset, dict) else [dataset]:
        row = None if part is None else next(iter(part), None)
        if row is None:
            continue
        missing = [name for name in ("prompt", "seed") if name not in row]
        if missing:
            raise ValueError(
                f"the dataset has no column {missing[0]!r}: its rows name episodes by prompt (empty), seed and "
                "optionally task, as turnenv.training.seed_dataset makes them"
            )
        if row["prompt"]:
            raise ValueError(
                "the dataset's prompt would not be read: the environment writes what the policy reads; leave it empty"
            )
