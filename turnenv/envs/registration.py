"""Registers the ids with Gymnasium: at once if Gymnasium is imported, else as soon as its registry is.

`import turnenv` must not import Gymnasium, which takes longer than everything else in `turnenv --help`; yet
`gymnasium.make("turnenv/…")` must work after it, whichever of the two was imported first. So a finder on
`sys.meta_path` waits for the module `gymnasium.envs.registration`, adds the ids when that module has run, and removes
itself.
"""

from __future__ import annotations

import sys
import threading
from importlib import import_module
from typing import TYPE_CHECKING, cast

from turnenv.envs import register_all

if TYPE_CHECKING:  # importlib.abc imports half of the standard library
    from collections.abc import Sequence
    from importlib.abc import Loader
    from importlib.machinery import ModuleSpec
    from types import ModuleType

_REGISTRY = "gymnasium.envs.registration"


def register_with_gymnasium() -> None:
    """Register every id once, now or right after Gymnasium's registry is imported; never imports Gymnasium itself."""
    # Insert the finder before the check, because another thread may be importing Gymnasium just now. If that import
    # missed the finder, "gymnasium" is in sys.modules, and importing it here waits until that thread is done.
    if not any(isinstance(finder, _Waiting) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Waiting())
    if sys.modules.get("gymnasium") is not None:
        import_module("gymnasium")
        _register_and_stop_waiting()


def _register_and_stop_waiting() -> None:
    register_all()
    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, _Waiting)]


class _Waiting:
    """Finds Gymnasium's registry where the other finders find it, with a loader that registers the ids afterwards."""

    def __init__(self) -> None:
        self._within = threading.local()

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != _REGISTRY or getattr(self._within, "asked", False):
            return None
        # Another such finder may call all finders in turn, including this one.
        self._within.asked = True
        try:
            spec = _found_by_the_others(fullname, path, target)
        finally:
            self._within.asked = False
        if spec is not None and spec.loader is not None:
            spec.loader = cast("Loader", _Registering(spec.loader))
        return spec


def _found_by_the_others(fullname: str, path: Sequence[str] | None, target: ModuleType | None) -> ModuleSpec | None:
    for finder in tuple(sys.meta_path):
        if not isinstance(finder, _Waiting):
            spec = finder.find_spec(fullname, path, target)
            if spec is not None:
                return spec
    return None


class _Registering:
    """Runs the module as its own loader does, then registers the ids."""

    def __init__(self, loader: Loader) -> None:
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        # Readers of the module's source or resources need its own loader.
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        module.__loader__ = self._loader
        self._loader.exec_module(module)
        _register_and_stop_waiting()
