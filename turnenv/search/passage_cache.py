"""Where found passages are kept on disk: one SQLite file of JSON text, shared by threads and processes."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

from turnenv.search.base import Passage, SearchError

__all__ = ["PassageCache"]


class PassageCache:
    """Passages by key; entries stay until the file is deleted, so that a run can be repeated.

    Args:
        directory: where the file lies; made when it is missing.

    Raises:
        SearchError: from every method, when the file cannot be read or written.
    """

    def __init__(self, directory: str | Path) -> None:
        self.path = Path(directory).expanduser() / "passages.sqlite3"

    def get(self, key: str) -> tuple[Passage, ...] | None:
        """Return the passages kept under a key, or None when there are none."""
        with self._open() as db:
            row = db.execute("SELECT passages FROM found WHERE key = ?", (key,)).fetchone()
        return None if row is None else tuple(Passage(title, text) for title, text in json.loads(row[0]))

    def put(self, key: str, passages: Sequence[Passage]) -> None:
        """Keep passages under a key."""
        text = json.dumps([(passage.title, passage.text) for passage in passages])
        with self._open() as db:
            db.execute("INSERT OR REPLACE INTO found VALUES (?, ?)", (key, text))

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """Open the file for one transaction: a connection of its own survives neither a fork nor a pickle."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with contextlib.closing(sqlite3.connect(self.path, timeout=10.0)) as db, db:
                db.execute("CREATE TABLE IF NOT EXISTS found (key TEXT PRIMARY KEY, passages TEXT NOT NULL)")
                yield db
        except (sqlite3.Error, OSError, ValueError) as error:
            message = f"the search cache {self.path} fails ({error}); delete it, or set another cache_dir, or None"
            raise SearchError(message) from error
