"""Further groups in place of dead ones, whose advantages are all zero: they would give no gradient."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from datasets import Dataset

from turnenv.policies.token_stream import TokenStream
from turnenv.types import Episode

Row = dict[str, Any]
Played = tuple[Episode, TokenStream]


@dataclass(frozen=True)
class Resampling:
    """Plays further groups until none of a batch is dead, or until the bound.

    Attributes:
        play: plays one episode for each of this process's rows that is given; there may be none.
        gather: from this process's episodes to those of all processes.
        dead_groups: which groups are dead, of the episodes of all processes.
        further: a row to play in place of another; the second argument counts how often it was replaced.
        group_size: members of a group.
        first_row: the number of this process's first row among those of all processes.
        bound: the most groups that are played again in a batch.
    """

    play: Callable[[Sequence[Row]], list[Played]]
    gather: Callable[[Sequence[Episode]], list[Episode]]
    dead_groups: Callable[[Sequence[Episode]], list[int]]
    further: Callable[[Row, int], Row]
    group_size: int
    first_row: int
    bound: int

    def run(self, rows: Sequence[Row], played: list[Played]) -> dict[str, float]:
        """Replace dead groups in `played` and their seeds in `rows`, in place.

        Every process decides by the episodes of all of them, so that they go through the same rounds.

        Returns:
            `resampled/groups`, `resampled/episodes`, `resampled/turns` and `resampled/sampled_tokens`: what was
            played and dropped, by all processes.
        """
        episodes = self.gather([episode for episode, _ in played])
        dropped: list[list[Episode]] = []
        groups, attempt = 0, 0
        while again := set(self.dead_groups(episodes)[: self.bound - groups]):
            groups, attempt = groups + len(again), attempt + 1
            dropped.append([episodes[row] for row in range(len(episodes)) if row // self.group_size in again])
            mine = [row for row in range(len(rows)) if (self.first_row + row) // self.group_size in again]
            for row in mine:
                rows[row].update(self.further(rows[row], attempt))
            for row, new in zip(mine, self.play([rows[row] for row in mine]), strict=True):
                played[row] = new
            episodes = self.gather([episode for episode, _ in played])
        turns = [turn for each in dropped for episode in each for turn in episode.turns]
        return {
            "resampled/groups": float(groups),
            "resampled/episodes": float(sum(map(len, dropped))),
            "resampled/turns": float(len(turns)),
            "resampled/sampled_tokens": float(sum(len(turn.token_ids or ()) for turn in turns)),
        }


def further_row(row: Mapping[str, Any], attempt: int, dataset: Dataset | None) -> Row:
    """A row in place of one whose group was dead, the same whenever it is asked for.

    Args:
        row: the dead group's.
        attempt: 1 for the first time that it is replaced.
        dataset: the user's, of which another row is taken; None draws a new seed.
    """
    rng = np.random.default_rng([int(row["seed"]), attempt])
    if dataset is None:
        return {"seed": int(rng.integers(1 << 31))}
    chosen = dataset[int(rng.integers(len(dataset)))]
    return {name: chosen[name] for name in ("seed", "task") if name in chosen}
