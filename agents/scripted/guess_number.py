"""GuessNumber: an agent that halves the range, and one that names random numbers of it."""

from __future__ import annotations

import random
import re
from collections.abc import Callable

_RANGE = re.compile(r"between (-?\d+) and (-?\d+)")
_HINT = re.compile(r"(higher|lower) than (-?\d+)")


def make_expert() -> Callable[[str], str]:
    """Keeps track of the range that is still possible, and always guesses its middle."""
    low, high = 0, 0

    def act(observation: str) -> str:
        nonlocal low, high
        if stated := _RANGE.search(observation):
            low, high = int(stated[1]), int(stated[2])
        if hint := _HINT.search(observation):
            low, high = (int(hint[2]) + 1, high) if hint[1] == "higher" else (low, int(hint[2]) - 1)
        return f"It lies between {low} and {high}, so I guess {(low + high) // 2}"

    return act


def make_random(seed: int) -> Callable[[str], str]:
    """Guesses a random number of the range, whatever the hints say."""
    rng, low, high = random.Random(seed), 0, 0

    def act(observation: str) -> str:
        nonlocal low, high
        if stated := _RANGE.search(observation):
            low, high = int(stated[1]), int(stated[2])
        return f"I guess {rng.randint(low, high)}"

    return act
