"""BlocksArm: the environment (`env`) and its arrangements of blocks (`world`)."""

from turnenv.envs.blocks_arm.env import BlocksArm, make_vector

__all__ = ["BlocksArm", "make_vector"]
