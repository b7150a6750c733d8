"""A user's own estimator, found by `module:function` or `file.py:function`."""

from __future__ import annotations

import copy
import importlib
import sys
from collections.abc import Callable
from difflib import get_close_matches
from functools import partial
from hashlib import blake2b
from importlib.util import module_from_spec, spec_from_file_location
from inspect import isclass, isroutine
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from turnenv.credit.spec import Estimator, EstimatorSpec, parameters_of


def load(reference: str) -> EstimatorSpec:
    """Import a user's estimator.

    A class is instantiated, and each training run gets an instance of its own; any other callable object is copied for
    each run, in case it remembers earlier batches.

    Args:
        reference: `module:function`, where the module can be imported, or `file.py:function`.

    Raises:
        ValueError: if the module cannot be imported or has no such function, or if it is nothing that can be called.
    """
    place, _, name = reference.rpartition(":")
    module = _run_file(Path(place)) if place.endswith(".py") else _imported(place, name)
    if not hasattr(module, name):
        raise ValueError(f"{place} has no {name!r}; {_instead_of(name, module)}")
    found: Any = getattr(module, name)
    if not callable(found):
        raise ValueError(f"{reference} is a {type(found).__name__}; an estimator is a function of a TurnBatch")
    return spec_of_own(reference, found)


def spec_of_own(name: str, found: Callable[..., Any]) -> EstimatorSpec:
    """What is known of a function, an object or a class of a user's.

    Its attribute `needs`, if it has one, names the optional fields of a `TurnBatch` that it cannot do without.

    Raises:
        ValueError: if it is a class whose objects cannot be made without arguments, or cannot be called.
    """
    function: Estimator = found
    make: Callable[[], Estimator] | None = None
    if isclass(found):
        function, make = _instance(name, found), cast("Callable[[], Estimator]", found)
    elif not isroutine(found) and not isinstance(found, partial):
        make = partial(copy.deepcopy, found)
    seeded = "seed" in {parameter.name for parameter in parameters_of(function)}
    needs = frozenset(getattr(found, "needs", ()))
    return EstimatorSpec(name, function, name, needs=needs, make=make, seeded=seeded)


def _instance(reference: str, made: type) -> Any:
    try:
        instance = made()
    except TypeError as error:
        raise ValueError(f"{reference} is a class that cannot be made without arguments: {error}") from error
    if not callable(instance):
        raise ValueError(f"{reference} is a class without __call__; its objects must be functions of a TurnBatch")
    return instance


def _imported(place: str, name: str) -> ModuleType:
    try:
        return importlib.import_module(place)
    except Exception as error:
        file = Path(*place.split(".")).with_suffix(".py") if place else Path()
        hint = f"; {file} is here: write {file}:{name}" if file.is_file() else ""
        raise ValueError(f"the module {place!r} cannot be imported: {type(error).__name__}: {error}{hint}") from error


def _run_file(path: Path) -> ModuleType:
    """The file as a module, run once per process."""
    name = f"turnenv_own_{blake2b(str(path.resolve()).encode(), digest_size=8).hexdigest()}"
    if name in sys.modules:
        return sys.modules[name]
    spec = spec_from_file_location(name, path)
    if not path.is_file() or spec is None or spec.loader is None:
        raise ValueError(f"there is no file {path}; the folder is {Path.cwd()}")
    # Dataclasses look their module up while it runs.
    module = sys.modules[name] = module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise ValueError(f"{path} cannot be run: {type(error).__name__}: {error}") from error
    return module


def _instead_of(name: str, module: ModuleType) -> str:
    own = [
        known
        for known, value in vars(module).items()
        if (isroutine(value) or isclass(value)) and getattr(value, "__module__", None) == module.__name__
    ]
    close = get_close_matches(name, own)
    if close or own:
        return f"did you mean {' or '.join(map(repr, close))}?" if close else f"it has: {', '.join(own[:10])}"
    return "it has no function of its own"
