"""The rows of a set of questions: of a file, whatever its format, or of the Hugging Face hub."""

from __future__ import annotations

import difflib
import itertools
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

__all__ = ["existing_file", "hub_rows", "read_rows"]

_FILE_KINDS = {".jsonl": "json", ".json": "json", ".parquet": "parquet", ".csv": "csv"}


def existing_file(name: str, known_sources: Sequence[str]) -> Path:
    """The file of that name, resolved.

    Args:
        name: what the user passed as a source of questions.
        known_sources: the sources that are no files, for the message.

    Raises:
        ValueError: the suffix is none of a file of questions.
        FileNotFoundError: there is no such file.
    """
    path = Path(name).expanduser()
    if path.suffix.lower() not in _FILE_KINDS:
        close = difflib.get_close_matches(name, known_sources)
        hint = f"; did you mean {' or '.join(map(repr, close))}?" if close else ""
        known = f"known are {', '.join(map(repr, known_sources))} and files ending in {', '.join(_FILE_KINDS)}"
        raise ValueError(f"unknown source of questions {name!r}: {known}{hint}")
    if not path.is_file():
        raise FileNotFoundError(f"there is no file of questions at {path.absolute()}")
    return path.resolve()


def read_rows(path: Path, limit: int | None, text_fields: Sequence[str]) -> list[dict[str, Any]]:
    """The rows of a file, streamed: `datasets` keeps no copy of it, and, unlike in load_dataset, calls no hub.

    Args:
        path: a file that `existing_file` found.
        limit: how many rows to read, from the start; None reads all.
        text_fields: columns of a CSV file whose cells stay texts, whatever they look like.

    Raises:
        ValueError: the file cannot be parsed; the message says how to mend it.
    """
    import datasets

    if path.stat().st_size == 0:
        return []
    kind = _FILE_KINDS[path.suffix.lower()]
    options: dict[str, Any] = {}
    if kind == "csv":  # An answer "NA" or "007" is a text, whatever a table of numbers would make of it.
        options = {"converters": dict.fromkeys(text_fields, str), "na_filter": False}
    try:
        data = getattr(datasets.IterableDataset, f"from_{kind}")(str(path), **options)
        rows = [dict(row) for row in itertools.islice(data, limit)]
    except (ValueError, OSError, StopIteration, datasets.exceptions.DatasetsError) as error:
        cause = f"{type(error).__name__}: {error}".removesuffix(": ")
        raise ValueError(f"{path} cannot be read as {kind} ({cause}); mend the file or its suffix") from error
    if rows and any(column.startswith("__index_level") for column in rows[0]):
        raise ValueError(f"{path} has rows with more fields than its header; put quotes around a text with a comma")
    return rows


def hub_rows(name: str, path: str, config: str, split: str, columns: Sequence[str]) -> Iterable[dict[str, Any]]:
    """The rows of a dataset of the Hugging Face hub, downloaded once by `datasets`.

    Args:
        name: what people call the dataset, for the message.
        path: its repository.
        config: its configuration.
        split: its split.
        columns: the columns to keep.

    Raises:
        ValueError: there is no such split.
        ConnectionError: the dataset can neither be downloaded nor found in the local cache; or the hub sent nonsense.
    """
    import datasets

    try:
        data = datasets.load_dataset(path, config, split=split)
    except Exception as error:
        # A hub that hangs up or answers nonsense makes `datasets` raise errors of any kind.
        if isinstance(error, ValueError) and not isinstance(error, json.JSONDecodeError):
            raise
        message = (
            f"{name} ({path}, {config}) cannot be loaded: {type(error).__name__}: {error}. Connect to the Hugging "
            "Face hub once, so that it is cached (HF_HUB_OFFLINE=1 then uses the cache), or take questions='atlas' or "
            "a file of your own"
        )
        raise ConnectionError(message) from error
    rows: Iterable[dict[str, Any]] = data.select_columns(list(columns))
    return rows
