"""Where a backend's answers are kept on disk: one SQLite file of JSON texts, shared by threads and processes."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

__all__ = ["AnswerCache"]


class AnswerCache:
    """JSON values by key; entries stay until the file is deleted, so that a run can be repeated.

    Args:
        path: the file; it and its folder are made when they are missing.
        failure: what every method raises when the file cannot be read or written; called with the message.
    """

    def __init__(self, path: str | Path, failure: type[Exception]) -> None:
        self._path, self._failure = Path(path).expanduser(), failure

    def get(self, key: str) -> Any | None:
        """Return the value kept under a key, or None when there is none."""
        with self._open() as db:
            row = db.execute("SELECT answer FROM answers WHERE key = ?", (key,)).fetchone()
            return None if row is None else json.loads(row[0])

    def put(self, key: str, answer: Any) -> None:
        """Keep a value under a key; it comes back as JSON makes it, a tuple as a list."""
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
