"""The cells of the evidence as data: a starting point and a horizon, compared under the same settings."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

HEADLINE = "grpo_or,grpo_mr,mt_grpo"
METHODS = f"{HEADLINE},gdpo,aw_grpo,placebo,turn_gae:rewards=turn,turn_gae:rewards=outcome"
"""The last two are MT-PPO and PPO-OR; placebo hands each turn's advantage to another turn."""

SETTINGS = (
    *("--steps", "25", "--groups", "4", "--num-generations", "8", "--max-turn-tokens", "64"),
    *("--rates", "5e-4,1e-3,2e-3", "--rate-seeds", "1000,1001,1002"),
)
"""What all cells share; fixed before any of their runs, as are the starting points."""

CELLS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "weak": ("--model", "agents/nano"),
        "knowing": ("--model", "agents/nano/knowing"),
        "skilled": ("--model", "agents/nano/skilled"),
    }
)
"""Name → what the command compare is given beside `SETTINGS`; TriviaSearch unless it says otherwise."""
