"""Runs the same jobs as `scheduler` on a Ray cluster: plain tasks that return their files, one writer of rows here."""

from __future__ import annotations

import logging
import os
import socket
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Generic

from benchmarks.harness import ray_task
from benchmarks.harness.progress import Display, Status
from benchmarks.harness.rows import Finished, JsonLines
from benchmarks.harness.scheduler import Failure, Job, ending, log_path, status_path
from turnenv.evaluation.provenance import cores
from turnenv.extras import needs

_POLL_SECONDS = 0.5
_CONNECT_SECONDS = 5.0
_CANCELS, _CANCEL_SECONDS = 4, 4.0
_OBJECT_STORE_BYTES = 256 << 20
_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class _Going:
    job: Job
    order: ray_task.Order
    result: Any
    began: float
    again: bool = False


def connect(address: str) -> None:
    """Start Ray on this machine, or join a cluster; in a process that has done so already, nothing is done.

    Args:
        address: "local" to start, "auto" for the cluster that runs on this machine, `host:port`, or `ray://host:port`.

    Raises:
        ModuleNotFoundError: without Ray.
        ConnectionError: if there is no cluster at the address.
        ValueError: if it is no address.
    """
    at = _host_and_port(address)
    with needs("ray", "--ray"):
        import ray
        from ray import cloudpickle
    if ray.is_initialized():
        return
    cloudpickle.register_pickle_by_value(ray_task)
    # A benchmark reports to nobody; and what Ray says of a later default is no news to its user.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    if address == "local":
        sizes = {"num_cpus": cores(), "object_store_memory": _OBJECT_STORE_BYTES}
        ray.init(address=address, include_dashboard=False, **sizes, **quiet)
        return
    try:
        if at is not None:
            # Ray itself would try for two minutes, and then exit.
            socket.create_connection(at, _CONNECT_SECONDS).close()
        ray.init(address=address, **quiet)
    except OSError as error:
        raise ConnectionError(f"--ray {address}: no cluster answers there: {error}") from error


def _host_and_port(address: str) -> tuple[str, int] | None:
    if address in ("local", "auto"):
        return None
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not (host and port.isdecimal()):
        raise ValueError(f"--ray takes local, auto, host:port or ray://host:port; got {address!r}")
    return host, int(port)


def cluster_has(resource: str) -> int:
    """How many "CPU" or "GPU" the cluster has now."""
    import ray

    return int(ray.cluster_resources().get(resource, 0))


def run_jobs_on_ray(
    jobs: Sequence[Job],
    folder: Path,
    *,
    slots: Sequence[Mapping[str, str]],
    display: Display,
    rows: JsonLines[Finished],
    gpus: int = 0,
) -> list[Failure]:
    """Run every job, in order, one task per slot; a failure does not stop the others.

    A task runs in a temporary folder of its worker and returns what it wrote there. This process writes it to the
    folder, files before rows, so that a kill at any instant leaves no row without its files. A job whose worker was
    lost begins again, once.

    Args:
        jobs: what to run.
        folder: gets their files.
        slots: environment variables of each slot, over those of the worker; as many tasks run at once.
        display: shows what happens.
        rows: gets the rows of the jobs.
        gpus: how many each task asks for; each asks for one CPU.

    Returns:
        The failures, in the order of their ends. If this is interrupted, the tasks are ended first.
    """
    tasks, waiting, failures = _Tasks(folder, rows, gpus), deque(jobs), list[Failure]()
    try:
        while waiting or tasks.going:
            for slot, variables in enumerate(slots):
                if slot not in tasks.going and waiting:
                    tasks.start(slot, waiting.popleft(), variables)
                    display.started(slot, tasks.going[slot].job.title)
            over = tasks.wait()
            for slot, status in tasks.statuses().items():
                display.progressed(slot, status)
            for slot in over:
                job, began = tasks.going[slot].job, tasks.going[slot].began
                if (ended := tasks.collect(slot)) is None:
                    continue
                exit_code, last = ended
                log = log_path(folder, job.name)
                display.finished(slot, ending(job, exit_code, log, last, time.monotonic() - began))
                if exit_code != 0:
                    failures.append(Failure(job, exit_code, log))
    finally:
        tasks.cancel()
        display.close()
    return failures


class _Tasks(Generic[Finished]):
    """The tasks under way, by slot."""

    def __init__(self, folder: Path, rows: JsonLines[Finished], gpus: int) -> None:
        import ray

        self._ray, self._folder, self._rows = ray, folder, rows
        self._statuses = ray.remote(ray_task.Statuses).options(num_cpus=0).remote()
        self._asked, self._latest = self._statuses.read.remote(), dict[str, str]()
        self._task = ray.remote(ray_task.do).options(num_cpus=1, num_gpus=gpus, max_retries=0)
        self.going: dict[int, _Going] = {}

    def start(self, slot: int, job: Job, variables: Mapping[str, str]) -> None:
        paths = [path(self._folder, job.name).relative_to(self._folder) for path in (log_path, status_path)]
        log, status = (path.as_posix() for path in paths)
        order = ray_task.Order(job.name, job.arguments, str(Path.cwd()), str(_ROOT), dict(variables), log, status)
        self.going[slot] = _Going(job, order, self._task.remote(order, self._statuses), time.monotonic())

    def wait(self) -> list[int]:
        """The slots whose tasks are over, after a moment."""
        over, _ = self._ray.wait([each.result for each in self.going.values()], timeout=_POLL_SECONDS)
        return [slot for slot, each in self.going.items() if each.result in over]

    def statuses(self) -> dict[int, Status]:
        """How far the tasks are, where that is known by now; never waits, since nothing else needs it."""
        if self._ray.wait([self._asked], timeout=0)[0]:
            try:
                self._latest = self._ray.get(self._asked)
            except self._ray.exceptions.RayError:
                self._latest = {}
            self._asked = self._statuses.read.remote()
        found = {slot: Status.parse(self._latest.get(each.job.name, "")) for slot, each in self.going.items()}
        return {slot: status for slot, status in found.items() if status is not None}

    def collect(self, slot: int) -> tuple[int, Status | None] | None:
        """Keep what a task returned and free its slot; None if its worker was lost and it began again."""
        ended, errors = self.going.pop(slot), self._ray.exceptions
        try:
            exit_code, files, status = self._ray.get(ended.result)
        except errors.RayError as error:
            if not (ended.again or isinstance(error, errors.RayTaskError)):
                result = self._task.remote(ended.order, self._statuses)
                self.going[slot] = replace(ended, result=result, again=True)
                return None
            exit_code, files, status = 1, {ended.order.log: f"{error}\n".encode()}, ""
        self._keep(files)
        return exit_code, Status.parse(status)

    def _keep(self, files: dict[str, bytes]) -> None:
        """Write files first and rows last."""
        rows = files.pop(self._rows.path.name, b"")
        for name, content in files.items():
            path = self._folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        self._rows.append_all(rows)

    def cancel(self) -> None:
        """End what is under way, and wait until it has ended."""
        going = [each.result for each in self.going.values()]
        for attempt in range(_CANCELS):
            for result in going:
                # Python drops an interrupt that comes while it frees an object, so that one may not be enough.
                self._ray.cancel(result, force=attempt == _CANCELS - 1)
            if going:
                _, going = self._ray.wait(going, num_returns=len(going), timeout=_CANCEL_SECONDS)
