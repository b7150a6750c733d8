"""Playing whole episodes with a policy that acts on a batch of them; knows no tokenizer."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import gymnasium

from turnenv.core import TextEnv, TextVectorEnv
from turnenv.policies import Action, Policy
from turnenv.types import End, Episode, Outcome, Turn
from turnenv.version import __version__


def collect(
    env: str | TextVectorEnv | Callable[[], TextEnv[Any]],
    policy: Policy,
    seeds: Sequence[int],
    *,
    tasks: Sequence[int] | None = None,
) -> list[Episode]:
    """Play one episode a seed, all in one batch.

    Args:
        env: an id, a function that makes one environment, or a `TextVectorEnv` of `len(seeds)` environments to reuse.
        policy: acts in the episodes.
        seeds: one a episode; equal seeds meet the same task and the same noise, which makes a group.
        tasks: which task each episode plays; by default the seed decides.

    Returns:
        The finished episodes, in the order of `seeds`.

    Raises:
        ValueError: if `seeds` is empty, or differs in length from `tasks` or from the vector environment.
    """
    if not seeds:
        raise ValueError("seeds is empty: pass one seed an episode")
    batch = env if isinstance(env, TextVectorEnv) else vectorise(env, len(seeds))
    options = None if tasks is None else {"task": list(tasks)}
    observations, info = batch.reset(seed=list(seeds), options=options)
    policy.begin([started["system_prompt"] for started in info["env_infos"]], batch.tools)
    turns: list[list[Turn]] = [[] for _ in seeds]
    closing: list[Mapping[str, Any]] = [{} for _ in seeds]
    while rows := [row for row, over in enumerate(batch.over) if not over]:
        actions = policy.act(rows, [observations[row] for row in rows])
        texts: list[str | None] = [None] * len(seeds)
        for row, action in zip(rows, actions, strict=True):
            texts[row] = action.text
        seen = observations
        observations, _, _, _, infos = batch.step(texts)
        for row, action in zip(rows, actions, strict=True):
            closing[row] = infos["env_infos"][row]
            turns[row].append(_turn(seen[row], action, closing[row]))
    env_id = _id_of(batch)
    return [
        _episode(env_id, int(info["task"][row]), seeds[row], turns[row], closing[row], observations[row])
        for row in range(len(seeds))
    ]


def vectorise(env: str | Callable[[], TextEnv[Any]], num_envs: int, **kwargs: Any) -> TextVectorEnv:
    """A `TextVectorEnv` of an id or of a function that makes one environment.

    Raises:
        TypeError: if the id is not one of a text environment.
    """
    if not isinstance(env, str):
        return TextVectorEnv(env, num_envs, **kwargs)
    spec = gymnasium.spec(env)
    if spec.vector_entry_point is None:
        return TextVectorEnv(functools.partial(_unwrapped, env), num_envs, **kwargs)
    batch = gymnasium.make_vec(env, num_envs=num_envs, **kwargs)
    if not isinstance(batch, TextVectorEnv):
        raise TypeError(f"{env!r} is batched by {type(batch).__name__}, not by turnenv's TextVectorEnv")
    return batch


def _unwrapped(env_id: str, **kwargs: Any) -> TextEnv[Any]:
    env = gymnasium.make(env_id, **kwargs).unwrapped
    if not isinstance(env, TextEnv):
        raise TypeError(f"{env_id!r} is a {type(env).__name__}, not a turnenv.TextEnv")
    return env


def _id_of(batch: TextVectorEnv) -> str:
    spec = batch.spec or batch.envs[0].spec
    return type(batch.envs[0]).__name__ if spec is None else spec.id


def _turn(observation: str, action: Action, info: Mapping[str, Any]) -> Turn:
    return Turn(
        observation,
        action.text,
        info["turn_reward"],
        info["reward_components"],
        info["state_key"],
        info["valid_action"],
        action.token_ids,
        action.logprobs,
    )


def _episode(
    env_id: str, task: int, seed: int, turns: Sequence[Turn], closing: Mapping[str, Any], last: str
) -> Episode:
    ending = closing["outcome"]
    outcome = Outcome(ending["reward"], ending["success"], End(ending["end"]), ending["components"], closing["fault"])
    return Episode(env_id, task, seed, tuple(turns), outcome, last, __version__)
