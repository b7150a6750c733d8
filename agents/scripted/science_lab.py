"""ScienceLab: an agent that runs the experiment with the most expected information, and one that acts at random."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from math import log

from turnenv.envs.science_lab import Chances, Lab, make_lab, posterior

_SURE = 0.995
_SETUPS = {40: "curves", 8: "switches"}


def make_expert() -> Callable[[str], str]:
    """Measures where the expected information gain is largest, until it is 99.5 % sure of a law or out of turns."""
    lab: Lab
    readings: list[tuple[int, int]] = []
    turns_left = 0

    def act(observation: str) -> str:
        nonlocal lab, turns_left
        if stated := re.match(r"Which of the (\d+) laws holds\? The noise is (\S+)\. You have (\d+)", observation):
            lab, turns_left = make_lab(_SETUPS[int(stated[1])], float(stated[2])), int(stated[3])
        elif read := re.match(r"x = (\d+): you read y = (\d+)", observation):
            readings.append((int(read[1]), int(read[2])))
        turns_left -= 1
        chance_of = posterior(lab, readings)
        likeliest = max(chance_of, key=lambda law: chance_of[law])
        if turns_left == 0 or chance_of[likeliest] > _SURE:
            return f"The readings fit best to law {likeliest + 1}"
        worth = certainty if turns_left == 1 else information
        gains = [worth(chance_of, chances) for chances in lab.chances]
        return f"measure {gains.index(max(gains))}"

    return act


def information(belief: Mapping[int, float], chances: Chances) -> float:
    """Expected information gain of an experiment, in nats: the reading's entropy minus its entropy given the law."""
    readings: dict[int, float] = {}
    known = 0.0
    for law, weight in belief.items():
        known += weight * _entropy(chances[law][1])
        for reading, chance in zip(*chances[law], strict=True):
            readings[reading] = readings.get(reading, 0.0) + weight * chance
    return _entropy(tuple(readings.values())) - known


def certainty(belief: Mapping[int, float], chances: Chances) -> float:
    """Expected probability of the likeliest law after an experiment."""
    best: dict[int, float] = {}
    for law, weight in belief.items():
        for reading, chance in zip(*chances[law], strict=True):
            best[reading] = max(best.get(reading, 0.0), weight * chance)
    return sum(best.values())


@lru_cache(maxsize=1 << 12)
def _entropy(chances: tuple[float, ...]) -> float:
    return -sum(chance * log(chance) for chance in chances if chance)


def make_random(seed: int) -> Callable[[str], str]:
    """Measures at random points for up to four turns, then names a random law."""
    rng, laws, points, patience = random.Random(seed), 1, 1, 0

    def act(observation: str) -> str:
        nonlocal laws, points, patience
        if stated := re.match(r"Which of the (\d+) laws holds", observation):
            laws, patience = int(stated[1]), rng.randrange(5)
            points = 11 if _SETUPS[laws] == "curves" else 4
        patience -= 1
        return f"law {rng.randint(1, laws)}" if patience < 0 else f"measure {rng.randrange(points)}"

    return act
