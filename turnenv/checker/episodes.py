"""Checks of a single environment: any text, the end of an episode, tasks, branches, and loops that must not pay."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

from gymnasium.error import ResetNeeded

from turnenv.checker.turns import ContractError, Recording, Step, check_step, replay_turn, require
from turnenv.core.contract import TextEnvironment

LOOP_STEPS = 256
"""The most steps that are spent on loops per recorded episode."""
LOOP_LENGTH = 10_000
"""The longest action that is looped, in characters."""
_ROUNDING = 1e-9


class Loop(NamedTuple):
    """An episode in which one action was repeated.

    Attributes:
        action: the action that was repeated; "" for the agent's own episode.
        seed: the episode's seed.
        turn: the first repeated turn, from 1.
        state_keys: the state before each turn from `turn` on.
        rewards: the turn rewards from `turn` on.
        total: the sum of all turn rewards, including those before `turn`.
    """

    action: str
    seed: int
    turn: int
    state_keys: tuple[int, ...]
    rewards: tuple[float, ...]
    total: float


def check_any_text(env: TextEnvironment, actions: Sequence[str], seed: int) -> None:
    """Any text is a legal first action."""
    for action in actions:
        env.reset(seed=seed)
        try:
            result = env.step(action)
        except Exception as error:
            raise ContractError(f"any text is a legal action, but {action[:40]!r} raised {error!r}") from error
        check_step(result, 1, [result[1]], env)


def check_end(env: TextEnvironment, recording: Recording) -> None:
    """A finished episode refuses to go on."""
    env.reset(seed=recording.seed)
    for action in recording.actions:
        env.step(action)
    try:
        env.step("")
    except ResetNeeded:
        return
    raise ContractError("step after the end of an episode must raise gymnasium.error.ResetNeeded")


def check_tasks(env: TextEnvironment, seed: int) -> None:
    """The first and the last task can be chosen, and the numbers next to them are refused."""
    for task in {0, env.num_tasks - 1}:
        _, info = env.reset(seed=seed, options={"task": task})
        require(info["task"] == task, f"options={{'task': {task}}} began task {info['task']}")
    for task in (-1, env.num_tasks):
        try:
            env.reset(seed=seed, options={"task": task})
        except ValueError:
            continue
        raise ContractError(f"task {task} does not exist, yet reset did not raise ValueError")


def check_branching(env: TextEnvironment, recordings: Sequence[Recording], branches: int = 1 << 30) -> None:
    """At each turn: snapshot, take the action, restore, take another, restore; the recorded turn comes back.

    Only the first `branches` turns of an episode are branched; later ones are only replayed.
    """
    for recording in recordings:
        env.reset(seed=recording.seed)
        for turn, action in enumerate(recording.actions):
            if turn < branches:
                here = env.snapshot()
                env.step(action)
                env.restore(here)
                env.step(action + " elsewhere")
                env.restore(here)
            replay_turn(env, recording, turn, "after restore")


def play_loops(env: TextEnvironment, recordings: Sequence[Recording]) -> list[Loop]:
    """The recorded episodes, and for each new action in them the episode in which it is repeated until the end."""
    loops = [_as_loop("", recording.seed, 1, recording.results) for recording in recordings]
    for recording in recordings:
        env.reset(seed=recording.seed)
        tried: set[str] = set()
        steps = 0
        for turn, action in enumerate(recording.actions, 1):
            if action not in tried and steps < LOOP_STEPS and len(action) <= LOOP_LENGTH:
                tried.add(action)
                here = env.snapshot()
                results = _repeat(env, action, LOOP_STEPS - steps)
                steps += len(results)
                loops.append(_as_loop(action, recording.seed, turn, results))
                env.restore(here)
            env.step(action)
    return loops


def check_returns(loops: Sequence[Loop]) -> str:
    """Turn rewards between two visits of a state sum to 0 or less; otherwise the loop could be repeated for ever.

    `state_key` defines the state. Turn rewards that are noisy themselves can fail this by chance.

    Returns:
        Why nothing could be checked; "" if something was.
    """
    came_back = False
    for loop in loops:
        last: dict[int, int] = {}
        for at, key in enumerate(loop.state_keys):
            since = last.get(key, at)
            last[key] = at
            paid = sum(loop.rewards[since:at])
            came_back = came_back or since < at
            where = f"from turn {loop.turn + since} to {loop.turn + at} of seed {loop.seed}"
            way = f"{paid:g} was paid on the way ({_name(loop)})"
            require(paid <= _ROUNDING, f"farming: {where} the state came back and {way}")
    return "" if came_back else "no state came back in any episode"


def check_totals(loops: Sequence[Loop], recordings: Sequence[Recording]) -> str:
    """Repeating one action until the end never earns more turn reward than the best solved episode's return.

    Returns:
        Why nothing could be checked; "" if something was.
    """
    solved = [recording.total for recording in recordings if recording.closing["outcome"]["success"]]
    if not solved:
        return "no episode was solved: give an agent that solves some"
    for loop in loops:
        require(
            loop.total <= max(solved) + _ROUNDING,
            f"farming: {_name(loop)} from turn {loop.turn} of seed {loop.seed} earns {loop.total:g} in turn rewards, "
            f"more than the best solved episode's return of {max(solved):g}",
        )
    return ""


def _repeat(env: TextEnvironment, action: str, most: int) -> list[Step]:
    results: list[Step] = []
    for _ in itertools.repeat(None, most):
        results.append(env.step(action))
        if results[-1][2] or results[-1][3]:
            break
    return results


def _as_loop(action: str, seed: int, turn: int, results: Sequence[Step]) -> Loop:
    infos = [result[4] for result in results]
    keys, rewards = tuple(info["state_key"] for info in infos), tuple(info["turn_reward"] for info in infos)
    return Loop(action, seed, turn, keys, rewards, sum(infos[-1]["turn_rewards"]))


def _name(loop: Loop) -> str:
    return f"repeating {loop.action[:40]!r}" if loop.action else "the agent's own episode"
