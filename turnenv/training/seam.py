"""Where our trainer relies on TRL: what must hold there, and what is said when it does not."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
import trl

TESTED_TRL = "trl>=1.14,!=1.15.0,<1.17"


def check(holds: bool, what: str) -> None:
    """Raise RuntimeError if TRL is not as we know it."""
    if not holds:
        raise RuntimeError(f"TRL {trl.__version__} is not what turnenv builds on: {what}; pip install '{TESTED_TRL}'")


def check_batch(inputs: Sequence[Mapping[str, Any]], output: Mapping[str, Any]) -> None:
    """Raise RuntimeError if TRL made something else than we expect of a batch that `rollout_func` played."""
    check(all("episode" in row and "turn_of" in row for row in inputs), "rollout_func's fields are not in the rows")
    check(output.get("advantages", torch.empty(0, 0)).shape == (len(inputs),), "advantages are no longer (B,)")
    check("tool_mask" in output, "env_mask no longer becomes tool_mask, so environment tokens would be trained")
    check(output["tool_mask"].shape == output["completion_ids"].shape, "tool_mask no longer covers the completion")


@contextmanager
def answered_warnings() -> Iterator[None]:
    """Silence two warnings of TRL that ask nothing of the user.

    `rollout_func` is experimental, which `check_batch` answers; and TRL reads a name that transformers deprecates.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*rollout_func", category=UserWarning)
        warnings.filterwarnings("ignore", message="`is_gradient_checkpointing` is deprecated", category=FutureWarning)
        yield
