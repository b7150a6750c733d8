"""The options that estimators share: their legal values, and the check that names them."""

from collections.abc import Collection
from typing import Literal, get_args

Baseline = Literal["mean", "loo"]
Scale = Literal["std", "none"]
FinalTurn = Literal["outcome", "turn+outcome"]
Absent = Literal["skip", "zero"]
Episode = Literal["merged", "none"]
Rewards = Literal["turn", "outcome", "merged"]

BASELINES: tuple[Baseline, ...] = get_args(Baseline)
SCALES: tuple[Scale, ...] = get_args(Scale)
FINAL_TURNS: tuple[FinalTurn, ...] = get_args(FinalTurn)
ABSENTS: tuple[Absent, ...] = get_args(Absent)
EPISODES: tuple[Episode, ...] = get_args(Episode)
REWARDS: tuple[Rewards, ...] = get_args(Rewards)


def check_choice(name: str, value: str, choices: Collection[str]) -> None:
    """Raise ValueError unless ``value`` is one of ``choices``."""
    if value not in choices:
        raise ValueError(f"{name}={value!r} is not an option; choose one of {', '.join(map(repr, choices))}")


def check_discount(name: str, value: float) -> None:
    """Raise ValueError unless ``value`` lies in [0, 1]."""
    if not 0.0 <= value <= 1.0:
        raise ValueError(f"{name}={value!r} is not a discount; give a number from 0 to 1")
