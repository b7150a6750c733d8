"""How the trainer plays: TRL's rows of seeds become episodes, token for token, and dead groups are played again."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from accelerate.utils import gather_object
from datasets import Dataset
from transformers import PreTrainedModel
from trl import GRPOTrainer
from trl.models import unwrap_model_for_generation

from turnenv.adapters import AnyEnv
from turnenv.core import TextVectorEnv
from turnenv.credit import Estimator
from turnenv.groups import turn_batch
from turnenv.policies import PreparedPolicy
from turnenv.policies.chat_frame import ChatFrame
from turnenv.policies.local import ChatPolicy
from turnenv.rollout import collect, vectorise
from turnenv.training.config import TurnGRPOConfig
from turnenv.training.experience import Experience
from turnenv.training.metrics import dead_groups
from turnenv.training.resampling import Played, Resampling, Row, further_row
from turnenv.training.seam import check
from turnenv.training.seeds import seeds_of_their_own
from turnenv.training.truncation import is_truncated
from turnenv.types import Episode

if TYPE_CHECKING:
    from turnenv.policies.vllm import VLLMPolicy


class PlayingTrainer(GRPOTrainer):  # type: ignore[misc]
    """TRL's trainer whose `rollout_func` is `_play`.

    Attributes:
        chat_frame: renders conversations.
        experience: what was played in training.
    """

    args: TurnGRPOConfig
    chat_frame: ChatFrame
    experience: Experience
    _env: AnyEnv
    _env_kwargs: Mapping[str, Mapping[str, Any]]
    _batches: dict[tuple[str, int], TextVectorEnv]
    _rows: list[Row]
    _estimator: Estimator
    _given_dataset: Dataset | None

    @staticmethod
    def _play(prompts: Sequence[str], trainer: PlayingTrainer) -> dict[str, Any]:
        """TRL's `rollout_func`: it hands over the prompts only, so the rows of seeds wait in the trainer."""
        rows = trainer._rows
        check(len(rows) == len(prompts), "rollout_func is no longer given one prompt per row")
        with trainer._opened_policy() as policy:
            play = partial(trainer._play_rows, policy)
            played = play(rows)
            if trainer.args.resample_dead_groups and trainer.model.training:
                trainer._resample(rows, played, play)
        return {
            "prompt_ids": [stream.prompt_ids for _, stream in played],
            "completion_ids": [stream.completion_ids for _, stream in played],
            "logprobs": [stream.logprobs for _, stream in played],
            "env_mask": [
                [int(turn >= 0 and trainer._is_trained(episode)) for turn in stream.turn_of]
                for episode, stream in played
            ],
            "turn_of": [stream.turn_of for _, stream in played],
            "episode": [episode for episode, _ in played],
        }

    @contextmanager
    def _opened_policy(self) -> Iterator[ChatPolicy | VLLMPolicy]:
        if self.use_vllm:
            yield self._vllm_policy()
            return
        with (
            unwrap_model_for_generation(
                self.model_wrapped,
                self.accelerator,
                gradient_checkpointing_kwargs=self.args.gradient_checkpointing_kwargs,
            ) as model,
            self.accelerator.autocast(),
        ):
            yield self._policy(model)

    def _play_rows(self, policy: ChatPolicy | VLLMPolicy, rows: Sequence[Row]) -> list[Played]:
        if not rows:
            # The other processes of a sharded model, who play, wait for this one here.
            with policy.playing() if isinstance(policy, PreparedPolicy) else nullcontext():
                return []
        tasks = [row["task"] for row in rows] if "task" in rows[0] else None
        seeds = [row["seed"] for row in rows]
        if self._own_seeds:
            seeds = seeds_of_their_own(seeds, self.accelerator.process_index * len(rows), self.num_generations)
        with self.experience.counting() if self.model.training else nullcontext():
            episodes = collect(self._vector_env(len(rows)), policy, seeds, tasks=tasks)
        played = [(episode, policy.streams[row]) for row, episode in enumerate(episodes)]
        if self.model.training:
            self.experience.add(
                episodes, [len(stream) - sum(turn >= 0 for turn in stream.turn_of) for _, stream in played]
            )
        return played

    def _is_trained(self, episode: Episode) -> bool:
        dropped = self.args.mask_truncated_completions and is_truncated(episode, self.chat_frame)
        return not (episode.faulted or dropped)

    def _resample(self, rows: list[Row], played: list[Played], play: Callable[[Sequence[Row]], list[Played]]) -> None:
        resampling = Resampling(
            play,
            lambda episodes: gather_object([without_text(episode) for episode in episodes]),
            self._dead_groups,
            lambda row, attempt: further_row(row, attempt, self._given_dataset),
            self.num_generations,
            self.accelerator.process_index * len(rows),
            self.args.groups_per_batch if self.args.max_resampled is None else self.args.max_resampled,
        )
        self._report(resampling.run(rows, played))

    def _dead_groups(self, episodes: Sequence[Episode]) -> list[int]:
        batch = turn_batch(episodes, self.num_generations)
        advantages_BK = copy.deepcopy(self._estimator)(batch, **self.args.credit_options)
        return dead_groups(batch, advantages_BK)

    @property
    def _own_seeds(self) -> bool:
        return self.args.distinct_seeds and self.model.training

    def _report(self, metrics: Mapping[str, float]) -> None:
        mode = "train" if self.model.training else "eval"
        for name, value in metrics.items():
            self._metrics[mode][name].append(value)

    def _policy(self, model: PreTrainedModel) -> ChatPolicy:
        return ChatPolicy(
            model,
            self.processing_class,
            max_turn_tokens=self.args.max_turn_tokens,
            max_episode_tokens=self.args.max_episode_tokens,
            temperature=self.args.temperature,
            top_p=self.args.top_p,
            top_k=self.args.top_k,
            frame=self.chat_frame,
        )

    def _vllm_policy(self) -> VLLMPolicy:
        from turnenv.policies.vllm import VLLMPolicy

        return VLLMPolicy(
            self.vllm_generation.llm,
            self.processing_class,
            max_turn_tokens=self.args.max_turn_tokens,
            max_episode_tokens=self.args.max_episode_tokens,
            temperature=self.args.temperature,
            # Checkpoints save PyTorch's generator, and each process has another.
            seed=int(torch.randint(1 << 62, ())),
            concurrency=self.args.generation_batch_size,
            frame=self.chat_frame,
        )

    def _most_sampled_tokens(self) -> int:
        """The most tokens that an episode's policy may write, by which `loss_type="dr_grpo"` divides."""
        sampled = self._vector_env(1).envs[0].max_turns * self.args.max_turn_tokens
        return min(sampled, self.args.max_episode_tokens or sampled)

    def _vector_env(self, num_envs: int) -> TextVectorEnv:
        mode = "train" if self.model.training else "eval"
        if (mode, num_envs) not in self._batches:
            limit = {} if self.args.max_turns is None else {"max_turns": self.args.max_turns}
            self._batches[mode, num_envs] = vectorise(self._env, num_envs, **{**self._env_kwargs[mode], **limit})
        return self._batches[mode, num_envs]


def without_text(episode: Episode) -> Episode:
    """What the other processes need of an episode; its text and log-probabilities are most of its size."""
    turns = tuple(replace(turn, observation="", action="", logprobs=None) for turn in episode.turns)
    return replace(episode, turns=turns, final_observation="")
