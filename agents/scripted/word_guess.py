"""WordGuess: an agent that guesses for the most information, and one that guesses at random."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from turnenv.envs.word_guess.env import word_list


def make_expert() -> Callable[[str], str]:
    """Guesses the word whose marks are least predictable, given the words that are still possible."""
    length, possible = 0, np.zeros(0, dtype=np.int64)

    def act(observation: str) -> str:
        nonlocal length, possible
        if asked := re.match(r"Guess the hidden word of (\d) letters", observation):
            length = int(asked[1])
            possible = np.arange(len(word_list(length)))
        elif marked := re.match(r"(\w+): ([-GY ]+)$", observation):
            guess = word_list(length).index(marked[1])
            possible = possible[_marks(length)[guess, possible] == _code(marked[2])]
        return (
            f"I think of {len(possible)} words. My guess: {word_list(length)[_best(length, tuple(possible.tolist()))]}"
        )

    return act


def make_random(seed: int) -> Callable[[str], str]:
    """Guesses random words of the list."""
    rng, length = random.Random(seed), 0

    def act(observation: str) -> str:
        nonlocal length
        if asked := re.match(r"Guess the hidden word of (\d) letters", observation):
            length = int(asked[1])
        return rng.choice(word_list(length))

    return act


@lru_cache(maxsize=4096)
def _best(length: int, possible: tuple[int, ...]) -> int:
    """The number of the word with the highest entropy of marks (nats); of equal ones, a possible word."""
    if len(possible) <= 2:
        return possible[0]
    marks = _marks(length)[:, list(possible)]
    width = 3**length
    rows = np.arange(len(marks))[:, None] * width
    share = np.bincount((rows + marks).ravel(), minlength=len(marks) * width).reshape(-1, width) / len(possible)
    entropy = -(share * np.log(np.where(share > 0.0, share, 1.0))).sum(-1)
    entropy[list(possible)] += 1e-6
    return int(entropy.argmax())


@lru_cache
def _marks(length: int) -> NDArray[np.int64]:
    """The marks of each guess (row) for each hidden word (column), as a number in base 3."""
    words = word_list(length)
    letters = np.array([list(word.encode()) for word in words])
    right = letters[:, None, :] == letters[None, :, :]
    codes = np.zeros((len(words), len(words)), dtype=np.int64)
    taken = right.copy()
    for place in range(length):
        found = right[:, :, place].copy()
        code = np.where(found, 2, 0)
        for other in range(length):
            free = (letters[:, None, place] == letters[None, :, other]) & ~found & ~taken[:, :, other]
            taken[:, :, other] |= free
            found |= free
            code[free] = 1
        codes = codes * 3 + code
    return codes


def _code(marks: str) -> int:
    return int("".join(str("-YG".index(mark)) for mark in marks.split()), 3)
