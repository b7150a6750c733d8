"""turnenv: multi-turn text environments that tell each turn's reward apart from the episode's outcome."""

from turnenv.checker import ContractError, check_env
from turnenv.core import Reply, Snapshot, TextEnv, TextVectorEnv, UnicodeText
from turnenv.envs import register_all
from turnenv.policies import Action, Policy, Scripted
from turnenv.rollout import collect
from turnenv.types import End, Episode, Outcome, Turn
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
