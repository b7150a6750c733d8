"""The dataset of a run: which episodes it plays, as rows of seeds that TRL repeats for each member of a group."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from datasets import Dataset


def seed_dataset(num_seeds: int, *, seed: int = 0, tasks: Sequence[int] | None = None) -> Dataset:
    """Make one row per group; the members of a group share its row, and so its seed, its task and its noise.

    Args:
        num_seeds: rows.
        seed: which seeds are drawn; a longer dataset begins with the rows of a shorter one.
        tasks: the tasks to play, in turn; None lets each seed choose among all of the environment's.

    Returns:
        Columns `prompt` (empty: the environment writes it), `seed`, and `task` if `tasks` were given.

    Raises:
        ValueError: if there would be no row, or no task.
    """
    if num_seeds < 1:
        raise ValueError(f"num_seeds={num_seeds}: a run needs at least one seed")
    if tasks is not None and len(tasks) == 0:
        raise ValueError("tasks is empty: name at least one task, or pass None for all of them")
    seeds = np.random.default_rng(seed).integers(1 << 31, size=num_seeds).tolist()
    columns: dict[str, list[str] | list[int]] = {"prompt": [""] * num_seeds, "seed": seeds}
    if tasks is not None:
        columns["task"] = [tasks[row % len(tasks)] for row in range(num_seeds)]
    return Dataset.from_dict(columns)


def seeds_of_their_own(seeds: Sequence[int], first_row: int, group_size: int) -> list[int]:
    """A seed for each episode, where the members of a group shared one.

    Args:
        seeds: of this process's rows.
        first_row: the number of the first of them among the rows of all processes.
        group_size: members of a group.
    """
    members = [(first_row + row) % group_size for row in range(len(seeds))]
    return [
        int(np.random.default_rng([seed, member]).integers(1 << 31))
        for seed, member in zip(seeds, members, strict=True)
    ]
