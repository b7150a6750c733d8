"""TurnGRPOConfig: TRL's GRPOConfig plus how credit is assigned and how turns are played."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

from transformers.utils.import_utils import is_torch_bf16_gpu_available
from trl import GRPOConfig

from turnenv.credit import CRITIC_FIELDS, ESTIMATORS, critic_for, spec_of
from turnenv.credit.checks import check_needs
from turnenv.credit.critic_options import CriticOptions
from turnenv.credit.options import check_choice
from turnenv.training.ratio import LEVELS, REDUCTIONS
from turnenv.training.settings import REFUSED
from turnenv.training.vllm_checks import check_vllm

_EMPTY: Mapping[str, Any] = {
    "scale_rewards": True,
    "include_for_metrics": [],
    "include_num_input_tokens_seen": False,
}
"""Other spellings of a default."""
_SHARDING = ("ACCELERATE_USE_FSDP", "ACCELERATE_USE_DEEPSPEED")


@dataclass
class TurnGRPOConfig(GRPOConfig):  # type: ignore[misc]
    """Arguments of `TurnGRPOTrainer`; all of TRL's GRPOConfig and of transformers' TrainingArguments apply.

    What differs from TRL:

    * Completions are not cut at `max_completion_length`, which is refused: an episode is as long as its turns, each of
      at most `max_turn_tokens`, and what the environment says between them; `max_episode_tokens` limits all of it. What
      limits the sampled tokens of an episode is the constant by which `loss_type="dr_grpo"` divides.
    * `mask_truncated_completions` drops episodes that a limit cut: of turns, tokens, context, or of any turn's tokens.
      They count for the statistics of their group.
    * With `importance_sampling_level` "turn" or "sequence" each token keeps the advantage of its own turn.
    * `loss_type="dapo"`, TRL's default, averages over all sampled tokens of a batch, so a long turn weighs more than a
      short one with the same advantage; "grpo" averages over an episode's tokens first.
    * `bf16` is on by default only where the hardware has it.
    * With `use_vllm` each token is corrected for having been sampled by vLLM (`token_truncate`): the modes of TRL that
      weigh a whole episode drop long ones. With `importance_sampling_level` "turn" the correction is of turns.
    * Evaluation plays each seed once (`num_generations_eval=1`).
    """

    _VALID_DICT_FIELDS: ClassVar[list[str]] = [*GRPOConfig._VALID_DICT_FIELDS, "credit_kwargs", "critic_kwargs"]

    credit: str = field(
        default="mt_grpo",
        metadata={
            "help": f"Estimator of the advantages: {', '.join(ESTIMATORS)}; or your own as module:function or "
            "file.py:function."
        },
    )
    credit_kwargs: dict[str, Any] | str | None = field(
        default=None, metadata={"help": "Options of the estimator, as JSON on the command line: '{\"lam\": 0.2}'."}
    )
    importance_sampling_level: str = field(
        default="token",
        metadata={
            "help": "What the loss takes its ratio of, where a batch is trained on more than once: token, turn or "
            "sequence; each token keeps the advantage of its own turn (with sequence this is GSPO-token)."
        },
    )
    turn_ratio: str = field(
        default="mean",
        metadata={
            "help": "What importance_sampling_level='turn' makes of a turn's log-ratios: their mean, or their sum, the "
            "ratio of the turn's probabilities."
        },
    )
    critic: str | None = field(
        default=None,
        metadata={
            "help": "What learns the values that an estimator such as turn_gae needs: 'probe' (a linear head on the "
            "policy's states, solved) or 'model' (a model of its own, trained); 'probe' if they are needed."
        },
    )
    critic_kwargs: dict[str, Any] | str | None = field(
        default=None,
        metadata={"help": "Options of the critic, as JSON on the command line: '{\"warmup_batches\": 5}'."},
    )
    vllm_importance_sampling_mode: str = field(
        default="token_truncate",
        metadata={
            "help": "How vLLM's own log-probabilities correct the loss: token_truncate or token_mask, of turns with "
            "importance_sampling_level='turn'; sequence_truncate or sequence_mask, which drop long episodes."
        },
    )
    distinct_seeds: bool = field(
        default=False,
        metadata={"help": "Every episode plays a seed of its own (Turn-PPO); for estimators that compare no groups."},
    )
    max_turns: int | None = field(
        default=None, metadata={"help": "Turns after which an episode is cut; the environment's own number by default."}
    )
    max_turn_tokens: int = field(
        default=256, metadata={"help": "The most tokens that the model may write in one turn."}
    )
    max_episode_tokens: int | None = field(
        default=None,
        metadata={
            "help": "The most tokens of an episode after its prompt, sampled and read; it then ends as token_limit, "
            "with the task's outcome for silence."
        },
    )
    stop_strings: list[str] | None = field(
        default=None, metadata={"help": "Texts that end a turn as EOS does, for base models: '</tool>' '</answer>'."}
    )
    pass_tools: bool = field(
        default=False,
        metadata={"help": "Give the tools' schemas to the chat template; the system prompt describes them already."},
    )
    resample_dead_groups: bool = field(
        default=False,
        metadata={
            "help": "Play further groups in place of those whose advantages are all zero, which teach nothing (DAPO's "
            "dynamic sampling)."
        },
    )
    max_resampled: int | None = field(
        default=None,
        metadata={"help": "The most groups that are played again in a batch; by default as many as it has."},
    )
    num_train_seeds: int | None = field(
        default=None,
        metadata={"help": "Episode groups in an epoch; by default as many as max_steps needs, or 1000 without it."},
    )
    num_eval_seeds: int = field(default=64, metadata={"help": "Episodes that an evaluation plays."})
    num_generations_eval: int | None = field(default=1, metadata={"help": "How often an evaluation plays each seed."})

    def __post_init__(self) -> None:
        """Settle the defaults that depend on the machine and check combinations."""
        self._refuse_unread()
        if self.bf16 is None:
            self.bf16: bool | None = not self.fp16 and not self.use_cpu and is_torch_bf16_gpu_available()
        with warnings.catch_warnings():
            # TRL still sets transformers' old name for it, which is no fault of the user's.
            warnings.filterwarnings("ignore", message="`gradient_checkpointing", category=FutureWarning)
            super().__post_init__()
        check_needs(spec_of(self.credit), CRITIC_FIELDS)
        self._check_critic()
        for name in (
            "max_turns",
            "max_turn_tokens",
            "max_episode_tokens",
            "max_resampled",
            "num_train_seeds",
            "num_eval_seeds",
        ):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name}={value} must be at least 1")
        self._check_ratio()
        check_vllm(self, {field.name: field.default for field in fields(self)})
        if self.max_resampled is not None and not self.resample_dead_groups:
            raise ValueError(f"max_resampled={self.max_resampled} would not be read without resample_dead_groups=True")
        if self.num_train_seeds is not None and self.num_train_seeds < self.groups_per_batch:
            raise ValueError(
                f"num_train_seeds={self.num_train_seeds} does not fill one batch of {self.groups_per_batch} groups "
                "(batch size · accumulation steps · processes / num_generations): name more seeds or play fewer groups"
            )
        if self.temperature <= 0.0:
            raise ValueError(f"temperature={self.temperature}: a group needs variety and the loss divides by it")

    @property
    def credit_options(self) -> dict[str, Any]:
        """`credit_kwargs` as the estimator takes them."""
        return dict(self.credit_kwargs or {})  # type: ignore[arg-type]

    @property
    def critic_options(self) -> CriticOptions:
        """`critic_kwargs`, checked."""
        return CriticOptions.read(self.critic, self.critic_kwargs or {})  # type: ignore[arg-type]

    @property
    def groups_per_batch(self) -> int:
        """Groups that are played at a time, over all processes."""
        return int(self.generation_batch_size) // int(self.num_generations)

    def _check_ratio(self) -> None:
        for name, choices in (("importance_sampling_level", LEVELS), ("turn_ratio", REDUCTIONS)):
            check_choice(name, getattr(self, name), choices)
        if self.turn_ratio != "mean" and self.importance_sampling_level != "turn":
            raise ValueError(
                f"turn_ratio={self.turn_ratio!r} would not be read: it belongs to importance_sampling_level='turn'"
            )

    def _check_critic(self) -> None:
        if self.critic is None:
            critic_for(spec_of(self.credit), self.credit_options)
        if self.critic_options.bootstrap and self.max_turns is None:
            raise ValueError(
                "critic_kwargs: bootstrap=true needs max_turns: the environment's own limit is part of the task, and "
                "nothing comes after it"
            )
        sharded = [
            self.fsdp,
            self.deepspeed,
            *(os.environ.get(name, "").lower() in ("1", "true") for name in _SHARDING),
        ]
        if self.critic == "model" and any(sharded):
            raise ValueError(
                "critic='model' is replicated on every process, which FSDP and ZeRO are there to avoid: take "
                "critic='probe', which reads the sharded policy itself"
            )

    def _refuse_unread(self) -> None:
        """Raise ValueError for a setting of TRL's that has no place here; before TRL acts on it."""
        defaults = {field.name: field.default for field in fields(GRPOConfig)}
        for name, why in REFUSED.items():
            if name in defaults and getattr(self, name) not in (defaults[name], _EMPTY.get(name, defaults[name])):
                raise ValueError(f"{name}={getattr(self, name)!r} is refused: {why}")
