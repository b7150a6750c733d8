"""Converts infos to and from Gymnasium's batched layout, where the array `_key` masks the rows that have `key`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np


def start_infos(rows: Sequence[int], infos: Sequence[Mapping[str, Any] | None]) -> dict[str, Any]:
    """Batch the infos of `reset` in these rows, with masks: `task` (elsewhere -1), `system_prompt` (elsewhere None)."""
    tasks, prompts = [-1] * len(infos), np.empty(len(infos), dtype=object)
    for row in rows:
        info = infos[row]
        if info is not None:
            tasks[row], prompts[row] = info["task"], info["system_prompt"]
    tasks_n = np.array(tasks, dtype=np.int64)
    begun = tasks_n >= 0
    return {"task": tasks_n, "_task": begun, "system_prompt": prompts, "_system_prompt": begun}


def turn_infos(infos: Mapping[str, Any], num_envs: int) -> list[dict[str, Any] | None]:
    """Return each row's info of the turn that a vector `step` has just taken, in any kind of batch and autoreset mode.

    In Gymnasium's "SameStep" mode the closing turn's info is under `final_info`; in "NextStep" mode a row that was just
    reset has no turn.

    Args:
        infos: what `step` of a `TextVectorEnv` or of Gymnasium's vector environments returned.
        num_envs: the number of rows.

    Returns:
        One info per row, as the single environment's `step` returned it; None where no turn was taken.
    """
    if "env_infos" in infos:
        return list(infos["env_infos"])
    rows: list[dict[str, Any] | None] = []
    for row in range(num_envs):
        info = _row_of(infos, row)
        info = info.get("final_info", info)
        rows.append(info if "turn_reward" in info else None)
    return rows


def _row_of(infos: Mapping[str, Any], row: int) -> dict[str, Any]:
    """Undo Gymnasium's batching of infos, where `_key` masks the rows that have `key`."""
    kept = [key for key in infos if f"_{key}" in infos and infos[f"_{key}"][row]]
    return {key: _value_of(infos[key], row) for key in kept}


def _value_of(values: Any, row: int) -> Any:
    if isinstance(values, Mapping):
        return _row_of(values, row)
    value = values[row]
    return value.item() if isinstance(value, np.generic) else value
