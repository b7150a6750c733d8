"""What is known of the ids without making them: the catalogue and the example episodes that lie beside the pages."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any, TypedDict


class Entry(TypedDict):
    """What the catalogue says of an id; `python -m benchmarks pages` writes it from the code.

    Shares are from 0 to 1. Rewards are by component: the smallest and the largest value seen in a turn, or at the end.
    `num_tasks` is None if tasks have any number.
    """

    id: str
    family: str
    summary: str
    max_turns: int
    num_tasks: int | None
    parameters: dict[str, Any]
    solved_exactly: bool
    expert_success: float
    random_success: float
    turn_rewards: dict[str, tuple[float, float]]
    outcome_rewards: dict[str, tuple[float, float]]


def read_catalogue() -> list[Entry]:
    """Every id, family by family."""
    entries: list[Entry] = json.loads(_read("catalogue.json"))
    return entries


def read_example(env_id: str) -> str | None:
    """An episode of the expert in an id, a line of JSON; None if there is none."""
    for line in _read("examples.jsonl").splitlines():
        if json.loads(line)["env_id"] == env_id:
            return line
    return None


def _read(name: str) -> str:
    return files("turnenv.envs").joinpath("pages", name).read_text(encoding="utf-8")
