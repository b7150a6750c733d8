"""Runs programs in processes of their own, a few at a time; one that fails does not stop the others."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.harness.progress import Display, Status

_POLL_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Job:
    """A Python program to run.

    Attributes:
        name: unique; names its log and its status file.
        title: what people read.
        arguments: of the Python interpreter; `--out` and the folder that the job writes to are added. The process ends
            when its standard input does, so that it does not outlive its parent.
    """

    name: str
    title: str
    arguments: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Failure:
    """A job that did not exit with 0; if no process of it ended, because it could not start or was lost, it has 1."""

    job: Job
    exit_code: int
    log: Path


@dataclass(frozen=True, slots=True)
class _Running:
    job: Job
    process: subprocess.Popen[bytes]
    log: Path
    began: float


def log_path(folder: Path, name: str) -> Path:
    """Where a job's output goes."""
    return folder / "logs" / f"{name}.log"


def status_path(folder: Path, name: str) -> Path:
    """Where a job writes how far it is."""
    return folder / "scratch" / f"{name}.status"


def run_jobs(
    jobs: Sequence[Job], folder: Path, *, slots: Sequence[Mapping[str, str]], display: Display
) -> list[Failure]:
    """Run every job, in order, one process per slot; a failure does not stop the others.

    Args:
        jobs: what to run.
        folder: gets `logs/` and `scratch/`.
        slots: environment variables of each slot, over those of this process; as many processes run at once.
        display: shows what happens.

    Returns:
        The failures, in the order of their ends. If this is interrupted, the processes are ended first.
    """
    for name in ("logs", "scratch"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    waiting, running, failures = deque(jobs), dict[int, _Running](), list[Failure]()
    try:
        while waiting or running:
            for slot, variables in enumerate(slots):
                if slot not in running and waiting:
                    running[slot] = _start(waiting.popleft(), folder, variables)
                    display.started(slot, running[slot].job.title)
            time.sleep(_POLL_SECONDS)
            for slot, going in list(running.items()):
                status = Status.read(status_path(folder, going.job.name))
                if going.process.poll() is None:
                    if status is not None:
                        display.progressed(slot, status)
                    continue
                seconds = time.monotonic() - going.began
                display.finished(slot, ending(going.job, going.process.returncode, going.log, status, seconds))
                if going.process.returncode != 0:
                    failures.append(Failure(going.job, going.process.returncode, going.log))
                _close(running.pop(slot))
    finally:
        for going in running.values():
            _close(going)
        display.close()
    return failures


def exit_with_parent() -> None:
    """End this process when its standard input ends; a job calls this first."""
    threading.Thread(target=_wait_for_end_of_input, daemon=True).start()


def _wait_for_end_of_input() -> None:
    # Not sys.stdin: a thread that holds its lock would abort the interpreter's own end.
    while os.read(0, 4096):
        pass
    os._exit(1)


def _start(job: Job, folder: Path, variables: Mapping[str, str]) -> _Running:
    log = log_path(folder, job.name)
    status_path(folder, job.name).unlink(missing_ok=True)
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, *job.arguments, "--out", str(folder)],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **variables},
            start_new_session=True,
        )
    return _Running(job, process, log, time.monotonic())


def _close(going: _Running) -> None:
    if going.process.poll() is None:
        going.process.kill()
    assert going.process.stdin is not None
    going.process.stdin.close()
    going.process.wait()


def ending(job: Job, exit_code: int, log: Path, status: Status | None, seconds: float) -> str:
    """What is shown of a job that is over."""
    if exit_code != 0:
        return f"{job.title}: FAILED with exit code {exit_code}; see {log}"
    note = f": {status.note}" if status is not None and status.note else ""
    return f"{job.title}{note} ({seconds:.0f} s)"
