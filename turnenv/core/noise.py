"""The noise of one turn: it depends only on the episode's seed and the turn, and a few draws are cheap."""

from __future__ import annotations

from hashlib import blake2b
from struct import Struct
from typing import Any

import numpy as np

_DRAW = Struct("<qqq").pack
_UNSIGNED = Struct("<Q").unpack


class TurnGenerator:
    """Replaces the `numpy.random.Generator` of one turn: `random()` is a hash, any other draw seeds a generator.

    Seeding takes longer than a whole turn of most tasks; most turns draw nothing, or a number or two.
    """

    __slots__ = ("draws", "episode_seed", "generator", "turn")

    def __init__(self, episode_seed: int, turn: int) -> None:
        self.episode_seed, self.turn, self.draws = episode_seed, turn, 0
        self.generator: np.random.Generator | None = None

    def random(self, *args: Any, **kwargs: Any) -> Any:
        """A float in [0, 1) with 53 random bits; with arguments, what the seeded generator returns."""
        if args or kwargs:
            return self._seeded().random(*args, **kwargs)
        counted = _DRAW(self.episode_seed, self.turn, self.draws)
        self.draws += 1
        return (_UNSIGNED(blake2b(counted, digest_size=8).digest())[0] >> 11) * 2.0**-53

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # what copy and pickle look for
            raise AttributeError(name)
        return getattr(self._seeded(), name)

    def _seeded(self) -> np.random.Generator:
        if self.generator is None:
            self.generator = np.random.default_rng((self.episode_seed, self.turn))
        return self.generator
