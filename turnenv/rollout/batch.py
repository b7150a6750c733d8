"""Makes a batch of environments of any kind, in the fastest way that keeps every wrapper."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gymnasium

from turnenv.adapters.any_env import AnyEnv, env_maker, load_env
from turnenv.core import TextVectorEnv

_OF_MAKE = {"max_episode_steps", "disable_env_checker"}


def vectorise(env: AnyEnv, num_envs: int, *, max_turns: int | None = None, **kwargs: Any) -> TextVectorEnv:
    """Make a `TextVectorEnv` of whatever `turnenv.adapters.as_text_env` takes.

    Args:
        env: what to play.
        num_envs: how many episodes are played at a time.
        max_turns: the turn after which an episode is cut, if the environment does not end it before.
        **kwargs: passed to the environment's constructor; only with an id, a class or a function.

    Raises:
        TypeError: if it is not a text environment, or `kwargs` are passed with an environment that is already made.
        ValueError: if `num_envs` is below 1, a module cannot be imported, or a wrapper loses turn rewards.
    """
    found = load_env(env)
    if isinstance(found, str) and _has_own_batch(found, kwargs):
        limited = kwargs if max_turns is None else {**kwargs, "max_turns": max_turns}
        batch = gymnasium.make_vec(found, num_envs=num_envs, **limited)
        if isinstance(batch, TextVectorEnv):
            return batch
    return TextVectorEnv(env_maker(found, max_turns=max_turns, **kwargs), num_envs)


def _has_own_batch(env_id: str, kwargs: Mapping[str, Any]) -> bool:
    """True if `make_vec` makes the batch that the id declares, and `make` would add no wrapper."""
    spec = gymnasium.spec(env_id)
    plain = spec.max_episode_steps is None and not spec.additional_wrappers
    return plain and spec.vector_entry_point is not None and not _OF_MAKE & kwargs.keys()
