"""Reads the rows of a file one at a time, as they are written: JSON, JSON lines, CSV, and Parquet by pyarrow."""

from __future__ import annotations

import codecs
import contextlib
import csv
import gzip
import io
import itertools
import json
import re
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from turnenv.extras import needs
from turnenv.questions.cells import TWICE, Number, Table, unique

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["SUFFIXES", "file_table", "kind_of"]

_KINDS = {".jsonl": "JSON", ".json": "JSON", ".csv": "CSV", ".parquet": "Parquet"}
#: How the names of files of questions end.
SUFFIXES = (*_KINDS, ".jsonl.gz", ".json.gz", ".csv.gz")

_CHUNK = 1 << 16
_BATCH = 256
_LONGEST_FIELD = 1 << 24
#: Replaces a carriage return that ends no line; no file decodes to it.
_RETURN = "\udc0d"
_SPACE = re.compile(r"[ \t\r\n]*")
_DECODER = json.JSONDecoder(parse_int=Number, parse_float=Number, parse_constant=float, object_pairs_hook=unique)


def kind_of(path: Path) -> str | None:
    """The kind of a file by its name: "JSON" (lines or an array), "CSV", "Parquet", or None."""
    name = path.name.lower()
    return next((_KINDS["." + suffix.split(".")[1]] for suffix in SUFFIXES if name.endswith(suffix)), None)


def file_table(path: Path, columns: Sequence[str], rename: str) -> Table:
    """The rows of a file, which are read during iteration; blank lines are skipped.

    Args:
        path: a file of a known kind.
        columns: the columns to read from Parquet; the others may hold anything.
        rename: see `Table`.

    Raises:
        ValueError: during iteration, if the file cannot be parsed; the message names file and row.
        ImportError: during iteration, if pyarrow is needed for Parquet and not installed.
    """
    kind = kind_of(path)
    assert kind is not None
    return Table(str(path), _rows(path, kind, columns), kind == "CSV", rename)


def _rows(path: Path, kind: str, columns: Sequence[str]) -> Iterator[Mapping[str, Any]]:
    number = 1
    try:
        for cells in _READERS[kind](path, columns):
            yield cells
            number += 1
    except (ValueError, OSError, EOFError, RecursionError, csv.Error, zlib.error) as error:
        cause = f"{error}".strip() or type(error).__name__
        raise ValueError(
            f"{path} cannot be read as {kind} at row {number} ({cause}); fix the file or its suffix"
        ) from error


def _json_rows(path: Path, columns: Sequence[str]) -> Iterator[Mapping[str, Any]]:
    """The objects of an array, or one after another."""
    with _opened(path) as file:
        scanner = _Scanner(file)
        if array := scanner.peek() == "[":
            scanner.at += 1
        for first in itertools.chain([True], itertools.repeat(False)):
            mark = scanner.peek()
            if array and mark == "]":
                scanner.at += 1
                break
            if not array and not mark:
                return
            if array and not first:
                if mark != ",":
                    raise ValueError(f"a comma is missing between two rows at {scanner.excerpt()}")
                scanner.at += 1
                scanner.peek()
            row = scanner.value()
            if not isinstance(row, dict):
                raise ValueError(f"a row is an object with a key for each column, got {str(row)[:60]!r}")
            yield row
        if scanner.peek():
            raise ValueError(f"something stands after the array: {scanner.excerpt()}")


class _Scanner:
    """Reads JSON values from a file of any length, holding one value and a chunk."""

    def __init__(self, file: IO[str]) -> None:
        self._file, self._text, self.at = file, "", 0

    def peek(self) -> str:
        """Go to the next character that is not a space and return it; "" at the end."""
        while True:
            space = _SPACE.match(self._text, self.at)
            self.at = space.end() if space else self.at
            if self.at < len(self._text) or not self._more():
                return self._text[self.at : self.at + 1]

    def value(self) -> Any:
        """Read the value that begins here, and go to its end."""
        while True:
            try:
                value, self.at = _DECODER.raw_decode(self._text, self.at)
            except json.JSONDecodeError as error:
                # A value that the end of the chunk cut gives an open string, or an error within one escape of the end.
                cut = error.msg.startswith("Unterminated string") or error.pos > len(self._text) - 16
                if not cut or not self._more():
                    self.at = min(error.pos, len(self._text))
                    raise ValueError(f"{error.msg} at {self.excerpt()}") from None
            else:
                return value

    def excerpt(self) -> str:
        """The next characters, for messages."""
        return ascii(self._text[self.at : self.at + 40]) if self.at < len(self._text) else "the end of the file"

    def _more(self) -> bool:
        """Read at least as much again as is left, so that a long value is not parsed too often."""
        chunk = self._file.read(max(_CHUNK, len(self._text) - self.at))
        if chunk:
            self._text, self.at = self._text[self.at :] + chunk, 0
        return bool(chunk)


def _csv_rows(path: Path, columns: Sequence[str]) -> Iterator[Mapping[str, Any]]:
    with _opened(path) as file, _long_fields():
        lines = (line for line in csv.reader(_csv_lines(file), strict=True) if len(line) > 1 or "".join(line).strip())
        header = [name.strip() for name in next(lines, ())]
        twice = {name: TWICE for name in header if header.count(name) > 1}
        for line in lines:
            if len(line) > len(header):
                raise ValueError("the row has more fields than its header; put quotes around a text with a comma")
            cells = [cell.replace(_RETURN, "\r") for cell in line]
            yield dict(itertools.zip_longest(header, cells)) | twice


def _csv_lines(file: IO[str]) -> Iterator[str]:
    """The lines of a file, which end as its first one does: csv's writer and pandas leave a lone return unquoted."""
    first = file.readline()
    if first.endswith("\n"):
        yield from (re.sub(r"\r(?!\n)", _RETURN, line) for line in itertools.chain([first], file))
    else:  # Lines end in carriage returns, or there is one line.
        yield from re.findall(r"[^\r]*\r|[^\r]+", first)


@contextlib.contextmanager
def _long_fields() -> Iterator[None]:
    """Allow fields longer than csv's default of 131,072 characters, since a file may also have a column of articles."""
    before = csv.field_size_limit(_LONGEST_FIELD)
    try:
        yield
    finally:
        csv.field_size_limit(before)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[IO[str]]:
    with gzip.open(path) if path.name.lower().endswith(".gz") else path.open("rb") as file:
        if file.peek(2)[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
            raise ValueError("it is UTF-16; save it as UTF-8")
        # A byte that is not UTF-8 becomes half a character, which is refused where its cell is used.
        yield io.TextIOWrapper(file, encoding="utf-8-sig", errors="surrogateescape", newline="\n")


def _parquet_rows(path: Path, columns: Sequence[str]) -> Iterator[Mapping[str, Any]]:
    with needs("datasets", f"{path}, a Parquet file,"):
        import pyarrow as pa
        import pyarrow.parquet as pq
    try:
        with pq.ParquetFile(path) as file:
            names = file.schema_arrow.names
            blank = {name: TWICE if names.count(name) > 1 else None for name in names}
            wanted = [name for name in columns if name in blank and blank[name] is None]
            if not wanted:
                yield from itertools.repeat(blank, file.metadata.num_rows)
            for batch in file.iter_batches(_BATCH, columns=wanted) if wanted else ():
                cells = [[_plain(value, column.type) for value in column.to_pylist()] for column in batch.columns]
                for row in zip(*cells, strict=True):
                    yield blank | dict(zip(batch.schema.names, row, strict=True))
    except pa.ArrowException as error:
        raise ValueError(str(error)) from error


def _plain(value: Any, kind: pa.DataType) -> Any:
    """A cell; a float of less than 64 bits gets its shortest digits, as in every other format."""
    import pyarrow as pa

    if value is None:
        return None
    if pa.types.is_float32(kind) or pa.types.is_float16(kind):
        return float(str((np.float32 if pa.types.is_float32(kind) else np.float16)(value)))
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return [_plain(item, kind.value_type) for item in value]
    if pa.types.is_struct(kind):
        return {field.name: _plain(value[field.name], field.type) for field in kind}
    return value


_READERS: Mapping[str, Callable[[Path, Sequence[str]], Iterator[Mapping[str, Any]]]] = {
    "JSON": _json_rows,
    "CSV": _csv_rows,
    "Parquet": _parquet_rows,
}
