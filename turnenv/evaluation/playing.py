"""A plan of episodes, played by a policy and kept one by one: what is there already is not played again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from turnenv.evaluation.episode_file import EpisodeFile
from turnenv.policies import PacedPolicy, Policy
from turnenv.rollout import collect, vectorise
from turnenv.types import Episode

__all__ = ["Plan", "play"]


@dataclass(frozen=True, slots=True)
class Plan:
    """Which episodes of an environment are played.

    Attributes:
        env: its id, or `module:function`.
        kwargs: its arguments.
        seeds: one per episode, all different.
        tasks: one per episode; None lets the seed decide.
    """

    env: str
    seeds: Sequence[int]
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    tasks: Sequence[int] | None = None


def play(
    plan: Plan,
    policy: Policy | PacedPolicy,
    concurrency: int,
    file: EpisodeFile,
    report: Callable[[Episode], None],
) -> list[Episode]:
    """Play what the file lacks of a plan.

    Args:
        plan: the episodes.
        policy: plays them; one that acts on batches plays `concurrency` at a time.
        concurrency: how many at once.
        file: keeps them.
        report: called with each episode that is new, after it has been kept.

    Returns:
        All episodes, in the order of the seeds.

    Raises:
        ValueError: the file holds an episode of another plan.
    """

    def keep(_: int, episode: Episode) -> None:
        file.append(episode)
        report(episode)

    known = {episode.seed for episode in file.episodes}
    if not known <= set(plan.seeds) or len(known) < len(file.episodes):
        raise ValueError(f"the folder holds episodes of {plan.env} that are not of this evaluation: pass another --out")
    missing = [row for row, seed in enumerate(plan.seeds) if seed not in known]
    step = len(missing) if isinstance(policy, PacedPolicy) else concurrency
    for first in range(0, len(missing), max(1, step)):
        _play_rows(plan, policy, concurrency, missing[first : first + step], keep)
    by_seed = {episode.seed: episode for episode in file.episodes}
    return [by_seed[seed] for seed in plan.seeds]


def _play_rows(
    plan: Plan,
    policy: Policy | PacedPolicy,
    concurrency: int,
    rows: Sequence[int],
    keep: Callable[[int, Episode], None],
) -> None:
    batch = vectorise(plan.env, min(concurrency, len(rows)), **plan.kwargs)
    tasks = None if plan.tasks is None else [plan.tasks[row] for row in rows]
    try:
        collect(batch, policy, [plan.seeds[row] for row in rows], tasks=tasks, on_finished=keep)
    finally:
        batch.close()
