"""WordGuess: the environment (`env`) and its word lists."""

from turnenv.envs.word_guess.env import WordGuess, make_vector

__all__ = ["WordGuess", "make_vector"]
