"""What a Ray worker does with a job: runs its command in a temporary folder and returns what was written there."""

from __future__ import annotations

import os
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

# This module travels to the workers by value, so it may import nothing but the standard library.
_POLL_SECONDS = 0.5


class Order(NamedTuple):
    """A job as it travels to a worker.

    Attributes:
        name: of the job.
        arguments: of the Python interpreter; `--out` and a folder are added.
        where: the folder to run it in.
        packages: the folder that holds `benchmarks`.
        variables: environment variables, over those of the worker.
        log: where its output goes, relative to the job's folder.
        status: where it writes how far it is, relative to the job's folder.
    """

    name: str
    arguments: tuple[str, ...]
    where: str
    packages: str
    variables: Mapping[str, str]
    log: str
    status: str


class Statuses:
    """The latest status of each job, as an actor that the workers write to and the command reads."""

    def __init__(self) -> None:
        self._latest: dict[str, str] = {}

    def write(self, name: str, status: str) -> None:
        """Replace a job's status."""
        self._latest[name] = status

    def read(self) -> dict[str, str]:
        """The status of every job that has written one."""
        return self._latest


def do(order: Order, statuses: Any) -> tuple[int, dict[str, bytes], str]:
    """Run a job in a temporary folder.

    Args:
        order: what to run.
        statuses: the actor `Statuses`, which gets the job's status whenever it is new.

    Returns:
        The exit code; path → content of each file that the job left, its log among them; its last status or "".

    Raises:
        FileNotFoundError: if this machine lacks the folder to run it in; the message names both.
    """
    # Ray ends a task by an interrupt, which a worker of a cluster that was started in the background ignores.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    for folder in (order.where, order.packages):
        if not Path(folder).is_dir():
            raise FileNotFoundError(
                f"{platform.node()} has no folder {folder}: every machine of the cluster needs turnenv's clone, and "
                "the folder that the command is given in, at the same path"
            )
    with TemporaryDirectory(prefix="turnenv-") as name:
        place = Path(name)
        for path in (place / order.log, place / order.status):
            path.parent.mkdir(parents=True, exist_ok=True)
        exit_code = _run(order, place, statuses)
        status = _read(place / order.status)
        files = [path for path in place.rglob("*") if path.is_file() and not _is_scratch(path.relative_to(place))]
        return exit_code, {path.relative_to(place).as_posix(): path.read_bytes() for path in files}, status


def _run(order: Order, place: Path, statuses: Any) -> int:
    path = os.pathsep.join(filter(None, (order.packages, os.environ.get("PYTHONPATH"))))
    with (place / order.log).open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, *order.arguments, "--out", str(place)],
            cwd=order.where,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **order.variables, "PYTHONPATH": path},
            start_new_session=True,
        )
    assert process.stdin is not None
    latest = ""
    try:
        while process.poll() is None:
            time.sleep(_POLL_SECONDS)
            if (status := _read(place / order.status)) != latest:
                latest = status
                statuses.write.remote(order.name, status)
    finally:
        process.kill()
        process.stdin.close()
        process.wait()
    return process.returncode


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


def _is_scratch(path: Path) -> bool:
    return path.parts[0] == "scratch" or path.name.startswith(".")
