"""Checks of an environment against copies of itself: twins, pickles, its spec, and batches of every kind."""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import Any

import gymnasium
from gymnasium.envs.registration import EnvSpec
from gymnasium.vector import VectorEnv

from turnenv.checker.turns import ContractError, Recording, compare, replay, replay_turn, require
from turnenv.core import TextVectorEnv, turn_infos
from turnenv.core.contract import TextEnvironment
from turnenv.rollout import vectorise


def check_twins(env: TextEnvironment, twin: TextEnvironment, recordings: Sequence[Recording]) -> None:
    """Two environments stepped in lock-step (same seed) and alternately (two seeds) reproduce a solo run."""
    for left, right in zip(recordings, (*recordings[1:], recordings[0]), strict=True):
        _alternate(env, twin, left, left, "twins in lock-step")
        _alternate(env, twin, left, right, "twins alternately")


def check_pickle(env: TextEnvironment, recordings: Sequence[Recording]) -> str:
    """An unpickled copy of a fresh environment plays as the original did.

    Returns:
        Why it could not be checked (an environment need not pickle); "" if it was checked.
    """
    try:
        pickled = pickle.dumps(env)
    except (pickle.PicklingError, TypeError, AttributeError) as error:
        return f"the environment does not pickle ({error})"
    copy: TextEnvironment = pickle.loads(pickled)
    for recording in recordings:
        replay(copy, recording, "unpickled")
    return ""


def check_spec(env: TextEnvironment) -> str:
    """The spec survives JSON and pickle.

    Returns:
        Why it could not be checked (Gymnasium writes no callable as JSON); "" if it was checked.
    """
    spec = env.spec
    if spec is None:
        raise ContractError("an environment made by gym.make must have a spec")
    if callable(spec.entry_point) or callable(spec.vector_entry_point):
        return "its entry point is a callable: register it as 'module:Class'"
    again = EnvSpec.from_json(spec.to_json())
    require(again == spec and pickle.loads(pickle.dumps(spec)) == spec, "the spec does not survive JSON or pickle")
    return ""


def check_batch(env_id: str, recordings: Sequence[Recording]) -> None:
    """The batch of turnenv plays what single environments played."""
    _check_batch(vectorise(env_id, len(recordings)), recordings, "in turnenv's batch")


def check_gymnasium_batch(env_id: str, recordings: Sequence[Recording], mode: str) -> None:
    """Gymnasium's batch, "sync" or "async" (processes), plays what single environments played."""
    kwargs = {"shared_memory": False} if mode == "async" else {}
    batch = gymnasium.make_vec(env_id, num_envs=len(recordings), vectorization_mode=mode, vector_kwargs=kwargs)
    _check_batch(batch, recordings, f"in Gymnasium's {mode} batch")


def _alternate(env: TextEnvironment, twin: TextEnvironment, left: Recording, right: Recording, who: str) -> None:
    require(env.reset(seed=left.seed) == left.start, f"{who}, seed {left.seed} begins differently")
    require(twin.reset(seed=right.seed) == right.start, f"{who}, seed {right.seed} begins differently")
    for mine, its in zip_longest(range(len(left.actions)), range(len(right.actions))):
        if mine is not None:
            replay_turn(env, left, mine, who)
        if its is not None:
            replay_turn(twin, right, its, who)


def _check_batch(batch: VectorEnv[Any, Any, Any], recordings: Sequence[Recording], who: str) -> None:
    try:
        seeds: Any = [
            recording.seed for recording in recordings
        ]  # the base class declares int, but every kind takes lists
        observations, _ = batch.reset(seed=seeds)
        started = tuple(recording.start[0] for recording in recordings)
        require(tuple(observations) == started, f"{who}, the first observations differ: {observations!r}")
        for turn in range(max(len(recording.actions) for recording in recordings)):
            for row, got in _step(batch, recordings, turn):
                compare(got, recordings[row], turn, who)
    finally:
        batch.close()


def _step(
    batch: VectorEnv[Any, Any, Any], recordings: Sequence[Recording], turn: int
) -> Iterator[tuple[int, tuple[Any, ...]]]:
    """Step all, and yield the results of the rows whose episode was not over before this turn."""
    idle = None if isinstance(batch, TextVectorEnv) else ""
    going = [turn < len(recording.actions) for recording in recordings]
    actions = [recording.actions[turn] if on else idle for recording, on in zip(recordings, going, strict=True)]
    observations, rewards, terminated, truncated, infos = batch.step(tuple(actions))
    rows = turn_infos(infos, len(recordings))
    for row, on in enumerate(going):
        if on:
            yield row, (observations[row], rewards[row], terminated[row], truncated[row], rows[row])
