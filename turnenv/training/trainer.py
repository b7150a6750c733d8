"""TurnGRPOTrainer: TRL's GRPO on whole episodes of a turnenv environment, with an advantage for every turn."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from accelerate.utils import gather_object, set_seed
from datasets import Dataset
from numpy.typing import NDArray
from transformers import AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase, TrainerCallback

from turnenv.adapters import AnyEnv, load_env
from turnenv.core import TextVectorEnv
from turnenv.core.arguments import check_arguments
from turnenv.credit import Estimator
from turnenv.groups import turn_batch
from turnenv.policies.chat_frame import ChatFrame
from turnenv.policies.local import eos_ids_of
from turnenv.training.advantages import spread_over_tokens, turns_of_tokens
from turnenv.training.buffer import MidBatchTrainer
from turnenv.training.config import TurnGRPOConfig
from turnenv.training.critic_making import Plan
from turnenv.training.episode_log import replace_last
from turnenv.training.experience import Experience
from turnenv.training.group_log import GroupLog
from turnenv.training.loss import TurnLossTrainer
from turnenv.training.memory import Memory
from turnenv.training.metrics import advantage_metrics, episode_metrics
from turnenv.training.playing import PlayingTrainer, without_text
from turnenv.training.reading import readings_of
from turnenv.training.refusals import check_rows, refuse_arguments
from turnenv.training.resampling import Row
from turnenv.training.seam import answered_warnings, check_batch
from turnenv.training.seeds import seed_dataset
from turnenv.training.truncation import length_metrics, truncation_metrics
from turnenv.training.vllm_on_cpu import vllm_of_the_device
from turnenv.types import Episode

_OF_THE_TOKENIZER = ("revision", "trust_remote_code")
_DEFAULT_SEEDS = 1000
_EVAL_SALT = 0x5EED


class TurnGRPOTrainer(PlayingTrainer, TurnLossTrainer, MidBatchTrainer):
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
        group_log: keeps a few whole groups with the advantages that were used, for `turnenv view`.
        **refused: arguments of TRL's trainer for what the environment does here; each raises an error that says so.

    Attributes:
        experience: what was played in training.

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
        group_log: GroupLog | None = None,
        **refused: Any,
    ) -> None:
        refuse_arguments(refused)
        args = TurnGRPOConfig() if args is None else args
        plan = Plan.of(model, args, credit)
        self._estimator = plan.estimator
        if plan.critic is not None and args.resample_dead_groups:
            raise ValueError(
                "resample_dead_groups=True: with a critic no group is compared, so that none is dead; drop it"
            )
        self._env = load_env(env)
        self._env_kwargs = {"train": env_kwargs or {}, "eval": eval_env_kwargs or env_kwargs or {}}
        for mode, where in (("train", "env_kwargs"), ("eval", "eval_env_kwargs")):
            check_arguments(self._env, self._env_kwargs[mode], where)
        self._batches: dict[tuple[str, int], TextVectorEnv] = {}
        self._rows: list[dict[str, Any]] = []
        self.experience = Experience()
        self._group_log = group_log
        self._credit_name = args.credit if credit is None else getattr(credit, "__name__", type(credit).__name__)
        for dataset in (train_dataset, eval_dataset):
            check_rows(dataset)
        self._given_dataset = train_dataset
        if eval_dataset is None:
            eval_dataset = seed_dataset(args.num_eval_seeds, seed=args.seed + _EVAL_SALT)
        with answered_warnings(), vllm_of_the_device(args, model):
            super().__init__(
                model=model,
                reward_funcs=episode_return,
                args=args,
                train_dataset=seed_dataset(_seeds_needed(args), seed=args.seed)
                if train_dataset is None
                else train_dataset,
                eval_dataset=eval_dataset,
                processing_class=processing_class or _tokenizer_of(model, args),
                callbacks=callbacks,
                optimizers=optimizers,
                quantization_config=quantization_config,
                peft_config=peft_config,
                rollout_func=PlayingTrainer._play,
            )
        if self.use_vllm:
            # The engine has seeded PyTorch with the number of the process.
            set_seed(args.seed, device_specific=True)
        # TRL's own ratio of an episode would give all of its tokens one advantage.
        self.importance_sampling_level = "token"
        # TRL takes an episode for truncated whose last token is no EOS; `_is_trained` knows better.
        self.mask_truncated_completions = False
        self.max_completion_length = self._most_sampled_tokens()
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
        self._last_loaded_step = -1
        return super().train(resume_from_checkpoint=resume_from_checkpoint, **kwargs)

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        """As transformers' Trainer; the policy plays with the weights that it has now."""
        self._last_loaded_step = -1
        return dict(super().evaluate(*args, **kwargs))

    def _generate_and_score_completions(self, inputs: list[Row]) -> dict[str, Any]:
        """TRL's batch with the estimator's advantages, float (B, T), in place of its own (B,)."""
        self._rows = inputs
        with answered_warnings():
            output: dict[str, Any] = super()._generate_and_score_completions(inputs)
        check_batch(inputs, output)
        # A group may be spread over processes, so each of them scores the whole batch and keeps its own rows.
        episodes: list[Episode] = gather_object([without_text(row["episode"]) for row in inputs])
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
        self._correct(self.weigh_turns_of_vllm(output))
        output["advantages"] = spread_over_tokens(advantages_BK[first : first + len(inputs)], turn_of_BT).to(
            output["completion_ids"].device
        )
        output |= self.denominators(sum(not episode.faulted for episode in episodes), len(episodes))
        if self.args.top_p < 1.0 or self.args.top_k > 0:
            # They are of the distribution that was cut, which no ratio may be taken to.
            output.pop("sampling_per_token_logps", None)
        self._report(episode_metrics(episodes) | advantage_metrics(batch, advantages_BK))
        self._report(truncation_metrics(episodes, self.chat_frame))
        self._correct(length_metrics(episodes, self.chat_frame))
        if self.log_completions:
            replace_last(self._logs, gather_object([row["episode"] for row in inputs]), advantages_BK)
        if self._group_log is not None and self.model.training:
            self._keep_groups(self._group_log, inputs, advantages_BK)
        return output

    def _keep_groups(self, log: GroupLog, rows: Sequence[Row], advantages_BK: NDArray[np.float64]) -> None:
        step, batches_per_step = self.state.global_step + 1, _batches_per_step(self.args)
        if not log.due(step, self.state.max_steps, max(1, round(1 / batches_per_step))):
            return
        episodes: list[Episode] = gather_object([row["episode"] for row in rows])
        if self.accelerator.is_main_process:
            trained = [self._is_trained(episode) for episode in episodes]
            credit = self._credit_name, self.args.credit_options
            log.write(step, *credit, episodes, advantages_BK, self._group_size, trained, self._text_of)

    def _text_of(self, token: int) -> str:
        return str(self.processing_class.decode([token]))

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
        self.experience.critic_forwards += len(rows) * self.model.training
        return self._critic.values(readings, [len(episode.turns) for episode in episodes])

    def _correct(self, metrics: Mapping[str, float]) -> None:
        """Put ours in place of what TRL measured of this batch."""
        mode = "train" if self.model.training else "eval"
        for name, value in metrics.items():
            self._metrics[mode][name][-1:] = [value]


def episode_return(prompts: Sequence[str], episode: Sequence[Episode], **_: Any) -> list[float]:
    """TRL's reward function, which only feeds its own logs: turn rewards plus outcome."""
    return [played.total_reward for played in episode]


def _seeds_needed(args: TurnGRPOConfig) -> int:
    if args.num_train_seeds is not None:
        return args.num_train_seeds
    if args.max_steps <= 0:
        return _DEFAULT_SEEDS
    return int(math.ceil(args.max_steps * _batches_per_step(args)) * args.groups_per_batch)


def _batches_per_step(args: TurnGRPOConfig) -> float:
    return float(args.gradient_accumulation_steps / (args.steps_per_generation * args.num_iterations))


def _tokenizer_of(model: str | PreTrainedModel, args: TurnGRPOConfig) -> PreTrainedTokenizerBase:
    name = model if isinstance(model, str) else model.config.name_or_path
    if not name:
        raise ValueError("the model was not loaded from a path, so its tokenizer is unknown: pass processing_class=")
    kwargs = {name: value for name, value in (args.model_init_kwargs or {}).items() if name in _OF_THE_TOKENIZER}
    return AutoTokenizer.from_pretrained(name, **kwargs)
