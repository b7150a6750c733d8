"""A file of rows, one JSON line a finished run, that a kill at any instant neither loses from nor doubles in."""

from __future__ import annotations

import json
import os
from pathlib import Path

from filelock import FileLock
from pydantic import ValidationError

from benchmarks.records import SCHEMA, Row


class RowFile:
    """`rows.jsonl` of a folder.

    A row is appended in one write under a lock, flushed to the disk before the lock goes, and never rewritten. A kill
    can leave at most a torn last line: readers pass over it, the next append cuts it off. A run id that is already
    there is not written again, whoever finished second.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "rows.jsonl"
        self._lock = FileLock(folder / ".rows.lock")

    def read(self) -> list[Row]:
        """Every whole row, oldest first; none if there is no file.

        Raises:
            ValueError: if a whole line is no row of this schema; the message says which line and why.
        """
        if not self.path.exists():
            return []
        content = self.path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        return [self._parse(number, line) for number, line in enumerate(whole.splitlines(), 1) if line.strip()]

    def append(self, row: Row) -> bool:
        """Add a row; False if its run id is there already."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self._lock, self.path.open("a+b") as file:
            file.seek(0)
            content = file.read()
            file.truncate(content.rfind(b"\n") + 1)
            if any(known.run_id == row.run_id for known in self.read()):
                return False
            file.write(row.model_dump_json().encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        return True

    def _parse(self, number: int, line: bytes) -> Row:
        try:
            version = json.loads(line).get("schema_version")
            if version != SCHEMA:
                raise ValueError(f"schema version {version}, this code reads {SCHEMA}")
            return Row.model_validate_json(line)
        except (ValidationError, ValueError, AttributeError) as error:
            raise ValueError(f"{self.path}, line {number} is no row: {error}. Report from another --out.") from error
