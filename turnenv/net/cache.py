"""A cache of a backend's answers on disk: one SQLite file of JSON values, shared by threads and processes."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

__all__ = ["AnswerCache"]


class AnswerCache:
    """Stores JSON values by key until the file is deleted, so that a run can be repeated.

    Args:
        path: the file; it and its folder are created if they are missing.
        failure: the exception that every method raises when the file cannot be read or written.
    """

    def __init__(self, path: str | Path, failure: type[Exception]) -> None:
        self._path, self._failure = Path(path).expanduser(), failure

    def get(self, key: str) -> Any | None:
        """Return the value stored under a key, or None if there is none."""
        with self._open() as db:
            row = db.execute("SELECT answer FROM answers WHERE key = ?", (key,)).fetchone()
            return None if row is None else json.loads(row[0])

    def put(self, key: str, answer: Any) -> None:
        """Store a value under a key; it is returned as JSON has it, a tuple as a list."""
        with self._open() as db:
            db.execute("INSERT OR REPLACE INTO answers VALUES (?, ?)", (key, json.dumps(answer)))

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """Open the file for one transaction: a connection of its own survives neither a fork nor a pickle."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with contextlib.closing(sqlite3.connect(self._path, timeout=10.0)) as db, db:
                db.execute("CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, answer TEXT NOT NULL)")
                yield db
        except (sqlite3.Error, OSError, ValueError) as error:
            message = f"the cache {self._path} fails ({error}); delete it, or set another cache_dir, or None"
            raise self._failure(message) from error
