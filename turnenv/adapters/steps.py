"""One step of an environment written for Gymnasium, and what is paid for it by component."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple, SupportsFloat


class Step(NamedTuple):
    """One step of the environment: the observation before it, and what `step` returned."""

    before: Any
    observation: Any
    reward: float
    terminated: bool
    truncated: bool
    info: Mapping[str, Any]


Reward = SupportsFloat | Mapping[str, SupportsFloat]
"""A reward, or rewards by component."""


def parts_of(reward: Reward, name: str) -> dict[str, float]:
    """Rewards by component, as floats.

    Raises:
        ValueError: if one is not finite.
    """
    parts = {key: float(value) for key, value in (reward if isinstance(reward, Mapping) else {name: reward}).items()}
    for key, value in parts.items():
        if not math.isfinite(value):
            raise ValueError(f"the reward {key!r} is {value}")
    return parts
