"""The starting points of the nano policy, fixed before any comparison was run from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from agents.nano.demonstrations import SKILLED, WEAK, Habits


@dataclass(frozen=True)
class Start:
    """How a starting point is made of a base.

    Attributes:
        base: "skills", or "knowledge", which recalls facts as well.
        habits: taught in a short second stage.
        steps: of the second stage.
        learning_rate: of the second stage, AdamW's.
        invented: the share of its demonstrations that are about invented entities.
        recited: the share of its conversations that recite a fact instead.
    """

    base: str
    habits: Habits = SKILLED
    steps: int = 0
    learning_rate: float = 4e-4
    invented: float = 0.85
    recited: float = 0.0


BASE_STEPS: Mapping[str, int] = MappingProxyType({"skills": 1500, "knowledge": 1600})
"""Base -> the steps that it is taught in."""

STARTS: Mapping[str, Start] = MappingProxyType(
    {
        "weak": Start("skills", WEAK, steps=120),
        "knowing": Start("knowledge", WEAK, steps=120, learning_rate=2e-4, invented=0.5, recited=0.1),
        "skilled": Start("skills"),
    }
)
