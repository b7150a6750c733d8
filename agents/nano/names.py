"""Invented words: names built of syllables, and numbers, so that what is copied cannot be remembered."""

from __future__ import annotations

import re
from collections.abc import Sequence
from random import Random

_ONSETS = (
    *2 * ("", "b", "c", "d", "f", "g", "h", "k", "l", "m", "n", "p", "r", "s", "t", "v"),
    *(
        "j",
        "w",
        "y",
        "z",
        "br",
        "ch",
        "cl",
        "cr",
        "dr",
        "fr",
        "gr",
        "ph",
        "pl",
        "pr",
        "qu",
        "sh",
        "sl",
        "st",
        "th",
        "tr",
    ),
)
_VOWELS = (*3 * ("a", "e", "i", "o", "u"), "y", "ae", "ai", "au", "ea", "ee", "ei", "ie", "io", "ou")
_CODAS = (*8 * ("",), *2 * ("n", "r", "l", "s"), "m", "t", "d", "k", "c", "ck", "ld", "ll", "nd", "ng", "rk", "st")


class Inventor:
    """Invents names and numbers that look like the real ones.

    Args:
        rng: makes all random choices.
        words: real words, which some of the invented ones are made of.
    """

    def __init__(self, rng: Random, words: Sequence[str]) -> None:
        self._rng, self._words = rng, words

    def name(self) -> str:
        """One or two words, seldom three."""
        return " ".join(self._word() for _ in range(self._rng.choices((1, 2, 3), (5, 4, 1))[0]))

    def number(self, like: str) -> str:
        """Another number with as many digits; the first one stays, so that a year remains one."""
        return re.sub(r"(?<=\d)\d", lambda _: str(self._rng.randrange(10)), like)

    def _word(self) -> str:
        kind, left, right = self._rng.random(), self._rng.choice(self._words), self._rng.choice(self._words)
        if kind < 0.15:
            return left.capitalize()
        if kind < 0.4:
            return (left[: (len(left) + 1) // 2] + right[len(right) // 2 :].lower()).capitalize()
        return "".join(self._syllable() for _ in range(self._rng.choices((1, 2, 3, 4), (1, 5, 4, 1))[0])).capitalize()

    def _syllable(self) -> str:
        return f"{self._rng.choice(_ONSETS)}{self._rng.choice(_VOWELS)}{self._rng.choice(_CODAS)}"
