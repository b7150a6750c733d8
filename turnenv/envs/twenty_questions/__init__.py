"""TwentyQuestions: the environment (`env`) beside its world and data."""

from turnenv.envs.twenty_questions.env import TwentyQuestions, make_vector

__all__ = ["TwentyQuestions", "make_vector"]
