"""GridQuest: the environment (`env`) and its houses (`house`)."""

from turnenv.envs.grid_quest.env import GridQuest, make_vector

__all__ = ["GridQuest", "make_vector"]
