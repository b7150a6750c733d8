"""Adapts any text environment under Gymnasium's API to turnenv's contract."""

from __future__ import annotations

import copy
import importlib
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias, cast

import gymnasium
from gymnasium.vector import VectorEnv
from gymnasium.wrappers import TimeLimit

from turnenv.adapters.gymnasium import GymnasiumEnv
from turnenv.adapters.wrapped import WrappedTextEnv, without_checks
from turnenv.core.contract import TextEnvironment

__all__ = ["AnyEnv", "as_text_env", "env_maker", "load_env", "make_any"]

AnyEnv: TypeAlias = str | gymnasium.Env[Any, Any] | Callable[..., gymnasium.Env[Any, Any]]
"""An id, an environment (wrapped or not, turnenv's or not), or a function or class that makes one."""

_FORMS = "give an id, a gymnasium.Env, or a function that makes one"


def as_text_env(env: AnyEnv, **kwargs: Any) -> TextEnvironment:
    """Adapt one environment to the contract of `turnenv.TextEnv`.

    * A `TextEnv`, or whatever else keeps its contract, is returned as it is.
    * A `TextEnv` in wrappers keeps them (`turnenv.adapters.wrapped.WrappedTextEnv`); outermost wrappers that only check
      (`OrderEnforcing`, `PassiveEnvChecker`) are removed.
    * Another `gymnasium.Env` with strings both ways is adapted by `turnenv.adapters.gymnasium.GymnasiumEnv`.

    Args:
        env: what to play; a string is an id that `gymnasium.make` takes, `module:id` or `module:function`.
        **kwargs: passed to `gymnasium.make` or to the function.

    Raises:
        TypeError: if it is not a text environment, or `kwargs` are passed with an environment that is already made; the
            message says what to do.
        ValueError: if a wrapper loses turn rewards (the message names it), or a module cannot be imported.
        gymnasium.error.Error: if the id is not registered.
    """
    return _adapt(make_any(env, **kwargs))


def make_any(env: AnyEnv, **kwargs: Any) -> gymnasium.Env[Any, Any]:
    """Make the environment of an id or a function without adapting it; return an instance as it is.

    Raises:
        TypeError: if it is not an environment, or `kwargs` are passed with an instance.
        ValueError: if a module cannot be imported.
        gymnasium.error.Error: if the id is not registered.
    """
    env = load_env(env)
    if isinstance(env, gymnasium.Env):
        if kwargs:
            raise TypeError(f"{sorted(kwargs)} cannot be set on an environment that is already made; pass an id")
        return env
    result: Any = gymnasium.make(env, **kwargs) if isinstance(env, str) else env(**kwargs) if callable(env) else env
    if isinstance(result, VectorEnv):
        raise TypeError(f"a {type(result).__name__} holds many environments; {_FORMS}, and turnenv makes the batch")
    if not isinstance(result, gymnasium.Env):
        raise TypeError(f"a {type(result).__name__} is not an environment: {_FORMS}")
    return result


def _adapt(env: gymnasium.Env[Any, Any]) -> TextEnvironment:
    env = without_checks(env)
    if isinstance(env, WrappedTextEnv) or (isinstance(env, TextEnvironment) and not isinstance(env, gymnasium.Wrapper)):
        return cast(TextEnvironment, env)
    if isinstance(env.unwrapped, TextEnvironment):
        return WrappedTextEnv(env)
    return GymnasiumEnv(env)


def env_maker(env: AnyEnv, *, max_turns: int | None = None, **kwargs: Any) -> Callable[[], TextEnvironment]:
    """Return a function that makes a fresh, adapted environment at each call.

    An instance is never played itself; it is copied by its spec (`gymnasium.make(env.spec)`), or else by `deepcopy`.

    Args:
        env: what to play; see `as_text_env`.
        max_turns: wraps it in a `TimeLimit` of this many turns; None does not.
        **kwargs: passed to `gymnasium.make` or to the function.

    Raises:
        TypeError: if an instance can be copied in neither way, or `kwargs` are passed with it.
    """
    make = _copier(env, kwargs) if isinstance(env, gymnasium.Env) else lambda: make_any(env, **kwargs)
    if max_turns is None:
        return lambda: as_text_env(make())
    return lambda: as_text_env(TimeLimit(make(), max_turns))


def _copier(env: gymnasium.Env[Any, Any], kwargs: Mapping[str, Any]) -> Callable[[], gymnasium.Env[Any, Any]]:
    make_any(env, **kwargs)
    if _remake(env) is not None:
        return lambda: cast(gymnasium.Env[Any, Any], _remake(env))
    try:
        kept = copy.deepcopy(env)
    except Exception as error:
        raise TypeError(
            f"{env} can be copied neither by its spec nor by deepcopy ({error!r}): pass a function that makes one"
        ) from error
    return lambda: copy.deepcopy(kept)


def _remake(env: gymnasium.Env[Any, Any]) -> gymnasium.Env[Any, Any] | None:
    """Make the environment again from its spec; None if the spec is missing or does not describe all its wrappers."""
    if env.spec is None or env.spec.entry_point is None:
        return None
    try:
        again = gymnasium.make(env.spec)
    except Exception:  # noqa: BLE001 (a wrapper that does not record its arguments, an entry point that moved, …)
        return None
    return again if _types_of(again) == _types_of(env) else None


def _types_of(env: gymnasium.Env[Any, Any]) -> list[type]:
    chain = [type(env)]
    while isinstance(env, gymnasium.Wrapper):
        env = env.env
        chain.append(type(env))
    return chain


def load_env(env: AnyEnv) -> AnyEnv:
    """Find the environment that a string names; anything but a string is returned as it is.

    Args:
        env: an id; `module:id`, which imports the module first; or `module:function` (or class), which makes one.

    Returns:
        The id, or the function.

    Raises:
        ValueError: if the module cannot be imported, or has no such function and no such id.
    """
    if not isinstance(env, str) or ":" not in env:
        return env
    module_name, _, name = env.rpartition(":")
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise ValueError(f"{env}: {error}; the module must be importable from here") from error
    if name in gymnasium.registry:
        return name
    if callable(found := getattr(module, name, None)):
        return cast(Callable[..., gymnasium.Env[Any, Any]], found)
    raise ValueError(f"{module_name} neither registers the id {name!r} nor has a function of that name")
