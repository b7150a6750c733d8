"""From files and folders to plays: evaluations, comparisons, files of episodes and files of groups."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from turnenv.evaluation.episode_file import read_episodes
from turnenv.groups import Group, read_groups
from turnenv.report.plays import Play, Run, plays_of_episodes, plays_of_groups, plays_of_held_out
from turnenv.types import Episode

Record = TypeVar("Record", Episode, Group)
_ENDINGS = (".jsonl", ".jsonl.gz")


def plays_of(paths: Iterable[Path]) -> list[Play]:
    """The plays of files of episodes or groups, and of the folders of evaluations and comparisons.

    Raises:
        ValueError: if a path does not exist or holds none of these, or there is nothing to show.
    """
    plays: list[Play] = []
    for path in paths:
        if not path.exists():
            raise ValueError(f"there is no {path}")
        plays += _of_folder(path) if path.is_dir() else _of_file(path)
    if not plays:
        raise ValueError("there are no episodes to show: pass a folder or a file of episodes")
    return list({play.id: play for play in plays}.values())


def _of_folder(folder: Path) -> list[Play]:
    if (folder / "groups").is_dir() or (folder / "episodes").is_dir():
        groups = [play for path in _files(folder / "groups") for play in _of_groups(path)]
        return groups + [play for path in _files(folder / "episodes") for play in _of_run(path)]
    plays = [play for path in _files(folder) if path.name != "rows.jsonl" for play in _of_file(path)]
    if not plays:
        raise ValueError(f"{folder} holds no episodes: it is the --out of turnenv evaluate, or of a comparison")
    return plays


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.name.endswith(_ENDINGS)) if folder.is_dir() else []


def _of_file(path: Path) -> list[Play]:
    return _of_groups(path) if _is_of_groups(path) else plays_of_episodes(_read(path, read_episodes))


def _is_of_groups(path: Path) -> bool:
    try:
        return "members" in json.loads(_first_line(path))
    except (ValueError, TypeError, EOFError, zlib.error):
        return False


def _first_line(path: Path) -> bytes:
    with path.open("rb") as file:
        if file.read(2) != b"\x1f\x8b":
            file.seek(0)
            return file.readline()
    with gzip.open(path) as file:
        return file.readline()


def _of_groups(path: Path) -> list[Play]:
    groups = _read(path, read_groups)
    return plays_of_groups(_run(path, groups), groups)


def _of_run(path: Path) -> list[Play]:
    return plays_of_held_out(_run(path, []), _read(path, read_episodes))


def _read(path: Path, read: Callable[[Path], list[Record]]) -> list[Record]:
    try:
        return read(path)
    except ValueError as error:
        raise ValueError(f"{path} is no file of episodes or groups: {error}") from error


def _run(path: Path, groups: Iterable[Group]) -> Run:
    """Named by the file: `mt_grpo-seed0-1a2b3c` is run 0 of mt_grpo."""
    name = path.name.removesuffix(".gz").removesuffix(".jsonl")
    method, _, rest = name.partition("-seed")
    seed = rest.partition("-")[0]
    estimator = next((group.estimator for group in groups), method)
    return Run(name, f"{method}, seed {seed}" if seed else name, estimator, seed)
