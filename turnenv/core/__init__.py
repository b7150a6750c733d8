"""The environment contract: authors write a `TextEnv` that returns `Reply`s; `TextVectorEnv` steps many episodes."""

from turnenv.core.batched_infos import turn_infos
from turnenv.core.env import Snapshot, TextEnv
from turnenv.core.reply import Reply
from turnenv.core.spaces import UnicodeText
from turnenv.core.vector import TextVectorEnv

__all__ = ["Reply", "Snapshot", "TextEnv", "TextVectorEnv", "UnicodeText", "turn_infos"]
