"""Plays episodes in lock-step: one call of the policy acts in all that are running, fastest for a local model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext

from turnenv.core import TextVectorEnv
from turnenv.policies import Action, Policy, PreparedPolicy
from turnenv.rollout.playing import Playing, as_action
from turnenv.types import Episode


def play_in_lockstep(
    batch: TextVectorEnv,
    policy: Policy,
    seeds: Sequence[int],
    tasks: Sequence[int] | None,
    finished: Callable[[int, Episode], None],
) -> None:
    """Play one episode in each environment of the batch; arguments as of `turnenv.collect`."""
    with policy.playing() if isinstance(policy, PreparedPolicy) else nullcontext():
        _play(batch, policy, seeds, tasks, finished)


def _play(
    batch: TextVectorEnv,
    policy: Policy,
    seeds: Sequence[int],
    tasks: Sequence[int] | None,
    finished: Callable[[int, Episode], None],
) -> None:
    options = None if tasks is None else {"task": list(tasks)}
    observations, info = batch.reset(seed=list(seeds), options=options)
    policy.begin([started["system_prompt"] for started in info["env_infos"]], batch.tools)
    playing = [
        Playing(batch.env_id, int(task), seed, seen)
        for task, seed, seen in zip(info["task"], seeds, observations, strict=True)
    ]
    while rows := [row for row, record in enumerate(playing) if record.outcome is None]:
        actions = _as_actions(policy.act(rows, [playing[row].observation for row in rows]), len(rows))
        texts: list[str | None] = [None] * len(seeds)
        for row, action in zip(rows, actions, strict=True):
            if not playing[row].stop(action, batch.envs[row]):
                texts[row] = action.text
        observations, _, _, _, infos = batch.step(texts)
        for row, action in zip(rows, actions, strict=True):
            if texts[row] is not None:
                playing[row].add(action, observations[row], infos["env_infos"][row])
            if playing[row].outcome is not None:
                finished(row, playing[row].episode())


def _as_actions(answers: Sequence[Action | str], asked: int) -> list[Action]:
    """Convert what a policy returned to actions.

    Raises:
        TypeError: if an answer is neither an `Action` nor a string.
        ValueError: if there is not one for each observation.
    """
    if isinstance(answers, str) or len(answers) != asked:
        got = "one string" if isinstance(answers, str) else f"{len(answers)} actions"
        raise ValueError(f"a policy's act returns one action per observation, here {asked}; it returned {got}")
    return [as_action(answer) for answer in answers]
