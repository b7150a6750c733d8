"""The lab's suites as data: each varies one argument of the environment."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from benchmarks.credit.cells import Cell

MODES = ("aligned", "potential", "noisy", "shuffled", "hackable", "none")
"""Kinds of turn rewards, from best to worst aligned with the outcome; "none" has none."""
_BATCHES = 400
"""Training's budget, in batches of the cell's size and of episodes that use all turns."""


def chain(length: int, *, label: str = "", **changes: Any) -> Cell:
    """A cell on CreditChain; keywords that are fields of `Cell` go there, the rest to the environment."""
    fields = {name: changes.pop(name) for name in list(changes) if name in Cell.model_fields}
    kwargs = {"length": length, **changes}
    slack = (
        changes.get("slack") if changes.get("slack") is not None else length * (changes.get("errors") == "recoverable")
    )
    turns = length + changes.get("delay", 0) + slack
    episodes = fields.get("group_size", 8) * fields.get("groups", 4)
    fields.setdefault("budget", _BATCHES * episodes * turns)
    facets = {"setting": label or f"{length} turns", "length": length, "mode": changes.get("mode", "aligned")}
    return Cell(env_kwargs=kwargs, facets=facets | fields.pop("facets", {}), **fields)


def _hackable(length: int, weight: float) -> Cell:
    # Outcome-only GRPO must have a chance to learn, and a later fall must be seen.
    return chain(
        length,
        mode="hackable",
        weight=weight,
        start_right=0.75 if length > 4 else 0.5,
        keep_going=True,
        label=f"{length} turns, bait worth {weight:g}",
    )


def _right(length: int, **changes: Any) -> Cell:
    """A held-out cell whose turn rewards are right; one group per batch, so that episodes are counted finely."""
    changes = {"groups": 1, "budget": 600 * 8 * length} | changes
    return chain(length, facets={"held_out": "right"}, **changes)


def _wrong(length: int, **changes: Any) -> Cell:
    return chain(length, keep_going=True, facets={"held_out": "wrong"}, **changes)


def _world(env: str) -> Cell:
    """A small text world with its own turn rewards, one task of it."""
    facets: dict[str, int | float | str] = {"setting": env}
    return Cell(env=f"turnenv/{env}-v0", budget=51_200, facets=facets)


def _exact(length: int, **changes: Any) -> Cell:
    return chain(length, actions=2, budget=0, groups=1, facets={"exact": "yes"}, **changes)


SUITES: Mapping[str, tuple[Cell, ...]] = MappingProxyType(
    {
        "credit/exact": (
            _exact(2, label="2 turns, 2 actions"),
            _exact(3, label="3 turns, 2 actions"),
            _exact(3, mode="hackable", label="3 turns, 2 actions, hackable"),
            _exact(2, stop_reward=0.25, errors="fatal", label="2 turns, may stop"),
        ),
        "credit/length": tuple(chain(length) for length in (2, 4, 8, 16)),
        "credit/alignment": tuple(
            chain(length, mode=mode, noise=0.3, label=f"{length} turns, {mode}")
            for length in (2, 4, 8)
            for mode in MODES
        ),
        "credit/distractors": tuple(
            chain(8, distractors=n, label=f"{n} of 8 turns do not matter") for n in (0, 2, 4, 6)
        ),
        "credit/delay": tuple(chain(4, delay=n, label=f"outcome {n} turns late") for n in (0, 2, 4, 8)),
        "credit/noise": tuple(
            chain(8, mode="noisy", noise=p, label=f"{p:.0%} of turn rewards flipped")
            for p in (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)
        ),
        "credit/hackable": tuple(_hackable(length, weight) for length in (4, 8) for weight in (0.5, 2.0)),
        "credit/shuffled": tuple(
            chain(length, mode="shuffled", label=f"{length} turns, shuffled") for length in (4, 8)
        ),
        "credit/variable-length": (
            chain(4, errors="fatal", label="4 turns, an error ends"),
            chain(8, errors="fatal", label="8 turns, an error ends"),
            chain(4, stop_reward=0.2, label="4 turns, may stop for 0.2"),
            chain(4, stop_reward=0.2, errors="fatal", mode="potential", label="4 turns, may stop, an error ends"),
        ),
        "credit/recurring-states": tuple(
            chain(
                length,
                errors="recoverable",
                clock=False,
                setback=back,
                right=0.6,
                label=f"{length} positions, setback {back}",
            )
            for length in (4, 6)
            for back in (0, 1)
        ),
        "credit/stochastic": tuple(
            chain(4, slip=p, threshold=t, label=f"4 turns, slip {p:g}")
            for p, t in ((0.05, 0.8), (0.1, 0.65), (0.2, 0.45))
        ),
        "credit/group-size": tuple(
            chain(4, group_size=size, groups=32 // size, label=f"groups of {size}") for size in (2, 4, 8, 16, 32)
        ),
        "credit/worlds": (_world("GridQuest-easy"), _world("BlocksArm-easy")),
        # Each mirrors a comparison of language models (benchmarks/LOG.md): the same pay, batch and start.
        "credit/language": (
            chain(8, start_right=0.47, label="as CreditChain in words"),
            chain(4, mode="hackable", weight=2.0, start_right=0.48, keep_going=True, label="as bait in words"),
            chain(4, errors="recoverable", slack=1, start_right=0.55, groups=2, label="as MultiHopSearch"),
        ),
        "credit/held-out": (
            _right(8, actions=3, label="8 turns, 3 actions"),
            _right(8, actions=9, slip=0.05, threshold=0.6, label="8 turns, 9 actions, slip 0.05"),
            _right(8, actions=9, errors="fatal", label="8 turns, 9 actions, an error ends"),
            _right(8, actions=6, group_size=16, budget=600 * 16 * 8, label="8 turns, 6 actions, groups of 16"),
            _right(8, actions=8, distractors=3, delay=2, label="8 turns, 3 do not matter, outcome 2 late"),
            _right(8, actions=7, mode="noisy", noise=0.15, label="8 turns, 7 actions, 15% flipped"),
            _right(16, actions=3, label="16 turns, 3 actions"),
            _right(16, actions=9, label="16 turns, 9 actions"),
            _right(16, actions=6, slip=0.02, threshold=0.65, label="16 turns, 6 actions, slip 0.02"),
            _right(16, actions=3, errors="fatal", label="16 turns, 3 actions, an error ends"),
            _right(16, actions=7, group_size=12, budget=600 * 12 * 16, label="16 turns, 7 actions, groups of 12"),
            _wrong(3, actions=7, mode="hackable", label="3 turns, 7 actions, bait"),
            _wrong(5, actions=3, mode="hackable", weight=1.0, label="5 turns, 3 actions, bait worth 1"),
            _wrong(5, actions=2, mode="hackable", weight=2.0, label="5 turns, 2 actions, bait worth 2"),
            _wrong(10, actions=2, mode="hackable", label="10 turns, 2 actions, bait"),
            _wrong(5, actions=2, mode="shuffled", label="5 turns, 2 actions, shuffled"),
            _wrong(7, actions=2, mode="shuffled", label="7 turns, 2 actions, shuffled"),
            _wrong(3, actions=6, mode="shuffled", label="3 turns, 6 actions, shuffled"),
        ),
        "quick": (
            _exact(2, label="2 turns, 2 actions"),
            chain(4),
            chain(8),
            chain(8, mode="noisy", noise=0.3, label="8 turns, 30% flipped"),
            _hackable(4, 2.0),
            chain(4, errors="fatal", label="4 turns, an error ends"),
            chain(4, errors="recoverable", clock=False, right=0.6, label="4 positions, states recur"),
        ),
    }
)
"""Suite → its cells. "full" is every suite but "quick"."""


def cells_of(name: str) -> tuple[Cell, ...]:
    """The cells of a suite, or of "full".

    Raises:
        ValueError: if there is no such suite.
    """
    if name == "full":
        return tuple(cell for suite, cells in SUITES.items() if suite != "quick" for cell in cells)
    if name not in SUITES:
        raise ValueError(f"no suite is named {name!r}; there are: full, {', '.join(SUITES)}")
    return SUITES[name]
