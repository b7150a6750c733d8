"""collect: plays episodes of an environment with a policy, in lock-step or each at its own pace."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gymnasium.vector import AutoresetMode

from turnenv.adapters.any_env import AnyEnv
from turnenv.core import TextVectorEnv
from turnenv.net.loop import submit
from turnenv.policies import PacedPolicy, Policy
from turnenv.rollout.batch import vectorise
from turnenv.rollout.lockstep import play_in_lockstep
from turnenv.rollout.own_pace import play_at_own_pace
from turnenv.types import Episode


def collect(
    env: AnyEnv | TextVectorEnv,
    policy: Policy | PacedPolicy,
    seeds: Sequence[int],
    *,
    tasks: Sequence[int] | None = None,
    on_finished: Callable[[int, Episode], None] | None = None,
) -> list[Episode]:
    """Play one episode per seed.

    A policy that acts on batches (`Policy`) plays all episodes in lock-step. A `PacedPolicy` plays each episode at its
    own pace, at most `policy.concurrency` of them at once, and environments step in threads. The records, their order
    and the rules for faults are the same.

    Args:
        env: an id, an environment (wrapped or not, turnenv's or not; it is copied), a function that makes one, or a
            `TextVectorEnv` to reuse, of `len(seeds)` environments for a `Policy`. See `turnenv.adapters.as_text_env`.
        policy: acts in the episodes.
        seeds: one per episode; equal seeds give the same task and the same noise, and so a group.
        tasks: which task each episode plays; by default the seed decides.
        on_finished: called with the index and the episode as soon as one has ended, in the thread that plays it.

    Returns:
        The finished episodes, in the order of `seeds`.

    Raises:
        ValueError: if `seeds` is empty, or differs in length from `tasks` or (in lock-step) from the vector
            environment; if the vector environment resets by itself; if a task does not exist; or if the policy's
            `concurrency` is below 1, or it does not return one action per observation.
        TypeError: if `env` is not a text environment, or an action is neither an `Action` nor a string.
    """
    if not seeds:
        raise ValueError("seeds is empty: pass one seed per episode")
    if tasks is not None and len(tasks) != len(seeds):
        raise ValueError(f"tasks holds one value per episode, {len(seeds)} of them; got {len(tasks)}")
    if isinstance(env, TextVectorEnv) and env.metadata["autoreset_mode"] is not AutoresetMode.DISABLED:
        raise ValueError("collect plays one episode per seed: make the batch without autoreset_mode")
    episodes: dict[int, Episode] = {}

    def finished(row: int, episode: Episode) -> None:
        episodes[row] = episode
        if on_finished is not None:
            on_finished(row, episode)

    if isinstance(policy, PacedPolicy):
        _play_at_own_pace(env, policy, seeds, tasks, finished)
    else:
        batch = env if isinstance(env, TextVectorEnv) else vectorise(env, len(seeds))
        play_in_lockstep(batch, policy, seeds, tasks, finished)
    return [episodes[row] for row in range(len(seeds))]


def _play_at_own_pace(
    env: AnyEnv | TextVectorEnv,
    policy: PacedPolicy,
    seeds: Sequence[int],
    tasks: Sequence[int] | None,
    finished: Callable[[int, Episode], None],
) -> None:
    at_once = min(policy.concurrency, len(seeds))
    if at_once < 1:
        raise ValueError(f"a policy's concurrency is at least 1; got {policy.concurrency}")
    batch = env if isinstance(env, TextVectorEnv) else vectorise(env, at_once)
    playing = submit(play_at_own_pace(batch.envs[:at_once], batch.env_id, policy, seeds, tasks, finished))
    try:
        playing.result()
    except BaseExceptionGroup as group:
        raise _first(group) from group
    finally:
        playing.cancel()


def _first(error: BaseException) -> BaseException:
    """The first error of a group, which stopped the other episodes."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
