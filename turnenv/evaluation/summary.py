"""What an evaluation says of an environment: success, rewards by component, turns, tokens, cost, faults."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from turnenv.evaluation.intervals import Interval, Share, mean_interval, share_interval
from turnenv.types import Episode, Turn

__all__ = ["Summary", "summarise"]


@dataclass(frozen=True, slots=True)
class Summary:
    """The means over an environment's episodes; those that ended in a fault count in `faults`, tokens and cost alone.

    Attributes:
        env: its id.
        episodes: how many there are without a fault; what follows is None if there are none.
        faults: how many ended in a fault.
        first_fault: what failed in the first of these; "" without one.
        success: share of solved episodes.
        total: the return: turn rewards and outcome.
        turn_reward: the sum of an episode's turn rewards.
        turn_components: that sum by component.
        outcome: the outcome's reward.
        outcome_components: that reward by component.
        turns: turns per episode.
        valid: share of actions that the environment made sense of, per episode.
        tokens_read: prompt tokens per episode, faults included; None if they were not counted.
        tokens_written: tokens that the model wrote per episode; None if they were not counted.
        cost: of all episodes together; None without prices.
    """

    env: str
    episodes: int
    faults: int
    first_fault: str
    success: Share | None
    total: Interval | None
    turn_reward: Interval | None
    turn_components: dict[str, Interval]
    outcome: Interval | None
    outcome_components: dict[str, Interval]
    turns: Interval | None
    valid: Interval | None
    tokens_read: float | None
    tokens_written: float | None
    cost: float | None


def summarise(env: str, episodes: Sequence[Episode]) -> Summary:
    """Sum up an environment's episodes."""
    sound = [episode for episode in episodes if not episode.faulted]
    faulted = [episode for episode in episodes if episode.faulted]
    turns = [turn for episode in episodes for turn in episode.turns]
    costs = [turn.usage.cost for turn in turns if turn.usage is not None and turn.usage.cost is not None]

    def mean(value: Callable[[Episode], float]) -> Interval | None:
        return mean_interval([value(episode) for episode in sound]) if sound else None

    return Summary(
        env=env,
        episodes=len(sound),
        faults=len(faulted),
        first_fault=faulted[0].outcome.fault if faulted else "",
        success=share_interval(sum(episode.outcome.success for episode in sound), len(sound)) if sound else None,
        total=mean(lambda episode: episode.total_reward),
        turn_reward=mean(lambda episode: sum(episode.turn_rewards)),
        turn_components=_by_component(sound, _turn_components),
        outcome=mean(lambda episode: episode.outcome.reward),
        outcome_components=_by_component(sound, lambda episode: dict(episode.outcome.components)),
        turns=mean(lambda episode: len(episode.turns)),
        valid=mean(lambda episode: sum(turn.valid_action for turn in episode.turns) / len(episode.turns)),
        tokens_read=_per_episode(turns, len(episodes), _read),
        tokens_written=_per_episode(turns, len(episodes), _written),
        cost=sum(costs) if costs else None,
    )


def _turn_components(episode: Episode) -> dict[str, float]:
    totals: dict[str, float] = {}
    for turn in episode.turns:
        for name, value in turn.reward_components.items():
            totals[name] = totals.get(name, 0.0) + value
    return totals


def _by_component(
    episodes: Sequence[Episode], components: Callable[[Episode], dict[str, float]]
) -> dict[str, Interval]:
    """The mean of each component; an episode that lacks one earned nothing by it."""
    found = [components(episode) for episode in episodes]
    names = dict.fromkeys(name for each in found for name in each)
    return {name: mean_interval([each.get(name, 0.0) for each in found]) for name in names}


def _per_episode(turns: Sequence[Turn], episodes: int, count: Callable[[Turn], int | None]) -> float | None:
    counts = [number for turn in turns if (number := count(turn)) is not None]
    return sum(counts) / episodes if counts else None


def _read(turn: Turn) -> int | None:
    return None if turn.usage is None else turn.usage.prompt


def _written(turn: Turn) -> int | None:
    if turn.usage is not None:
        return turn.usage.completion
    return None if turn.token_ids is None else len(turn.token_ids)
