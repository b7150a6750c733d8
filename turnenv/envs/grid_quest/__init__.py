"""GridQuest: the environment (`env`) beside its world and data."""

from turnenv.envs.grid_quest.env import GridQuest, make_vector

__all__ = ["GridQuest", "make_vector"]
