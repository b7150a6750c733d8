"""BlocksArm: the environment (`env`) beside its world and data."""

from turnenv.envs.blocks_arm.env import BlocksArm, make_vector

__all__ = ["BlocksArm", "make_vector"]
