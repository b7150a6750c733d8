"""Playing a policy on held-out tasks, and what is recorded of the episodes: plain means, from which reports score."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.compare.records import Evaluation, Settings
from turnenv.adapters import AnyEnv
from turnenv.atomic import replacing
from turnenv.policies import Policy
from turnenv.rollout import collect, vectorise
from turnenv.types import Episode

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

_POLICY_ARGUMENTS = {
    "top_p": "top_p",
    "top_k": "top_k",
    "stop_strings": "stop_strings",
    "pass_tools": "pass_tools",
    "chat_template_kwargs": "template_kwargs",
}
"""Fields of the trainer's configuration that decide how it samples, and what `ChatPolicy` calls them."""
_SEED_STRIDE = 1_000_000
_FIRST_SEED = 1 << 40


def summarise(episodes: Sequence[Episode]) -> Evaluation:
    """What is recorded of episodes; the means have the names that the trainer logs them by."""
    from turnenv.training import episode_metrics

    faults = sum(episode.faulted for episode in episodes)
    turns = sum(len(episode.turns) for episode in episodes)
    means = episode_metrics(episodes) if faults < len(episodes) else {}
    return Evaluation(episodes=len(episodes) - faults, faults=faults, env_turns=turns, means=means)


def held_out_plan(seed: int, episodes: int, num_tasks: int) -> tuple[list[int], list[int]]:
    """Which episodes an evaluation plays: the same for every method, others for every seed.

    Args:
        seed: the run's seed.
        episodes: how many.
        num_tasks: how many tasks the environment has.

    Returns:
        One environment seed per episode (no run's training uses them), and one task per episode, none played twice
        before all have been played once.
    """
    first = _FIRST_SEED + seed * _SEED_STRIDE
    draw, tasks = random.Random(seed), list[int]()
    while len(tasks) < episodes:
        tasks += draw.sample(range(num_tasks), min(num_tasks, episodes - len(tasks)))
    return list(range(first, first + episodes)), tasks


def play_held_out(
    env: AnyEnv, env_kwargs: Mapping[str, Any], policy: Policy, *, seed: int, episodes: int, at_once: int
) -> list[Episode]:
    """Play an evaluation's episodes.

    Args:
        env: a registered id, or a function that makes an environment.
        env_kwargs: its arguments.
        policy: acts.
        seed: the run's seed, which decides the episodes.
        episodes: how many.
        at_once: number of episodes played at a time.
    """
    played: list[Episode] = []
    while len(played) < episodes:
        batch = vectorise(env, min(at_once, episodes - len(played)), **env_kwargs)
        seeds, tasks = held_out_plan(seed, episodes, batch.envs[0].num_tasks)
        rows = slice(len(played), len(played) + batch.num_envs)
        played += collect(batch, policy, seeds[rows], tasks=tasks[rows])
        batch.close()
    return played


class HeldOut:
    """The held-out episodes of a run's seed, played by any model as often as asked.

    Attributes:
        seconds: wall time spent so far.
    """

    def __init__(self, settings: Settings, env: AnyEnv, seed: int, tokenizer: PreTrainedTokenizerBase) -> None:
        self._settings, self._env, self._seed, self._tokenizer = settings, env, seed, tokenizer
        self.seconds = 0.0

    def play(self, model: PreTrainedModel) -> list[Episode]:
        """Play them with a generator of their own, so that training draws the same numbers with or without it."""
        import torch

        from turnenv.training import ChatPolicy

        began, settings = time.monotonic(), self._settings
        extra = {
            _POLICY_ARGUMENTS[name]: value
            for name, value in settings.trainer_kwargs.items()
            if name in _POLICY_ARGUMENTS
        }
        policy = ChatPolicy(
            model,
            self._tokenizer,
            max_turn_tokens=settings.max_turn_tokens,
            temperature=settings.temperature,
            generator=torch.Generator(model.device).manual_seed(self._seed),
            **extra,
        )
        episodes = play_held_out(
            self._env,
            settings.eval_kwargs,
            policy,
            seed=self._seed,
            episodes=settings.eval_episodes,
            at_once=settings.eval_batch,
        )
        self.seconds += time.monotonic() - began
        return episodes


def write_transcripts(path: Path, episodes: Sequence[Episode]) -> None:
    """Write episodes as JSON lines, without token ids and log-probabilities, all or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    plain = [
        replace(episode, turns=tuple(replace(t, token_ids=None, logprobs=None) for t in episode.turns))
        for episode in episodes
    ]
    with replacing(path) as partial:
        partial.write_text("".join(f"{episode.to_json()}\n" for episode in plain), encoding="utf-8")
