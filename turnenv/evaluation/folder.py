"""The folder of an evaluation: its settings, one file of episodes per environment, rows, where they come from."""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from turnenv.atomic import replacing

__all__ = ["SettingsDifferError", "episodes_path", "keep_settings", "only_one_writer", "read_settings", "write_json"]

SETTINGS = "settings.json"


class SettingsDifferError(ValueError):
    """The folder holds an evaluation with other settings; the message names them."""


def keep_settings(folder: Path, settings: Mapping[str, Any]) -> None:
    """Write the settings of an evaluation that begins, or check that one that goes on has the same.

    Raises:
        SettingsDifferError: if it has others; nothing is changed.
        ValueError: the folder holds something else.
    """
    path = folder / SETTINGS
    given = json.loads(json.dumps(settings))
    if not path.exists():
        if any(folder.glob("*.jsonl.gz")):
            raise ValueError(f"{folder} holds episodes and no {SETTINGS}: pass another --out")
        write_json(path, given)
        return
    known = read_settings(folder)
    differing = [
        f"{name} was {json.dumps(known.get(name))} and is {json.dumps(given.get(name))}"
        for name in sorted({*known, *given})
        if known.get(name) != given.get(name)
    ]
    if differing:
        raise SettingsDifferError(
            f"{folder} holds an evaluation with other settings ({'; '.join(differing)}): pass another --out"
        )


def read_settings(folder: Path) -> dict[str, Any]:
    """The settings of the evaluation that a folder holds.

    Raises:
        ValueError: the folder holds none.
    """
    path = folder / SETTINGS
    if not path.exists():
        raise ValueError(f"{folder} holds no {SETTINGS}: pass the --out of turnenv evaluate")
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        known = None
    if not isinstance(known, dict) or not {"model", "environments"} <= known.keys():
        raise ValueError(f"{path} was not written by turnenv evaluate: pass its --out, or another")
    return known


def episodes_path(folder: Path, env: str) -> Path:
    """Where an environment's episodes are."""
    name = re.sub(r"[^\w.-]+", "_", env.removeprefix("turnenv/"))
    return folder / f"{name}.jsonl.gz"


def write_json(path: Path, value: Any) -> None:
    """Replace a file, so that a reader sees the old or the new one."""
    with replacing(path) as partial:
        partial.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


@contextlib.contextmanager
def only_one_writer(folder: Path) -> Iterator[None]:
    """Keep other processes out of the folder; a killed process keeps nobody out.

    Raises:
        ValueError: another process is writing.
    """
    try:
        import fcntl
    except ImportError:  # Windows has other locks; nobody is kept out there.
        yield
        return
    file = os.open(folder / ".lock", os.O_CREAT | os.O_RDWR, 0o666)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise ValueError(f"another process is evaluating into {folder}: pass another --out") from error
    finally:
        os.close(file)
