"""Multi-turn text environments that report a reward for every turn, separately from the episode's outcome.

Importing this package makes its ids known to `gymnasium.make`. The names below are imported when they are first used,
so that `import turnenv` itself imports neither Gymnasium nor NumPy.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from turnenv.envs.registration import register_with_gymnasium
from turnenv.version import __version__

if TYPE_CHECKING:
    from turnenv.checker import ContractError, check_env
    from turnenv.core import Reply, Snapshot, TextEnv, TextVectorEnv, UnicodeText
    from turnenv.policies import Action, Policy, Scripted
    from turnenv.report import show
    from turnenv.rollout import collect
    from turnenv.types import End, Episode, Outcome, Turn

register_with_gymnasium()

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
    "show",
]

_NAMES_OF_A_MODULE = {
    "checker": ("ContractError", "check_env"),
    "core": ("Reply", "Snapshot", "TextEnv", "TextVectorEnv", "UnicodeText"),
    "policies": ("Action", "Policy", "Scripted"),
    "report": ("show",),
    "rollout": ("collect",),
    "types": ("End", "Episode", "Outcome", "Turn"),
}
_MODULE_OF_A_NAME = {name: module for module, names in _NAMES_OF_A_MODULE.items() for name in names}


def __getattr__(name: str) -> Any:
    """Import a public name, or a module that holds public names, when it is first used (PEP 562)."""
    if name in _NAMES_OF_A_MODULE:
        return import_module(f"{__name__}.{name}")
    if name not in _MODULE_OF_A_NAME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_MODULE_OF_A_NAME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_NAMES_OF_A_MODULE})
