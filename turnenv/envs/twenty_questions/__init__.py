"""TwentyQuestions: the environment (`env`) and what can be asked (`attributes`)."""

from turnenv.envs.twenty_questions.env import TwentyQuestions, make_vector

__all__ = ["TwentyQuestions", "make_vector"]
