"""Plays many episodes at their own pace: each goes on as soon as its own request is answered."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import anyio
from anyio import CapacityLimiter, to_thread

from turnenv.core.contract import TextEnvironment
from turnenv.policies import Action, PacedPolicy, PolicyFault, RecordedConversation
from turnenv.rollout.playing import Playing, as_action
from turnenv.types import Episode


async def play_at_own_pace(
    envs: Sequence[TextEnvironment],
    env_id: str,
    policy: PacedPolicy,
    seeds: Sequence[int],
    tasks: Sequence[int] | None,
    finished: Callable[[int, Episode], None],
) -> None:
    """Play one episode per seed, as many at once as there are environments; arguments as of `turnenv.collect`."""
    # Environments step in threads: one that waits, or that calls an event loop, must not delay the others.
    threads = CapacityLimiter(len(envs))
    waiting = iter(enumerate(seeds))

    async def work(env: TextEnvironment, waiting: Iterator[tuple[int, int]]) -> None:
        for row, seed in waiting:
            options = None if tasks is None else {"task": tasks[row]}
            finished(row, await _play(env, env_id, policy, row, seed, options, threads))

    async with anyio.create_task_group() as group:
        for env in envs:
            group.start_soon(work, env, waiting)


async def _play(
    env: TextEnvironment,
    env_id: str,
    policy: PacedPolicy,
    row: int,
    seed: int,
    options: dict[str, int] | None,
    threads: CapacityLimiter,
) -> Episode:
    observation, info = await to_thread.run_sync(lambda: env.reset(seed=seed, options=options), limiter=threads)
    record = Playing(env_id, int(info["task"]), seed, observation)
    conversation = policy.converse(info["system_prompt"], env.tools, env.grammar, seed)
    while record.outcome is None:
        try:
            action = as_action(await conversation.act(record.observation))
        except PolicyFault as error:
            action = Action("", fault=str(error) or type(error).__name__)
        if not record.stop(action, env):
            observation, _, _, _, info = await to_thread.run_sync(env.step, action.text, limiter=threads)
            record.add(action, observation, info)
    if isinstance(conversation, RecordedConversation):
        conversation.ended(row)
    return record.episode()
