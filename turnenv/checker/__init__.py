"""check_env: the environment contract as assertions, for our environments and for yours."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from gymnasium.utils.env_checker import check_env as gymnasium_check_env

from turnenv.adapters import AnyEnv, as_text_env
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
from turnenv.checker.guarantees import Guarantee, find_guarantees
from turnenv.checker.turns import Agent, ContractError, Recording, record, replay
from turnenv.core import TextEnv
from turnenv.core.contract import TextEnvironment

__all__ = [
    "NASTY_ACTIONS",
    "Agent",
    "Check",
    "ContractError",
    "Guarantee",
    "check_env",
    "find_guarantees",
    "random_texts",
]

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
    """A claim that was checked and holds, or that could not be checked.

    Attributes:
        claim: what holds.
        unchecked: why it could not be checked; "" if it was.
    """

    claim: str
    unchecked: str = ""


def check_env(
    env: AnyEnv,
    agent: Agent | None = None,
    *,
    episodes: int = 8,
    seed: int = 0,
    parallel: bool = False,
) -> tuple[Check, ...]:
    """Assert that an environment keeps the contract; warnings are errors.

    The agent plays some episodes, and the checks replay its actions: Gymnasium's `check_env`; the keys, types and sums
    of `info`; no reward is lost; any text is a legal action; a finished episode raises on `step`; tasks can be chosen;
    equal seeds give equal episodes; `snapshot` and `restore`; a pickled copy. They also check that looping does not
    pay: an action that is repeated until the end (at most 256 steps) earns nothing for returning to a state
    (`state_key`), and no more than the best solved episode's return. The id of a bare `TextEnv` is also checked by
    twins in lock-step and alternately, its spec through JSON and pickle, and the same episodes in turnenv's batch and
    in Gymnasium's.

    Args:
        env: an id, a fresh environment (it is played, not copied), or a function that makes one; see
            `turnenv.adapters.as_text_env`.
        agent: plays the episodes; by default it writes random numbers and nasty texts. Pass one that solves some.
        episodes: how many episodes the agent plays, at least 1.
        seed: the first seed.
        parallel: also check Gymnasium's batch over processes, which takes seconds to start.

    Returns:
        The claims that hold, and those that could not be checked, with the reason.

    Raises:
        ContractError: at the first breach.
        TypeError: if `env` is not a text environment.
        ValueError: if `episodes` is below 1, or a wrapper of `env` loses turn rewards.
    """
    if episodes < 1:
        raise ValueError(f"episodes must be at least 1; got {episodes}")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fresh, single = as_text_env(env), as_text_env(env)
        _check_by_gymnasium(single)
        play = agent or random_texts(seed)
        recordings = [record(single, play, at) for at in range(seed, seed + episodes)]
        checked = (Check("Gymnasium's check_env"), Check("info's keys, types and sums; no reward lost"))
        claims = _claims_of_one(single, fresh, recordings, seed) + _claims_of_copies(env, single, recordings, parallel)
        return checked + tuple(Check(claim, check() or "") for claim, check in claims)


_Claim = tuple[str, Callable[[], str | None]]


def _claims_of_one(
    env: TextEnvironment, fresh: TextEnvironment, recordings: Sequence[Recording], seed: int
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
    env: AnyEnv, single: TextEnvironment, recordings: Sequence[Recording], parallel: bool
) -> tuple[_Claim, ...]:
    if not isinstance(env, str) or not isinstance(single, TextEnv):
        return (("twins, spec and batches", lambda: "register the bare environment and give its id"),)
    over_processes = partial(copies.check_gymnasium_batch, env, recordings[:_PROCESSES], "async")
    return (
        ("twins in lock-step and alternately", lambda: copies.check_twins(single, as_text_env(env), recordings)),
        ("the spec survives JSON and pickle", partial(copies.check_spec, single)),
        ("turnenv's batch plays the same", partial(copies.check_batch, env, recordings)),
        ("Gymnasium's sync batch plays the same", partial(copies.check_gymnasium_batch, env, recordings, "sync")),
        ("Gymnasium's async batch plays the same", over_processes if parallel else lambda: "needs parallel=True"),
    )


def _check_by_gymnasium(env: TextEnvironment) -> None:
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # it tries render_mode="human" too
            gymnasium_check_env(env, skip_render_check=env.spec is None)  # type: ignore[arg-type]
    except Exception as error:
        raise ContractError(f"Gymnasium's check_env: {error}") from error


def random_texts(seed: int) -> Agent:
    """An agent that writes numbers and nasty texts, the same in every run."""

    def act(observation: str, turn: int) -> str:
        rng = np.random.default_rng((seed, turn, len(observation)))
        return _BABBLE[rng.integers(len(_BABBLE))] if rng.random() < 0.3 else str(rng.integers(100))

    return act
