"""A file of rows, one JSON line per finished run; a kill at any instant neither loses nor doubles a row."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from typing import Generic, Protocol, Self, TypeVar

from filelock import FileLock
from pydantic import BaseModel, ConfigDict, ValidationError


class Record(BaseModel):
    """A frozen record that is written as JSON; a field that it does not have is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class FinishedRun(Protocol):
    """A record of one finished run."""

    @property
    def run_id(self) -> str:
        """Equal runs, equal ids."""

    @classmethod
    def model_validate_json(cls, json_data: str | bytes | bytearray, /) -> Self:
        """Read it from one line."""

    def model_dump_json(self) -> str:
        """Write it as one line."""


Finished = TypeVar("Finished", bound=FinishedRun)


class JsonLines(Generic[Finished]):
    """`rows.jsonl` of a folder.

    A row is appended in one write under a lock, flushed to the disk before the lock goes, and never rewritten. A kill
    can leave at most a torn last line: readers skip it, the next append cuts it off. A run id that is already
    there is not written again, whoever finished second.
    """

    def __init__(self, folder: Path, kind: type[Finished], schema: int) -> None:
        self._kind, self._schema = kind, schema
        self.path = folder / "rows.jsonl"
        self._lock = FileLock(folder / ".rows.lock")

    def read(self) -> list[Finished]:
        """Every whole row, oldest first, of the file or of `rows.jsonl.gz`; none if there is neither.

        Raises:
            ValueError: if a whole line is no row of this schema; the message says which line and why.
        """
        packed = self.path.with_suffix(".jsonl.gz")
        if self.path.exists():
            content = self.path.read_bytes()
        elif packed.exists():
            content = gzip.decompress(packed.read_bytes())
        else:
            return []
        return self._rows(content)

    def append(self, row: Finished) -> bool:
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

    def append_all(self, content: bytes) -> None:
        """Add the whole rows of another file's content, those whose run id is not there yet.

        Raises:
            ValueError: if a whole line is no row of this schema.
        """
        for row in self._rows(content):
            self.append(row)

    def _rows(self, content: bytes) -> list[Finished]:
        whole = content[: content.rfind(b"\n") + 1]
        return [self._parse(number, line) for number, line in enumerate(whole.splitlines(), 1) if line.strip()]

    def _parse(self, number: int, line: bytes) -> Finished:
        try:
            version = json.loads(line).get("schema_version")
            if version != self._schema:
                raise ValueError(f"schema version {version}, this code reads {self._schema}")
            return self._kind.model_validate_json(line)
        except (ValidationError, ValueError, AttributeError) as error:
            raise ValueError(f"{self.path}, line {number} is no row: {error}. Report from another --out.") from error
