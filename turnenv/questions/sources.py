"""Loads a set of questions from a named source or from a file: once, and again when the file changes."""

from __future__ import annotations

import difflib
import functools
import hashlib
import itertools
import os
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from turnenv.questions.cells import Table
from turnenv.questions.files import SUFFIXES, file_table, kind_of

__all__ = ["load"]

ItemT = TypeVar("ItemT")

_SMALL = 1 << 20


def load(
    source: str | os.PathLike[str],
    split: str,
    limit: int | None,
    *,
    named: Mapping[str, Callable[[str, int | None], Sequence[ItemT]]],
    read: Callable[..., Iterator[ItemT]],
    columns: Sequence[str],
    options: Sequence[Hashable] = (),
    rename: str = "rename one",
) -> Sequence[ItemT]:
    """Load a set of questions. Equal calls share one result, until the file changes.

    Args:
        source: a name, or the path of a file.
        split: a split of a named source; not read for a file.
        limit: how many items to load, from the start; None loads all.
        named: the function that loads each named source, from split and limit.
        read: makes items from a table and `options`.
        columns: the columns of a file that `read` may read.
        options: passed to `read`.
        rename: what to do about a missing column, for messages.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the source or suffix is unknown, `limit` is below 1, the file has no row, or `read` raises it.
        ImportError: if pyarrow is needed for Parquet and not installed.
    """
    if limit is not None and limit < 1:
        raise ValueError(f"limit must be positive or None, got {limit}")
    name = os.fspath(source)
    if name in named:
        return named[name](split, limit)
    path = _existing_file(name, tuple(named))
    loaded: Sequence[ItemT] = _file(path, _stamp(path), limit, read, tuple(columns), tuple(options), rename)
    return loaded


def _existing_file(name: str, known_sources: Sequence[str]) -> Path:
    path = Path(name).expanduser()
    if kind_of(path) is None:
        close = difflib.get_close_matches(name, known_sources)
        hint = f"; did you mean {' or '.join(map(repr, close))}?" if close else ""
        known = f"known are {', '.join(map(repr, known_sources))} and files ending in {', '.join(SUFFIXES)}"
        raise ValueError(f"unknown source of questions {name!r}: {known}{hint}")
    if not path.is_file():
        raise FileNotFoundError(f"there is no file of questions at {path.absolute()}")
    return path.resolve()


def _stamp(path: Path) -> Hashable:
    """A value that changes with the content; for a small file a digest, as two writes may have the same time."""
    stat = path.stat()
    if stat.st_size <= _SMALL:
        return hashlib.blake2b(path.read_bytes()).digest()
    return stat.st_mtime_ns, stat.st_ctime_ns, stat.st_size, stat.st_ino


@functools.lru_cache(maxsize=8)
def _file(
    path: Path,
    stamp: Hashable,
    limit: int | None,
    read: Callable[..., Iterator[Any]],
    columns: tuple[str, ...],
    options: tuple[Hashable, ...],
    rename: str,
) -> tuple[Any, ...]:
    table: Table = file_table(path, columns, rename)
    items = tuple(itertools.islice(read(table, *options), limit))
    if not items:
        raise ValueError(f"{path} holds no rows; give it at least one question")
    return items
