"""Whether arguments fit an environment's constructor: their names, types and bounds, each named where it does not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from functools import lru_cache, wraps
from inspect import Parameter, formatannotation, isclass, signature
from json import dumps
from typing import Any, Literal, TypeVar, cast, get_origin, get_type_hints

import gymnasium
import numpy as np
from gymnasium.envs.registration import load_env_creator

_OF_MAKE = ("max_episode_steps", "disable_env_checker")
"""Arguments of `gymnasium.make` itself."""
Init = TypeVar("Init", bound=Callable[..., None])
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
            raise ValueError(f"{where}: {_title(env)} has no argument {name!r}; {_nearest(name, names)}")
        annotation, hint = known[name]
        if not _fits(value, hint):
            raise ValueError(f"{where}: {name} of {_title(env)} takes {annotation}; got {value!r}")


def checked_arguments(init: Init) -> Init:
    """Decorate a constructor, so that an argument of another name or type raises a TypeError that names it.

    Only what was passed is checked, against the annotations: whole numbers are no bool, and nothing is converted. What
    a `Literal` allows is left to the constructor.
    """
    parameters = list(signature(init).parameters.values())[1:]
    names = [each.name for each in parameters if each.kind is not Parameter.VAR_KEYWORD]
    closed = len(names) == len(parameters)

    @wraps(init)
    def checked(self: object, *args: Any, **kwargs: Any) -> None:
        if args or kwargs:
            title = type(self).__name__
            for name, value in (*zip(names, args, strict=False), *kwargs.items()):
                if name in names:
                    _check_type(init, title, name, value)
                elif closed:
                    raise TypeError(f"{title} has no argument {name!r}; {_nearest(name, names)}")
        init(self, *args, **kwargs)

    return cast(Init, checked)


def _check_type(init: Callable[..., object], title: str, name: str, value: object) -> None:
    hint = _kept_hints(init).get(name, Any)
    if get_origin(hint) is not Literal and not _fits(value, hint):
        written = _written(init.__annotations__[name])
        raise TypeError(f"{name} of {title} takes {written}; got {value!r}, of type {type(value).__name__}")


def check_range(name: str, value: float, low: float, high: float | None = None) -> None:
    """Refuse a number outside `low` … `high`, both included, or that is no number.

    Raises:
        ValueError: with the name, the value and the bounds.
    """
    if not (low <= value and (high is None or value <= high)):
        bounds = f"at least {low}" if high is None else f"from {low} to {high}"
        raise ValueError(f"{name} must be {bounds}; got {value!r}")


def check_choice(name: str, value: object, known: Iterable[str]) -> None:
    """Refuse what is not one of the known strings.

    Raises:
        ValueError: with the name, the value, the nearest known one and all of them.
    """
    listed = list(known)
    if value not in listed:
        close = get_close_matches(str(value), listed, n=1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        raise ValueError(f"unknown {name} {value!r}; {hint}it is one of: {', '.join(listed)}")


def check_options(title: str, options: Mapping[str, Any], known: Iterable[str]) -> None:
    """Refuse keys of `reset(options=…)` that nothing reads.

    Raises:
        ValueError: with the key, the nearest known one and all of them.
    """
    listed = tuple(known)
    for name in options:
        if name not in listed:
            raise ValueError(f"reset of {title} has no option {name!r}; {_nearest(str(name), listed)}")


def _nearest(name: str, names: Iterable[str]) -> str:
    shown = [each for each in names if each != "render_mode"]
    close = get_close_matches(name, shown)
    hint = f"did you mean {' or '.join(map(repr, close))}? " if close else ""
    return f"{hint}it takes: {', '.join(shown)}"


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


@lru_cache(maxsize=256)
def _kept_hints(called: Callable[..., object]) -> dict[str, Any]:
    return _hints(called)


def _fits(value: Any, hint: Any) -> bool:
    """False if a value is certainly not of that type; nothing is converted, but numpy's numbers are Python's."""
    if hint is Any:
        return True
    import pydantic  # takes as long as all else that a small environment needs

    plain = value.item() if isinstance(value, np.generic) else value
    try:
        if type(plain) in _JSON:
            _adapter(hint).validate_json(dumps(plain), strict=True)  # a list may stand for a tuple
        else:
            _adapter(hint).validate_python(plain, strict=True)
    except pydantic.ValidationError:
        return False
    except Exception:  # noqa: BLE001 (pydantic knows no schema for some annotations, in many ways)
        return True
    return True


@lru_cache(maxsize=256)
def _adapter(hint: Any) -> Any:
    import pydantic

    return pydantic.TypeAdapter(hint, config=pydantic.ConfigDict(arbitrary_types_allowed=True))
