"""The file of finished runs, which a kill at any instant leaves whole."""

from __future__ import annotations

from pathlib import Path

from benchmarks.small.runs import Row


def read_rows(path: Path) -> list[Row]:
    """Every finished run, oldest first; none if there is no file."""
    return [Row.from_json(line) for line in path.read_text("utf-8").splitlines()] if path.exists() else []


def add_row(path: Path, row: Row) -> None:
    """Add a run under a lock: the new file replaces the old one in one move, so that a reader sees either."""
    from filelock import FileLock

    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_suffix(".lock")):
        rows = [known for known in read_rows(path) if known.settings != row.settings]
        partial = path.with_suffix(".partial")
        partial.write_text("".join(f"{known.to_json()}\n" for known in [*rows, row]), encoding="utf-8")
        partial.replace(path)
