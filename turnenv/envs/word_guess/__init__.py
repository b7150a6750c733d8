"""WordGuess: the environment (`env`) beside its world and data."""

from turnenv.envs.word_guess.env import WordGuess, make_vector

__all__ = ["WordGuess", "make_vector"]
