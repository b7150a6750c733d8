"""Scores of the scripted agents: how often each succeeds, what it earns, and what each reward component pays."""

from __future__ import annotations

import platform
import statistics
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict
from scipy.stats import binomtest

from agents.scripted import EXPERTS, RANDOMS
from benchmarks.harness.statistics import mean_interval
from turnenv import Episode, Scripted, __version__, collect

AgentName = Literal["expert", "random"]
AGENTS: tuple[AgentName, ...] = ("expert", "random")
SEEDS = 500
"""Episodes of an agent, seeded 0 … SEEDS - 1."""

Range = tuple[float, float]
"""Smallest and largest value seen."""


class Score(BaseModel):
    """A row: one agent in one id.

    Attributes:
        id: what `gym.make` takes.
        agent: who played.
        seeds: episodes played, with the seeds 0, 1, ….
        successes: episodes that solved the task.
        mean_return: turn rewards plus outcome reward, mean over episodes.
        return_half_width: of its 95 % t-interval.
        mean_turns: turns per episode.
        turn_sum: smallest and largest sum of an episode's turn rewards.
        turn_components: smallest and largest value of each component of a turn's reward.
        outcome_components: likewise of the outcome's reward; a component that an episode lacks is 0.
        versions: of turnenv, Python and numpy, which played.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    agent: AgentName
    seeds: int
    successes: int
    mean_return: float
    return_half_width: float
    mean_turns: float
    turn_sum: Range
    turn_components: Mapping[str, Range]
    outcome_components: Mapping[str, Range]
    versions: Mapping[str, str]

    @classmethod
    def of(cls, env_id: str, agent: AgentName, episodes: Sequence[Episode]) -> Self:
        """The row of an agent's episodes."""
        returns = mean_interval([episode.total_reward for episode in episodes])
        sums = [sum(episode.turn_rewards) for episode in episodes]
        outcomes = [episode.outcome.components for episode in episodes]
        names = [name for paid in outcomes for name in paid]
        return cls(
            id=env_id,
            agent=agent,
            seeds=len(episodes),
            successes=sum(episode.outcome.success for episode in episodes),
            mean_return=round(returns.mean, 6),
            return_half_width=round(returns.half_width, 6),
            mean_turns=statistics.fmean(len(episode.turns) for episode in episodes),
            turn_sum=(round(min(sums), 6), round(max(sums), 6)),
            turn_components=_ranges(turn.reward_components for episode in episodes for turn in episode.turns),
            outcome_components=_ranges([{**dict.fromkeys(names, 0.0), **paid} for paid in outcomes]),
            versions={"turnenv": __version__, "python": platform.python_version(), "numpy": version("numpy")},
        )

    @property
    def success_interval(self) -> Range:
        """Wilson's 95 % interval of the success rate."""
        interval = binomtest(self.successes, self.seeds).proportion_ci(0.95, method="wilson")
        return float(interval.low), float(interval.high)

    @property
    def result(self) -> dict[str, object]:
        """The row without the versions that it was made with."""
        return self.model_dump(exclude={"versions"})


def play(env_id: str, agent: AgentName, seeds: Sequence[int]) -> list[Episode]:
    """An agent's episodes; the random one of an episode has the episode's seed."""
    if agent == "expert":
        return collect(env_id, Scripted(EXPERTS[env_id]), seeds)
    agents = (RANDOMS[env_id](seed) for seed in seeds)
    return collect(env_id, Scripted(lambda: next(agents)), seeds)


def read_scores(path: Path) -> dict[tuple[str, AgentName], Score]:
    """The rows of a file by id and agent.

    Raises:
        ValueError: if a line is no row.
    """
    rows = map(Score.model_validate_json, path.read_text(encoding="utf-8").splitlines())
    return {(row.id, row.agent): row for row in rows}


def as_lines(scores: Iterable[Score]) -> str:
    """The rows as a file has them."""
    return "".join(score.model_dump_json() + "\n" for score in scores)


def _ranges(paid: Iterable[Mapping[str, float]]) -> dict[str, Range]:
    values: dict[str, list[float]] = {}
    for components in paid:
        for name, value in components.items():
            values.setdefault(name, []).append(value)
    return {name: (round(min(seen), 6), round(max(seen), 6)) for name, seen in values.items()}
