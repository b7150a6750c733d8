"""turnenv: multi-turn text environments that tell each turn's reward apart from the episode's outcome."""

from turnenv.checker import ContractError, check_env
from turnenv.core import Reply, Snapshot, TextEnv
from turnenv.envs import register_all
from turnenv.rollout import Action, Policy, Scripted, collect
from turnenv.spaces import UnicodeText
from turnenv.types import End, Episode, Outcome, Turn
from turnenv.vector import TextVectorEnv
from turnenv.version import __version__

register_all()

__all__ = [
    "Action",
    "ContractError",
    "End",
    "Episode",
    "Outcome",
    "Policy",
    "Reply",
    "Scripted",
    "Snapshot",
    "TextEnv",
    "TextVectorEnv",
    "Turn",
    "UnicodeText",
    "__version__",
    "check_env",
    "collect",
]
