"""Counts what environments do in this process beyond their turns, and what a run therefore cost."""

from __future__ import annotations

from threading import Lock


class Count:
    """A number that only grows; safe to add to from many threads."""

    def __init__(self) -> None:
        self._value, self._lock = 0, Lock()

    @property
    def value(self) -> int:
        """How often it was added to."""
        return self._value

    def add(self) -> None:
        """Count one more."""
        with self._lock:
            self._value += 1


RESTORES = Count()
"""Returns to a snapshot, of any environment."""
JUDGE_CALLS = Count()
"""Verdicts that environments asked of judges, stored and failed ones included."""
