"""Calculator: the environment (`env`) beside its world and data."""

from turnenv.envs.calculator.env import Calculator, make_vector

__all__ = ["Calculator", "make_vector"]
