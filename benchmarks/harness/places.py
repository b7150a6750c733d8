"""Where jobs run, as `--jobs` and `--ray` say: in processes of this machine, or on a Ray cluster."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from benchmarks.harness.progress import make_display
from benchmarks.harness.ray_jobs import cluster_has, connect, run_jobs_on_ray
from benchmarks.harness.rows import Finished, JsonLines
from benchmarks.harness.scheduler import Failure, Job, run_jobs
from turnenv.evaluation.provenance import cores


@dataclass(frozen=True, slots=True)
class Place:
    """Where jobs run, and how many at once.

    Attributes:
        jobs: at once; None for one per core, or one per GPU where jobs need one.
        ray: the address of a Ray cluster; None for processes of this machine.
    """

    jobs: int | None
    ray: str | None = None

    def __post_init__(self) -> None:
        if self.jobs is not None and self.jobs < 1:
            raise ValueError(f"--jobs must be at least 1; got {self.jobs}")

    def device(self, wanted: str) -> Literal["cpu", "cuda"]:
        """What `--device` comes to: "auto" takes a GPU if there is one.

        Raises:
            ValueError: if a GPU is wanted and there is none.
            ModuleNotFoundError: if a cluster is wanted without Ray.
            ConnectionError: if there is no cluster at the address.
        """
        if self.ray is not None:
            connect(self.ray)
        if wanted == "cpu":
            return "cpu"
        if self._gpus():
            return "cuda"
        if wanted == "cuda":
            lacks = "PyTorch sees no GPU" if self.ray is None else f"the Ray cluster {self.ray} has none"
            fix = "install PyTorch with CUDA" if self.ray is None else "add a machine with one"
            raise ValueError(f"--device cuda: {lacks}; use --device cpu, or {fix}")
        return "cpu"

    def run(
        self,
        jobs: Sequence[Job],
        folder: Path,
        rows: JsonLines[Finished],
        *,
        device: Literal["auto", "cpu", "cuda"],
        variables: Mapping[str, str],
    ) -> list[Failure]:
        """Run every job, in order; a failure does not stop the others.

        Args:
            jobs: what to run.
            folder: gets what the jobs write.
            rows: the file that has their rows.
            device: what they run on; "cuda" gives each a GPU.
            variables: environment variables of each.

        Returns:
            The failures, in the order of their ends.
        """
        if self.ray is not None:
            connect(self.ray)
        gpus = self._gpus() if device == "cuda" else 0
        count = min(self.jobs or gpus or self._cores(), len(jobs))
        display = make_display(sys.stderr, len(jobs), count)
        if self.ray is not None:
            slots = [variables] * count
            return run_jobs_on_ray(jobs, folder, slots=slots, display=display, rows=rows, gpus=1 if gpus else 0)
        slots = [{**variables, **_one_of(gpus, slot)} for slot in range(count)]
        return run_jobs(jobs, folder, slots=slots, display=display)

    def _gpus(self) -> int:
        if self.ray is not None:
            return cluster_has("GPU")
        import torch

        return torch.cuda.device_count()

    def _cores(self) -> int:
        return cores() if self.ray is None else max(cluster_has("CPU"), 1)


def _one_of(gpus: int, slot: int) -> Mapping[str, str]:
    return {"CUDA_VISIBLE_DEVICES": str(slot % gpus)} if gpus else {}
