"""Calculator: the environment (`env`), its word problems (`problems`) and exact arithmetic (`arithmetic`)."""

from turnenv.envs.calculator.env import Calculator, make_vector

__all__ = ["Calculator", "make_vector"]
