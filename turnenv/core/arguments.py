"""Checks arguments against an environment's constructor, before anything is made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from inspect import Parameter, formatannotation, isclass, signature
from json import dumps
from typing import Any, get_type_hints

import gymnasium
from gymnasium.envs.registration import load_env_creator
from pydantic import ConfigDict, TypeAdapter, ValidationError

_OF_MAKE = ("max_episode_steps", "disable_env_checker")
"""Arguments of `gymnasium.make` itself."""
_JSON = (bool, int, float, str, list, dict, type(None))


def check_arguments(
    env: str | gymnasium.Env[Any, Any] | Callable[..., object], given: Mapping[str, Any], where: str = "env_kwargs"
) -> None:
    """Check the names of arguments, and the types of those that JSON can hold.

    Args:
        env: a registered id, a class, a function that makes an environment, or an environment, which takes none.
        given: its keyword arguments.
        where: where they were given, such as "env_kwargs"; the message begins with it.

    Raises:
        ValueError: if the id is unknown or cannot be imported; if there is no argument of that name (the message names
            the closest ones); if a value has the wrong type; or if an environment that is already made got arguments.
    """
    if isinstance(env, gymnasium.Env):
        if given:
            raise ValueError(
                f"{where}: {sorted(given)} cannot be set on an environment that is already made; pass its id"
            )
        return
    owner = _creator(env)
    if owner is None:
        return
    known = _parameters(owner)
    if known is None:
        return
    names = [name for name in known if name != "render_mode"]
    for name, value in given.items():
        if name in _OF_MAKE and isinstance(env, str):
            continue
        if name not in known:
            close = get_close_matches(name, names)
            hint = f"did you mean {' or '.join(map(repr, close))}? " if close else ""
            raise ValueError(f"{where}: {_title(env)} has no argument {name!r}; {hint}it takes: {', '.join(names)}")
        annotation, hint = known[name]
        if not _fits(value, hint):
            raise ValueError(f"{where}: {name} of {_title(env)} takes {annotation}; got {value!r}")


def _title(env: str | Callable[..., object]) -> str:
    return env if isinstance(env, str) else getattr(env, "__name__", type(env).__name__)


def _creator(env: str | Callable[..., object]) -> Callable[..., object] | None:
    if not isinstance(env, str):
        return env
    try:
        entry = gymnasium.spec(env).entry_point
        return load_env_creator(entry) if isinstance(entry, str) else entry
    except (gymnasium.error.Error, ImportError) as error:
        raise ValueError(str(error)) from error


def _parameters(function: Callable[..., object]) -> dict[str, tuple[str, Any]] | None:
    """Name → annotation as written and as a type (Any if it cannot be resolved); None if any name is accepted."""
    owners = [each for each in function.__mro__ if "__init__" in vars(each)] if isclass(function) else [function]
    found: dict[str, tuple[str, Any]] = {}
    for owner in owners:
        called: Callable[..., object] = vars(owner)["__init__"] if isclass(owner) else owner
        hints, parameters = _hints(called), list(signature(called).parameters.values())[isclass(owner) :]
        for each in parameters:
            if each.kind not in (Parameter.VAR_KEYWORD, Parameter.VAR_POSITIONAL):
                found.setdefault(each.name, (_written(each.annotation), hints.get(each.name, Any)))
        # A constructor passes its **kwargs to its base class.
        if not any(each.kind is Parameter.VAR_KEYWORD for each in parameters):
            return found
    return None


def _written(annotation: Any) -> str:
    return annotation if isinstance(annotation, str) else formatannotation(annotation)


def _hints(called: Callable[..., object]) -> dict[str, Any]:
    try:
        return get_type_hints(called)
    except (NameError, TypeError, AttributeError):
        return {}


def _fits(value: Any, hint: Any) -> bool:
    """False if a JSON value is certainly not of that type; numbers and strings are not converted."""
    if type(value) not in _JSON or hint is Any:
        return True
    try:
        TypeAdapter(hint, config=ConfigDict(arbitrary_types_allowed=True)).validate_json(dumps(value), strict=True)
    except ValidationError:
        return False
    except Exception:  # noqa: BLE001 (pydantic knows no schema for some annotations, in many ways)
        return True
    return True
