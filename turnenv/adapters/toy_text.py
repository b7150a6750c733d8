"""Gymnasium's FrozenLake and Taxi in words: examples of `GymnasiumEnv` to play and to train on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gymnasium

from turnenv.adapters.gymnasium import GymnasiumEnv, Step

__all__ = ["frozen_lake", "taxi"]

_MOVES = {"left": 0, "down": 1, "right": 2, "up": 3}
_DRIVES = {"south": 0, "north": 1, "east": 2, "west": 3, "pick up": 4, "drop off": 5}
_STANDS = ("the red stand", "the green stand", "the yellow stand", "the blue stand")
_PROGRESS = 0.5


def frozen_lake(**kwargs: Any) -> GymnasiumEnv:
    """FrozenLake-v1 in words: the agent reads its place and writes left, down, right or up.

    A turn earns `0.5 · (d_before - d_after) / d_start`, where d counts the steps to the lower right corner, holes
    ignored, so that an episode that reaches the goal there earns 0.5 in turn rewards. A hole costs nothing. The
    outcome is Gymnasium's reward, 1 at the goal.

    Args:
        **kwargs: passed to `gymnasium.make`, e.g. `is_slippery=False`.
    """
    env = gymnasium.make("FrozenLake-v1", **kwargs)
    lake: Any = env.unwrapped
    rows, columns = lake.nrow, lake.ncol

    def observe(place: int) -> str:
        row, column = divmod(int(place), columns)
        field = lake.desc[row, column].decode()
        where = {"H": "You fell into a hole", "G": "You reached the goal"}.get(field, "You stand")
        return f"{where} at row {row + 1} of {rows}, column {column + 1} of {columns}."

    def distance(place: int) -> int:
        row, column = divmod(int(place), columns)
        return int(rows - 1 - row + columns - 1 - column)

    def progress(step: Step) -> Mapping[str, float]:
        return {"progress": _PROGRESS * (distance(step.before) - distance(step.observation)) / distance(0)}

    return GymnasiumEnv(
        env,
        observe=observe,
        act=lambda text: _MOVES[_plain(text)],
        turn_reward=progress,
        outcome=lambda step: {"goal": step.reward},
        success=lambda step: step.reward > 0,
        state_key=int,
        system_prompt=(
            f"You cross a frozen lake of {rows} rows and {columns} columns, from the upper left to the lower right. "
            "Some fields are holes. Write one word per turn: left, down, right or up."
        ),
    )


def taxi(**kwargs: Any) -> GymnasiumEnv:
    """Taxi in words: the agent reads where taxi, passenger and destination are, and writes where to drive.

    The step's reward is the turn reward, and there is no outcome reward: -1 per move, -10 for a pick-up or drop-off at
    a wrong place, 20 for the delivery.

    Args:
        **kwargs: passed to `gymnasium.make`.
    """
    env = gymnasium.make("Taxi-v4", **kwargs)
    decode: Any = env.unwrapped.decode  # type: ignore[attr-defined]

    def observe(state: int) -> str:
        row, column, passenger, destination = decode(int(state))
        rider = "in the taxi" if passenger == len(_STANDS) else f"at {_STANDS[passenger]}"
        return (
            f"The taxi is at row {row + 1}, column {column + 1}. The passenger is {rider} and wants to go to "
            f"{_STANDS[destination]}."
        )

    return GymnasiumEnv(
        env,
        observe=observe,
        act=lambda text: _DRIVES[_plain(text)],
        success=lambda step: step.reward > 0,
        state_key=int,
        system_prompt=(
            "You drive a taxi on a map of 5 rows and 5 columns. The red stand is at row 1, column 1; the green one at "
            "row 1, column 5; the yellow one at row 5, column 1; the blue one at row 5, column 4. Walls block some "
            "ways. Write one action per turn: south, north, east, west, pick up or drop off."
        ),
    )


def _plain(text: str) -> str:
    return " ".join(text.lower().strip(" \t\r\n.!\"'").split())
