"""The protocol of a search backend: it returns passages for a query, or raises SearchError if it cannot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

__all__ = ["Passage", "SearchBackend", "SearchError", "few"]


@dataclass(frozen=True)
class Passage:
    """One search result.

    Attributes:
        title: name of the article.
        text: plain text shown to the agent.
    """

    title: str
    text: str


class SearchError(RuntimeError):
    """The search infrastructure failed; the agent did nothing wrong, so its episode ends in a fault."""


@runtime_checkable
class SearchBackend(Protocol):
    """Anything that finds passages for a query."""

    def search(self, query: str) -> Sequence[Passage]:
        """Find the passages that answer a query.

        Args:
            query: any text at all.

        Returns:
            Passages, best first; empty when nothing was found.

        Raises:
            SearchError: the infrastructure failed.
        """
        ...


_MANY = 1_000


def few(entries: Any) -> Any:
    """Return what a server sent, unless it is a list or a mapping of more than 1,000 entries.

    Used as a pydantic validator that runs before the entries are validated: reporting half a million wrong ones takes
    seconds.

    Raises:
        ValueError: there are too many.
    """
    if isinstance(entries, (list, dict)) and len(entries) > _MANY:
        raise ValueError(f"{len(entries):,} entries are more than {_MANY:,}")
    return entries
