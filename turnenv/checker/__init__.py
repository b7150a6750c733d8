"""check_env: the environment contract as assertions, for our environments and for yours."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import gymnasium
import numpy as np
from gymnasium.utils.env_checker import check_env as gymnasium_check_env

from turnenv.checker import copies
from turnenv.checker.episodes import (
    Loop,
    check_any_text,
    check_branching,
    check_end,
    check_returns,
    check_tasks,
    check_totals,
    play_loops,
)
from turnenv.checker.turns import Agent, ContractError, Recording, record, replay, require
from turnenv.core import TextEnv

__all__ = ["NASTY_ACTIONS", "Agent", "Check", "ContractError", "check_env"]

NASTY_ACTIONS = (
    "",
    " \n\t",
    "\x00",
    "\ud800 lone surrogate",
    "日本 🙂 ½ ﷽ \u202e",
    "x" * 1_000_000,
    "<result>\nforged\n</result>",
    "<tool>" + "[" * 50_000 + "</tool>",
    '<tool>{"name": "search", "args": {"query": 3}}</tool>',
    '<tool>{"name": "no_such_tool"}</tool>',
    "<answer></answer>",
    "<answer>" * 100_000,
    "9" * 5_000,
)
_BABBLE = tuple(text for text in NASTY_ACTIONS if 3 <= len(text) <= 5_000)
_PROCESSES = 2


@dataclass(frozen=True, slots=True)
class Check:
    """Something that was checked and holds, or that could not be checked.

    Attributes:
        claim: what holds.
        unchecked: why it could not be checked; "" if it was.
    """

    claim: str
    unchecked: str = ""


def check_env(
    env: str | TextEnv[Any],
    agent: Agent | None = None,
    *,
    episodes: int = 8,
    seed: int = 0,
    parallel: bool = False,
) -> tuple[Check, ...]:
    """Assert that an environment keeps the contract; warnings are errors.

    The agent plays some episodes, and everything else replays its actions: Gymnasium's `check_env`; the keys, types
    and sums of `info`; no reward lost; any text a legal action; a finished episode that refuses to go on; task
    picking; equal seeds, equal episodes; `snapshot` and `restore`; a pickled copy; and no farming by looping: no
    action, repeated until the end, is paid for coming back to a state (`state_key`), nor more than the best solved
    episode's return. For an id also: twins in lock-step and turn about, the spec through JSON and pickle, and the
    same episodes in turnenv's batch and in Gymnasium's.

    Args:
        env: an id, or a fresh environment.
        agent: plays the episodes; by default it writes random and nasty texts. Give one that gets somewhere.
        episodes: how many episodes the agent plays, at least 1.
        seed: the first seed.
        parallel: also check Gymnasium's batch over processes, which takes seconds to start.

    Returns:
        What was checked, and what could not be and why.

    Raises:
        ContractError: at the first breach.
        ValueError: if `episodes` is below 1.
    """
    if episodes < 1:
        raise ValueError(f"episodes must be at least 1; got {episodes}")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fresh, single = _make(env), _make(env)
        _check_by_gymnasium(single)
        play = agent or _babble(seed)
        recordings = [record(single, play, at) for at in range(seed, seed + episodes)]
        checked = (Check("Gymnasium's check_env"), Check("info's keys, types and sums; no reward lost"))
        claims = _claims_of_one(single, fresh, recordings, seed) + _claims_of_copies(env, single, recordings, parallel)
        return checked + tuple(Check(claim, check() or "") for claim, check in claims)


_Claim = tuple[str, Callable[[], str | None]]


def _claims_of_one(
    env: TextEnv[Any], fresh: TextEnv[Any], recordings: Sequence[Recording], seed: int
) -> tuple[_Claim, ...]:
    loops: list[Loop] = []

    def no_payment_for_coming_back() -> str:
        loops.extend(play_loops(env, recordings))
        return check_returns(loops)

    def repeat_all() -> None:
        for recording in recordings:
            replay(env, recording, "played again")

    return (
        ("any text is a legal action", partial(check_any_text, env, NASTY_ACTIONS, seed)),
        ("a finished episode refuses to go on", partial(check_end, env, recordings[0])),
        ("tasks can be picked", partial(check_tasks, env, seed)),
        ("equal seeds and actions, equal episodes", repeat_all),
        ("snapshot, diverge, restore", partial(check_branching, env, recordings)),
        ("coming back to a state is not paid", no_payment_for_coming_back),
        ("no loop earns more than solving", lambda: check_totals(loops, recordings)),
        ("an unpickled copy plays the same", partial(copies.check_pickle, fresh, recordings)),
    )


def _claims_of_copies(
    env: str | TextEnv[Any], single: TextEnv[Any], recordings: Sequence[Recording], parallel: bool
) -> tuple[_Claim, ...]:
    if not isinstance(env, str):
        return (("twins, spec and batches", lambda: "register the environment and give its id"),)
    over_processes = partial(copies.check_gymnasium_batch, env, recordings[:_PROCESSES], "async")
    return (
        ("twins in lock-step and turn about", lambda: copies.check_twins(single, _make(env), recordings)),
        ("the spec survives JSON and pickle", partial(copies.check_spec, single)),
        ("turnenv's batch plays the same", partial(copies.check_batch, env, recordings)),
        ("Gymnasium's sync batch plays the same", partial(copies.check_gymnasium_batch, env, recordings, "sync")),
        ("Gymnasium's async batch plays the same", over_processes if parallel else lambda: "needs parallel=True"),
    )


def _check_by_gymnasium(env: TextEnv[Any]) -> None:
    try:
        gymnasium_check_env(env, skip_render_check=env.spec is None)
    except Exception as error:
        raise ContractError(f"Gymnasium's check_env: {error}") from error


def _make(env: str | TextEnv[Any]) -> TextEnv[Any]:
    made = gymnasium.make(env, disable_env_checker=True).unwrapped if isinstance(env, str) else env
    require(isinstance(made, TextEnv), f"{made} is not a turnenv.TextEnv (unwrap it first)")
    return made  # type: ignore[return-value]


def _babble(seed: int) -> Agent:
    def act(observation: str, turn: int) -> str:
        rng = np.random.default_rng((seed, turn, len(observation)))
        return _BABBLE[rng.integers(len(_BABBLE))] if rng.random() < 0.3 else str(rng.integers(100))

    return act
