"""Episodes for TRL's log of completions: turn by turn, with the advantage that each turn was trained on."""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from typing import Any

from numpy import float64
from numpy.typing import NDArray

from turnenv.types import Episode


def as_text(episode: Episode, advantages: Sequence[float]) -> str:
    """An episode turn by turn: what the agent wrote, its reward and advantage, and what it read next."""
    observed = [turn.observation for turn in episode.turns[1:]] + [episode.final_observation]
    parts = []
    for number, (turn, advantage, seen) in enumerate(zip(episode.turns, advantages, observed, strict=False), start=1):
        parts.append(f"[turn {number} · reward {turn.turn_reward:+.2f} · advantage {advantage:+.2f}]\n{turn.action}")
        parts.append(f"[observation]\n{seen}")
    outcome = episode.outcome
    return "\n".join([*parts, f"[outcome {outcome.reward:+.2f} · {outcome.end}]"])


def replace_last(logs: MutableMapping[str, Any], episodes: Sequence[Episode], advantages_BK: NDArray[float64]) -> None:
    """Put a batch's episodes in place of what TRL logged of it last.

    Args:
        logs: TRL's, of which "prompt", "completion" and "advantages" hold one entry per episode.
        episodes: of all processes, with their texts.
        advantages_BK: of their turns; the log's column is their mean.
    """
    taken = [[float(value) for value in row[: len(e.turns)]] for e, row in zip(episodes, advantages_BK, strict=True)]
    columns: dict[str, list[Any]] = {
        "prompt": [episode.turns[0].observation for episode in episodes],
        "completion": [as_text(episode, row) for episode, row in zip(episodes, taken, strict=True)],
        "advantages": [sum(row) / len(row) for row in taken],
    }
    for name, values in columns.items():
        for _ in range(min(len(values), len(logs[name]))):
            logs[name].pop()
        logs[name].extend(values)
