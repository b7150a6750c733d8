"""Search backends by name; each is imported when it is first used."""

from __future__ import annotations

import difflib
import importlib
from typing import Any, cast

from turnenv.search.base import Passage, SearchBackend, SearchError

__all__ = ["BACKENDS", "Passage", "SearchBackend", "SearchError", "make_search"]

#: Name of a backend -> "module:class".
BACKENDS = {
    "atlas": "turnenv.search.atlas:AtlasSearch",
    "retrieval": "turnenv.search.retrieval:RetrievalSearch",
    "wikipedia": "turnenv.search.wikipedia:WikipediaSearch",
}


def make_search(search: str | SearchBackend, **kwargs: Any) -> SearchBackend:
    """Turn a backend's name into a backend.

    Args:
        search: a key of `BACKENDS`, or an object with a `search` method, which is passed through.
        **kwargs: arguments of the named backend's constructor.

    Returns:
        The search backend.

    Raises:
        ValueError: no backend has that name, or `kwargs` came with a finished backend.
        TypeError: `search` is neither a name nor a backend.
    """
    if not isinstance(search, str):
        if not callable(getattr(search, "search", None)):
            raise TypeError(f"a search backend needs a method search(query), {type(search).__name__} has none")
        if kwargs:
            raise ValueError(f"{sorted(kwargs)} cannot be set on a backend that is already made; pass a name instead")
        return search
    if search not in BACKENDS:
        close = difflib.get_close_matches(search, BACKENDS)
        hint = f"; did you mean {' or '.join(map(repr, close))}?" if close else ""
        raise ValueError(f"unknown search backend {search!r}, known are {sorted(BACKENDS)}{hint}")
    module, name = BACKENDS[search].split(":")
    return cast(SearchBackend, getattr(importlib.import_module(module), name)(**kwargs))
