"""The cells of the evidence as data: a starting point and a horizon, compared under the same settings."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

HEADLINE = "grpo_or,grpo_mr,mt_grpo"
GROUP_METHODS = f"{HEADLINE},gdpo,aw_grpo,placebo"
"""Those that need no critic; placebo hands each turn's advantage to another turn."""
METHODS = f"{GROUP_METHODS},turn_gae:rewards=turn,turn_gae:rewards=outcome"
"""The last two are MT-PPO and PPO-OR."""

SHARED = ("--groups", "4", "--num-generations", "8", "--max-turn-tokens", "64")
"""What all cells share; fixed before any of their runs, as are the starting points."""
_RATES = "5e-4,1e-3,2e-3"


@dataclass(frozen=True, slots=True)
class CellPlan:
    """What is run in a cell.

    Attributes:
        horizon: what the environment asks for, for the map.
        start: the starting point, for the map.
        settings: what the command compare is given beside `SHARED`.
        methods: compared by default.
        seeds: by default.
        rates_from: the cell whose learning rates are taken; None if the settings have rates to try.
        lesson: arguments of `python -m agents.nano.clone` that make the starting point; none if it is bundled.
        shares_start: the cell whose starting point it trains from, if another one's.
        rewards: what the turn rewards pay for: "right", "bait" (another action than the task needs) or "shuffled".
        lab: the setting of the lab's suites that is most like it, if one is.
    """

    horizon: str
    start: str
    settings: tuple[str, ...]
    methods: str = METHODS
    seeds: str = "5"
    rates_from: str | None = None
    lesson: tuple[str, ...] = ()
    shares_start: str | None = None
    rewards: str = "right"
    lab: str | None = None


def _trivia(start: str, seeds: str, rate_seeds: str) -> CellPlan:
    return CellPlan(
        "TriviaSearch, 2 turns",
        start,
        ("--model", _bundled(start), "--steps", "25", "--rates", _RATES, "--rate-seeds", rate_seeds),
        seeds=seeds,
        lab="2 turns",
    )


def _long(start: str, *rates: str, rates_from: str | None = None) -> CellPlan:
    """Four times the turns, for those three that the paper compares; the same turns for each."""
    return CellPlan(
        "TriviaSearch, 2 turns, longer training",
        start,
        ("--model", _bundled(start), "--steps", "200", "--env-turns", "5600", *rates),
        methods=HEADLINE,
        rates_from=rates_from,
    )


def _tiny(
    horizon: str, env: str, start: str, skill: str, *settings: str, rates_from: str | None, lab: str | None = None
) -> CellPlan:
    """A policy of 0.12 million parameters, taught by an expert that errs."""
    size = ("--width", "64", "--layers", "2", "--steps", "200", "--learning-rate", "3e-3")
    return CellPlan(
        horizon,
        start,
        ("--env", env, *settings),
        methods=GROUP_METHODS,
        rates_from=rates_from,
        lesson=("--env", env, "--skill", skill, *size),
        lab=lab,
    )


def _guess(start: str, skill: str, rates_from: str | None) -> CellPlan:
    horizon, budget = "GuessNumber, up to 6 turns", ("--steps", "100", "--env-turns", "9600")
    tried = () if rates_from else ("--rates", _RATES, "--rate-seeds", "1000,")
    return _tiny(horizon, "turnenv/GuessNumber-v0", start, skill, *budget, *tried, rates_from=rates_from)


def _chain(start: str, skill: str, rates_from: str | None = None) -> CellPlan:
    horizon, env = "CreditChain, 8 turns", "turnenv/CreditChain-v0"
    # Of `_RATES` the largest was the best for all but the placebo, and twice as much better still. From another start
    # the same rate made runs fail, so that each start has its own.
    tried = () if rates_from else ("--rates", "1e-3,2e-3,4e-3,8e-3", "--rate-seeds", "1000,1001,1002")
    return _tiny(horizon, env, start, skill, "--steps", "60", *tried, rates_from=rates_from, lab="8 turns, aligned")


def _misled(rewards: str, mode: str, lab: str) -> CellPlan:
    """The chain from its skilled start, with turn rewards that mislead."""
    right = _chain("skilled", "0.7", "chain-skilled")
    kwargs = ("--env-kwargs", json.dumps({"mode": mode}))
    return replace(right, settings=(*right.settings, *kwargs), shares_start="chain-skilled", rewards=rewards, lab=lab)


def _bundled(start: str) -> str:
    return "agents/nano" if start == "weak" else f"agents/nano/{start}"


CELLS: Mapping[str, CellPlan] = MappingProxyType(
    {
        "weak": _trivia("weak", "10", "1000,1001,1002"),
        "knowing": _trivia("knowing", "10", "1000,1001,1002"),
        "skilled": _trivia("skilled", "5", "1000,"),
        # At 25 steps the largest rate failed for every method, and the smallest was the best for two of three.
        "weak-long": _long("weak", "--rates", "2.5e-4,5e-4,1e-3", "--rate-seeds", "1000,1001"),
        "knowing-long": _long("knowing", rates_from="knowing"),
        "guess-weak": _guess("weak", "0.3", None),
        "guess-middling": _guess("middling", "0.5", "guess-weak"),
        "guess-skilled": _guess("skilled", "0.7", "guess-weak"),
        "chain-weak": _chain("weak", "0.3"),
        "chain-middling": _chain("middling", "0.5"),
        "chain-skilled": _chain("skilled", "0.7"),
        "chain-bait": _misled("bait", "hackable", "8 turns, hackable"),
        "chain-shuffled": _misled("shuffled", "shuffled", "8 turns, shuffled"),
    }
)
"""Name → what is run there."""
