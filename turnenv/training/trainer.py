"""TurnGRPOTrainer: TRL's GRPO on whole episodes of a turnenv environment, with an advantage for every turn."""

from __future__ import annotations

import copy
import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
import trl
from accelerate.utils import gather_object
from datasets import Dataset
from transformers import AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase, TrainerCallback
from trl import GRPOTrainer
from trl.models import unwrap_model_for_generation

from turnenv.adapters import AnyEnv, load_env
from turnenv.core import TextVectorEnv
from turnenv.core.arguments import check_arguments
from turnenv.credit import Estimator
from turnenv.policies.chat_frame import ChatFrame
from turnenv.policies.local import ChatPolicy, eos_ids_of
from turnenv.rollout import collect, vectorise
from turnenv.training.advantages import spread_over_tokens, turn_batch, turns_of_tokens
from turnenv.training.config import TurnGRPOConfig
from turnenv.training.critic_making import Plan
from turnenv.training.lm_head import only_sampled_tokens
from turnenv.training.memory import Memory
from turnenv.training.metrics import advantage_metrics, episode_metrics
from turnenv.training.ratio import settle
from turnenv.training.reading import readings_of
from turnenv.training.seeds import seed_dataset, seeds_of_their_own
from turnenv.types import Episode

TESTED_TRL = "trl>=1.14,!=1.15.0,<1.17"
_OF_THE_TOKENIZER = ("revision", "trust_remote_code")
_DEFAULT_SEEDS = 1000
_MEANS_OVER_EPISODES = ("grpo", "sapo", "dr_grpo", "luspo")
_EVAL_SALT = 0x5EED


class TurnGRPOTrainer(GRPOTrainer):  # type: ignore[misc]
    """Trains a causal LM on an environment with turn-level (or any other) credit.

    Every method is this trainer with another estimator: the episodes, the tokens and the loss are the same code. A
    faulted episode stays out of the gradient, of the loss's token count and of its group's statistics. TRL's own
    metric `reward` counts it as 0; `return` leaves it out.

    Args:
        model: a path or hub id, a `PreTrainedModel`, or a `PeftModel`.
        env: an id, an environment (wrapped or not, turnenv's or not; it is copied), or a function that makes one. See
            `turnenv.adapters.as_text_env`.
        args: the configuration.
        processing_class: the tokenizer; by default the model's own.
        env_kwargs: passed to the environment.
        eval_env_kwargs: passed to the environment of evaluations instead of `env_kwargs`.
        credit: an estimator as a function, instead of the one that `args.credit` names.
        train_dataset: rows of `prompt` (may be empty), `seed` and optionally `task`; `seed_dataset` makes the default.
        eval_dataset: the same for evaluations.
        callbacks: as in transformers' Trainer.
        optimizers: as in transformers' Trainer.
        quantization_config: for a model given by path.
        peft_config: trains an adapter (LoRA) instead of the model.

    Raises:
        ValueError: if the estimator, its options, the environment's arguments, the chat template or the dataset
            cannot work.
    """

    args: TurnGRPOConfig

    def __init__(
        self,
        model: str | PreTrainedModel,
        env: AnyEnv,
        args: TurnGRPOConfig | None = None,
        *,
        processing_class: PreTrainedTokenizerBase | None = None,
        env_kwargs: Mapping[str, Any] | None = None,
        eval_env_kwargs: Mapping[str, Any] | None = None,
        credit: Estimator | None = None,
        train_dataset: Dataset | None = None,
        eval_dataset: Dataset | None = None,
        callbacks: list[TrainerCallback] | None = None,
        optimizers: tuple[torch.optim.Optimizer | None, torch.optim.lr_scheduler.LambdaLR | None] = (None, None),
        quantization_config: Any = None,
        peft_config: Any = None,
    ) -> None:
        args = TurnGRPOConfig() if args is None else args
        plan = Plan.of(model, args, credit)
        self._estimator = plan.estimator
        self._env = load_env(env)
        self._env_kwargs = {"train": env_kwargs or {}, "eval": eval_env_kwargs or env_kwargs or {}}
        for mode, where in (("train", "env_kwargs"), ("eval", "eval_env_kwargs")):
            check_arguments(self._env, self._env_kwargs[mode], where)
        self._batches: dict[tuple[str, int], TextVectorEnv] = {}
        self._rows: list[dict[str, Any]] = []
        self._unsettled: dict[str, Any] | None = None
        if eval_dataset is None and args.eval_strategy != "no":
            eval_dataset = seed_dataset(args.num_eval_seeds, seed=args.seed + _EVAL_SALT)
        with _answered_warnings():
            super().__init__(
                model=model,
                reward_funcs=episode_return,
                args=args,
                train_dataset=train_dataset or seed_dataset(_seeds_needed(args), seed=args.seed),
                eval_dataset=eval_dataset,
                processing_class=processing_class or _tokenizer_of(model, args),
                callbacks=callbacks,
                optimizers=optimizers,
                quantization_config=quantization_config,
                peft_config=peft_config,
                rollout_func=TurnGRPOTrainer._play,
            )
        # TRL's loss knows tokens and episodes, and would give the tokens of an episode one advantage.
        self.importance_sampling_level = "token"
        self.chat_frame = ChatFrame.from_tokenizer(
            self.processing_class,
            eos_ids=eos_ids_of(self.accelerator.unwrap_model(self.model)),
            stop_strings=args.stop_strings or (),
            pass_tools=args.pass_tools,
            template_kwargs=args.chat_template_kwargs,
        )
        self._critic = plan.make_critic(self.model, args, self.accelerator, pad_id=self.chat_frame.pad_id)
        self._memory = Memory(self._estimator, self._critic)
        self.add_callback(self._memory)

    def train(self, resume_from_checkpoint: str | bool | None = None, **kwargs: Any) -> Any:
        """As transformers' Trainer; what estimator and critic remember comes back from the checkpoint too."""
        self._memory.resume(resume_from_checkpoint, self.args.output_dir)
        return super().train(resume_from_checkpoint=resume_from_checkpoint, **kwargs)

    @staticmethod
    def _play(prompts: Sequence[str], trainer: TurnGRPOTrainer) -> dict[str, Any]:
        """TRL's `rollout_func`: it hands over the prompts only, so the rows of seeds wait in the trainer."""
        rows = trainer._rows
        _check(len(rows) == len(prompts), "rollout_func is no longer given one prompt a row")
        seeds = [row["seed"] for row in rows]
        if trainer._own_seeds:
            first = trainer.accelerator.process_index * len(rows)
            seeds = seeds_of_their_own(seeds, first, trainer.num_generations)
        tasks = [row["task"] for row in rows] if "task" in rows[0] else None
        with (
            unwrap_model_for_generation(trainer.model_wrapped, trainer.accelerator) as model,
            trainer.accelerator.autocast(),
        ):
            policy = trainer._policy(model)
            episodes = collect(trainer._vector_env(len(rows)), policy, seeds, tasks=tasks)
        streams = policy.streams
        return {
            "prompt_ids": [stream.prompt_ids for stream in streams],
            "completion_ids": [stream.completion_ids for stream in streams],
            "logprobs": [stream.logprobs for stream in streams],
            "env_mask": [
                [int(turn >= 0 and not episode.faulted) for turn in stream.turn_of]
                for stream, episode in zip(streams, episodes, strict=True)
            ],
            "turn_of": [stream.turn_of for stream in streams],
            "episode": episodes,
        }

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        """TRL's batch with the estimator's advantages, float (B, T), in place of its own (B,)."""
        self._rows = inputs
        with _answered_warnings():
            output: dict[str, Any] = super()._generate_and_score_completions(inputs)
        _check_seam(inputs, output)
        # A group may be spread over processes, so each of them scores the whole batch and keeps its own rows.
        episodes: list[Episode] = gather_object([_without_text(row["episode"]) for row in inputs])
        batch = turn_batch(episodes, self._group_size, self._values(inputs, output, episodes))
        # An estimator's state comes from training alone.
        estimator = self._estimator if self.model.training else copy.deepcopy(self._estimator)
        advantages_BK = estimator(batch, **self.args.credit_options)
        if self._critic is not None:
            self._report(self._critic.metrics(batch))
            if self.model.training:
                advantages_BK = advantages_BK * (not self._critic.warming_up)
                self._critic.learn(batch)
        first = self.accelerator.process_index * len(inputs)
        turn_of_BT = turns_of_tokens([row["turn_of"] for row in inputs], output["completion_ids"].shape[1])
        output["turn_of"] = turn_of_BT.to(output["completion_ids"].device)
        output["advantages"] = spread_over_tokens(advantages_BK[first : first + len(inputs)], turn_of_BT).to(
            output["completion_ids"].device
        )
        output |= self._denominators(episodes)
        if self.args.top_p < 1.0 or self.args.top_k > 0:
            # They are of the distribution that was cut, which no ratio may be taken to.
            output.pop("sampling_per_token_logps", None)
        self._report(episode_metrics(episodes) | advantage_metrics(batch, advantages_BK))
        return output

    @property
    def _own_seeds(self) -> bool:
        return self.args.distinct_seeds and self.model.training

    @property
    def _group_size(self) -> int:
        if self._own_seeds:
            return 1
        return int(self.num_generations if self.model.training else self.num_generations_eval)

    def _values(
        self, rows: Sequence[Mapping[str, Any]], output: Mapping[str, torch.Tensor], episodes: Sequence[Episode]
    ) -> list[list[float]] | None:
        """The critic's values of every process's episodes, or None without a critic."""
        if self._critic is None:
            return None
        frame = self.chat_frame if self.args.critic_options.bootstrap else None
        context = getattr(self.model.config.get_text_config(), "max_position_embeddings", None)
        readings = readings_of(rows, output, frame, context)
        return self._critic.values(readings, [len(episode.turns) for episode in episodes])

    def _denominators(self, episodes: Sequence[Episode]) -> dict[str, torch.Tensor]:
        """By what a mean over all episodes of a batch has to be multiplied to be one over those that did not fault."""
        live = sum(not episode.faulted for episode in episodes)
        if self.loss_type not in _MEANS_OVER_EPISODES or live in (0, len(episodes)):
            return {}
        return {"rows_per_live_row": torch.tensor(len(episodes) / live, device=self.accelerator.device)}

    def _compute_loss(self, model: torch.nn.Module, inputs: dict[str, Any]) -> torch.Tensor:
        """TRL's loss with our ratio, without running the LM head on what the environment wrote."""
        self._unsettled = inputs = dict(inputs)
        self._turn_of_BT = inputs["turn_of"]
        with only_sampled_tokens(model, inputs["tool_mask"]):
            loss: torch.Tensor = super()._compute_loss(model, inputs)
        _check(self._unsettled is None, "its loss does not score a batch by _get_per_token_logps_and_entropies")
        return loss

    def _get_per_token_logps_and_entropies(self, *args: Any, **kwargs: Any) -> tuple[Any, ...]:
        """TRL's; when its loss calls this, the ratio is settled (see `turnenv.training.ratio.settle`)."""
        logps_BT, *others = super()._get_per_token_logps_and_entropies(*args, **kwargs)
        inputs, self._unsettled = self._unsettled, None
        if inputs is not None:
            # VESPO makes its weights itself, of tokens' ratios.
            level = "token" if self.loss_type == "vespo" else self.args.importance_sampling_level
            logps_BT = settle(inputs, logps_BT, level, self.args.turn_ratio)
        return logps_BT, *others

    def get_gamma_weights(self, mask: torch.Tensor, **kwargs: Any) -> torch.Tensor:
        """VESPO's weights by TRL, of episodes or, where that is the ratio's level, of turns."""
        weigh = super().get_gamma_weights
        if self.args.importance_sampling_level != "turn":
            return weigh(mask=mask, **kwargs)  # type: ignore[no-any-return]
        weights_BT = torch.zeros_like(kwargs["log_ratio_per_token"])
        for turn in range(int(self._turn_of_BT.max()) + 1):
            turn_BT = (self._turn_of_BT == turn).int()
            weights_BT += turn_BT * weigh(mask=mask * turn_BT, **kwargs)
        return weights_BT

    def _report(self, metrics: Mapping[str, float]) -> None:
        mode = "train" if self.model.training else "eval"
        for name, value in metrics.items():
            self._metrics[mode][name].append(value)

    def _policy(self, model: PreTrainedModel) -> ChatPolicy:
        return ChatPolicy(
            model,
            self.processing_class,
            max_turn_tokens=self.args.max_turn_tokens,
            temperature=self.args.temperature,
            top_p=self.args.top_p,
            top_k=self.args.top_k,
            frame=self.chat_frame,
        )

    def _vector_env(self, num_envs: int) -> TextVectorEnv:
        mode = "train" if self.model.training else "eval"
        if (mode, num_envs) not in self._batches:
            limit = {} if self.args.max_turns is None else {"max_turns": self.args.max_turns}
            self._batches[mode, num_envs] = vectorise(self._env, num_envs, **{**self._env_kwargs[mode], **limit})
        return self._batches[mode, num_envs]


@contextmanager
def _answered_warnings() -> Iterator[None]:
    """Silence two warnings of TRL that ask nothing of the user.

    `rollout_func` is experimental, which `_check_seam` answers; and TRL reads a name that transformers deprecates.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*rollout_func", category=UserWarning)
        warnings.filterwarnings("ignore", message="`is_gradient_checkpointing` is deprecated", category=FutureWarning)
        yield


def episode_return(prompts: Sequence[str], episode: Sequence[Episode], **_: Any) -> list[float]:
    """TRL's reward function, which only feeds its own logs: turn rewards plus outcome."""
    return [played.total_reward for played in episode]


def _without_text(episode: Episode) -> Episode:
    """What the other processes need of an episode; its text and log-probabilities are most of its size."""
    turns = tuple(replace(turn, observation="", action="", logprobs=None) for turn in episode.turns)
    return replace(episode, turns=turns, final_observation="")


def _seeds_needed(args: TurnGRPOConfig) -> int:
    if args.num_train_seeds is not None:
        return args.num_train_seeds
    if args.max_steps <= 0:
        return _DEFAULT_SEEDS
    batches_per_step = args.gradient_accumulation_steps / (args.steps_per_generation * args.num_iterations)
    return int(math.ceil(args.max_steps * batches_per_step) * args.groups_per_batch)


def _tokenizer_of(model: str | PreTrainedModel, args: TurnGRPOConfig) -> PreTrainedTokenizerBase:
    name = model if isinstance(model, str) else model.config.name_or_path
    if not name:
        raise ValueError("the model was not loaded from a path, so its tokenizer is unknown: pass processing_class=")
    kwargs = {name: value for name, value in (args.model_init_kwargs or {}).items() if name in _OF_THE_TOKENIZER}
    return AutoTokenizer.from_pretrained(name, **kwargs)


def _check_seam(inputs: Sequence[Mapping[str, Any]], output: Mapping[str, Any]) -> None:
    _check(all("episode" in row and "turn_of" in row for row in inputs), "rollout_func's fields are not in the rows")
    _check(output.get("advantages", torch.empty(0, 0)).shape == (len(inputs),), "advantages are no longer (B,)")
    _check("tool_mask" in output, "env_mask no longer becomes tool_mask, so environment tokens would be trained")
    _check(output["tool_mask"].shape == output["completion_ids"].shape, "tool_mask no longer covers the completion")


def _check(holds: bool, what: str) -> None:
    if not holds:
        raise RuntimeError(f"TRL {trl.__version__} is not what turnenv builds on: {what}; pip install '{TESTED_TRL}'")
