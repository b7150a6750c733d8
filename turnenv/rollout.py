"""Playing whole episodes with a policy that acts on a batch of them; knows no tokenizer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium

from turnenv.adapters.any_env import AnyEnv, env_maker, load_env
from turnenv.core import TextVectorEnv
from turnenv.core.contract import read_outcome
from turnenv.policies import Action, Policy
from turnenv.types import Episode, Turn
from turnenv.version import __version__

_OF_MAKE = {"max_episode_steps", "disable_env_checker"}


def collect(
    env: AnyEnv | TextVectorEnv,
    policy: Policy,
    seeds: Sequence[int],
    *,
    tasks: Sequence[int] | None = None,
) -> list[Episode]:
    """Play one episode per seed, all in one batch.

    Args:
        env: an id, an environment (wrapped or not, turnenv's or not; it is copied), a function that makes one, or a
            `TextVectorEnv` of `len(seeds)` environments to reuse. See `turnenv.adapters.as_text_env`.
        policy: acts in the episodes.
        seeds: one per episode; equal seeds have the same task and the same noise, which makes a group.
        tasks: which task each episode plays; by default the seed decides.

    Returns:
        The finished episodes, in the order of `seeds`.

    Raises:
        ValueError: if `seeds` is empty, or differs in length from `tasks` or from the vector environment, or if the
            policy does not return one action per observation.
        TypeError: if `env` is no text environment, or an action is neither an `Action` nor a string.
    """
    if not seeds:
        raise ValueError("seeds is empty: pass one seed per episode")
    batch = env if isinstance(env, TextVectorEnv) else vectorise(env, len(seeds))
    options = None if tasks is None else {"task": list(tasks)}
    observations, info = batch.reset(seed=list(seeds), options=options)
    policy.begin([started["system_prompt"] for started in info["env_infos"]], batch.tools)
    turns: list[list[Turn]] = [[] for _ in seeds]
    closing: list[Mapping[str, Any]] = [{} for _ in seeds]
    while rows := [row for row, over in enumerate(batch.over) if not over]:
        actions = _as_actions(policy.act(rows, [observations[row] for row in rows]), len(rows))
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


def vectorise(env: AnyEnv, num_envs: int, *, max_turns: int | None = None, **kwargs: Any) -> TextVectorEnv:
    """Make a `TextVectorEnv` of whatever `turnenv.adapters.as_text_env` takes.

    Args:
        env: what to play.
        num_envs: how many episodes at a time.
        max_turns: the turn after which an episode is cut, if the environment does not end it before.
        **kwargs: passed to the environment.

    Raises:
        TypeError: if it is no text environment.
    """
    found = load_env(env)
    if isinstance(found, str) and _has_own_batch(found, kwargs):
        limited = kwargs if max_turns is None else {**kwargs, "max_turns": max_turns}
        batch = gymnasium.make_vec(found, num_envs=num_envs, **limited)
        if isinstance(batch, TextVectorEnv):
            return batch
    return TextVectorEnv(env_maker(found, max_turns=max_turns, **kwargs), num_envs)


def _has_own_batch(env_id: str, kwargs: Mapping[str, Any]) -> bool:
    """True if `make_vec` gives the batch that the id declares, and `make` would put nothing around the environment."""
    spec = gymnasium.spec(env_id)
    plain = spec.max_episode_steps is None and not spec.additional_wrappers
    return plain and spec.vector_entry_point is not None and not _OF_MAKE & kwargs.keys()


def _as_actions(answers: Sequence[Action | str], asked: int) -> list[Action]:
    """What a policy returned, as actions.

    Raises:
        TypeError: if an answer is neither an `Action` nor a string.
        ValueError: if there is not one for each observation.
    """
    if isinstance(answers, str) or len(answers) != asked:
        got = "one string" if isinstance(answers, str) else f"{len(answers)} actions"
        raise ValueError(f"a policy's act returns one action per observation, here {asked}; it returned {got}")
    actions = [Action(answer) if isinstance(answer, str) else answer for answer in answers]
    for action in actions:
        if not isinstance(action, Action) or not isinstance(action.text, str):
            raise TypeError(f"a policy's act returns strings or turnenv.Action; it returned a {type(action).__name__}")
    return actions


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
    outcome = read_outcome(closing)
    assert outcome is not None
    return Episode(env_id, task, seed, tuple(turns), outcome, last, __version__)
