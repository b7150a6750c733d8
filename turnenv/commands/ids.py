"""From what somebody types to a registered id: short names, ids, and ids of a module that is imported first."""

from __future__ import annotations

import importlib

from turnenv.commands.console import Mistake, did_you_mean
from turnenv.envs import IDS

ID_HELP = "an id, in full or short (GuessNumber, GridQuest-easy), or module:ns/Name-v0 to import a module first"


def short_name(env_id: str) -> str:
    """An id of ours without its namespace and `-v0`: `GridQuest-easy` of `turnenv/GridQuest-easy-v0`."""
    return env_id.removeprefix("turnenv/").removesuffix("-v0")


def resolve_id(name: str) -> str:
    """The registered id that a name stands for.

    `GuessNumber` and `GuessNumber-v0` stand for `turnenv/GuessNumber-v0`; of `module:ns/Name-v0` the module is imported,
    and the rest is the id.

    Raises:
        Mistake: if the module cannot be imported or nothing has that id; the message holds the nearest ones.
    """
    module, _, env_id = name.rpartition(":")
    if module:
        _import(module)
    for candidate in (env_id, f"turnenv/{env_id}", f"turnenv/{env_id}-v0"):
        if candidate in IDS:
            return candidate
    from gymnasium import registry

    if env_id in registry:
        return env_id
    like = did_you_mean(env_id, [*IDS, *map(short_name, IDS), *registry])
    hint = like or "; 'module:ns/Name-v0' imports a module first"
    raise Mistake(f"no environment {env_id!r} is registered{hint} `turnenv list` shows the ids")


def _import(module: str) -> None:
    try:
        importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise Mistake(f"cannot import {module!r}: {error}") from error
