"""Plays groups of episodes with a policy table and returns them as arrays.

Axes: B episodes, K turns at most, O observations, A actions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.small.worlds import World
from turnenv.core import TextVectorEnv
from turnenv.credit import TurnBatch


@dataclass(frozen=True, eq=False)
class Played:
    """Episodes as an estimator and an update read them.

    Attributes:
        batch: what estimators score: rewards, mask, groups, state keys.
        observations: number of what the agent saw before turn k, int (B, K); 0 where masked.
        actions: number of the action taken, int (B, K); 0 where masked.
        successes: bool (B,).
    """

    batch: TurnBatch
    observations: NDArray[np.int64]
    actions: NDArray[np.int64]
    successes: NDArray[np.bool_]


def play(
    world: World,
    batch: TextVectorEnv,
    policy: NDArray[np.float64],
    groups: Sequence[tuple[int, int]],
    rng: np.random.Generator,
) -> Played:
    """Play one episode in every environment of the batch, in lock-step.

    Args:
        world: numbers observations and actions.
        batch: made by `world.make_batch`; its size is a multiple of the number of groups.
        policy: probability of each action, float (O, A).
        groups: task and seed of each group; its members share both, and so the task and the noise.
        rng: draws the actions.
    """
    size, horizon = batch.num_envs, world.model.horizon
    members = size // len(groups)
    tasks, seeds = ([pair[part] for pair in groups for _ in range(members)] for part in (0, 1))
    seen, _ = batch.reset(seed=seeds, options={"task": tasks})
    shape = (size, horizon)
    observations, actions, keys = (np.zeros(shape, dtype=np.int64) for _ in range(3))
    turn_rewards, turn_mask = np.zeros(shape), np.zeros(shape, dtype=bool)
    outcomes, successes, truncated = np.zeros(size), np.zeros(size, dtype=bool), np.zeros(size, dtype=bool)
    cumulative = policy.cumsum(axis=1)
    turn = 0
    while not batch.over.all():
        rows = np.flatnonzero(~batch.over)
        here = [world.seen(batch.envs[row], seen[row]) for row in rows]
        # Every row draws, running or not: a row's draws then do not depend on when the others end.
        drawn = _draw(cumulative[here], rng.random(size)[rows])
        sent: list[Any] = [None] * size
        for row, action in zip(rows, drawn, strict=True):
            sent[row] = world.actions[action]
        seen, _, _, cut, infos = batch.step(sent)
        truncated |= cut
        observations[rows, turn], actions[rows, turn], turn_mask[rows, turn] = here, drawn, True
        turn_rewards[rows, turn], outcomes[rows] = infos["turn_reward"][rows], infos["outcome_reward"][rows]
        for row in rows:
            info = infos["env_infos"][row]
            keys[row, turn] = info["state_key"]
            successes[row] = "outcome" in info and info["outcome"]["success"]
        turn += 1
    group_ids, live = np.repeat(np.arange(len(groups)), members), (slice(None), slice(turn))
    turns = TurnBatch(turn_rewards[live], outcomes, turn_mask[live], group_ids, truncated, keys[live])
    return Played(turns, observations[live], actions[live], successes)


def _draw(cumulative: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.int64]:
    # Scaled by the last column, so that rounding in the sum never draws past it.
    return np.asarray((points[:, None] * cumulative[:, -1:] >= cumulative).sum(axis=1), dtype=np.int64)
