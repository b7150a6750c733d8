"""From what somebody types to a registered id: short names, ids, and what a module registers or makes."""

from __future__ import annotations

from turnenv.commands.console import MistakeError, did_you_mean
from turnenv.envs import IDS

ID_HELP = "an id, in full or short (GuessNumber, GridQuest-easy), or module:ns/Name-v0, or module:function"


def short_name(env_id: str) -> str:
    """An id of ours without its namespace and `-v0`: `GridQuest-easy` of `turnenv/GridQuest-easy-v0`."""
    return env_id.removeprefix("turnenv/").removesuffix("-v0")


def resolve_id(name: str) -> str:
    """The registered id that a name stands for.

    `GuessNumber` and `GuessNumber-v0` stand for `turnenv/GuessNumber-v0`. Of `module:ns/Name-v0` the module is
    imported, and the rest is the id; `module:function` makes an environment, and stays as it is.

    Raises:
        MistakeError: if the module cannot be imported or nothing has that id; the message holds the nearest ones.
    """
    module, _, env_id = name.rpartition(":")
    if module not in ("", "turnenv"):
        return _of_module(name)
    for candidate in (env_id, f"{env_id}-v0", f"turnenv/{env_id}", f"turnenv/{env_id}-v0"):
        if candidate in IDS:
            return candidate
    from gymnasium import registry

    if env_id in registry:
        return env_id
    like = did_you_mean(env_id, [*IDS, *map(short_name, IDS), *registry])
    hint = like or "; 'module:ns/Name-v0' imports a module first"
    raise MistakeError(f"no environment {env_id!r} is registered{hint} `turnenv list` shows the ids")


def _of_module(name: str) -> str:
    from turnenv.adapters import load_env

    try:
        found = load_env(name)
    except ValueError as error:
        raise MistakeError(str(error)) from error
    return found if isinstance(found, str) else name
