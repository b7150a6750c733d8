"""Training one policy by one method with turnenv's trainer, and what is recorded on the way."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel, PreTrainedTokenizerBase, TrainerCallback, TrainerControl, TrainerState
from transformers import TrainingArguments as Arguments

from benchmarks.compare.checks import trainer_kwargs_for
from benchmarks.compare.evaluation import HeldOut, summarise
from benchmarks.compare.records import Checkpoint, Distribution, Run, Spent
from benchmarks.compare.turn_budget import TurnBudget
from turnenv.adapters import AnyEnv
from turnenv.training import GroupLog, TurnGRPOConfig, TurnGRPOTrainer
from turnenv.types import Episode

_STEP = "step"


@dataclass(frozen=True, slots=True)
class Trained:
    """What a training run leaves behind.

    Attributes:
        episodes: of the evaluation after training.
        checkpoints: evaluations on the way.
        curve: column → one value per logged step, None where a step did not log it.
        spent: what it took.
        trainer_arguments: every field of the trainer's configuration but its folder.
    """

    episodes: list[Episode]
    checkpoints: tuple[Checkpoint, ...]
    curve: dict[str, list[float | None]]
    spent: Spent
    trainer_arguments: dict[str, Any]


def train(run: Run, env: AnyEnv, scratch: Path, groups: Path, tell: Callable[[int, str], None]) -> Trained:
    """Train and evaluate.

    Args:
        run: what to do; it must have a method.
        env: a registered id, or a function that makes an environment.
        scratch: a folder that the trainer may write to.
        groups: the file that a few whole groups are kept in, with the advantages that were used.
        tell: called with the step and a note for the progress bar.
    """
    settings = run.settings
    args = trainer_config(run, scratch)
    watcher = _Watcher(settings.eval_every, tell)
    log = GroupLog(groups, run.run_id)
    trainer = TurnGRPOTrainer(
        settings.model, env, args, env_kwargs=settings.env_kwargs, callbacks=[watcher], group_log=log
    )
    if settings.env_turns:
        trainer.add_callback(TurnBudget(settings.env_turns, lambda: sum(trainer.experience.turns)))
    held_out = HeldOut(settings, env, run.seed, _tokenizer(trainer))
    watcher.held_out = held_out
    began = time.monotonic()
    trainer.train()
    train_seconds = time.monotonic() - began - held_out.seconds
    tell(settings.steps, "evaluating")
    episodes = held_out.play(trainer.accelerator.unwrap_model(trainer.model))
    curve = as_columns([entry for entry in trainer.state.log_history if "return" in entry or "faults" in entry])
    spent = what_it_took(trainer, train_seconds, held_out.seconds)
    # Where the trainer wrote says nothing about the result, and rows are published.
    recorded = {name: value for name, value in args.to_sanitized_dict().items() if name != "output_dir"}
    return Trained(episodes, tuple(watcher.checkpoints), curve, spent, recorded)


def trainer_config(run: Run, scratch: Path) -> TurnGRPOConfig:
    """The trainer's configuration: the settings, and the method as the only difference between runs of a seed."""
    settings = run.settings
    assert run.method is not None
    episodes = settings.groups * settings.num_generations
    micro = int(settings.trainer_kwargs.get("per_device_train_batch_size", episodes))
    fields: dict[str, Any] = {
        "lr_scheduler_type": "linear",
        "beta": 0.0,
        "per_device_train_batch_size": micro,
        "gradient_accumulation_steps": episodes // micro,
        # Saves memory for a tenth more time: worth it on a GPU only.
        "gradient_checkpointing": settings.device != "cpu",
        "logging_steps": 1,
        "save_strategy": "no",
        "report_to": [],
        "disable_tqdm": True,
        "dataloader_pin_memory": settings.device != "cpu",
        "use_cpu": settings.device == "cpu",
    }
    return TurnGRPOConfig(
        output_dir=str(scratch),
        credit=run.method.name,
        credit_kwargs=run.method.options,
        seed=run.seed,
        max_steps=settings.steps,
        num_generations=settings.num_generations,
        learning_rate=run.rate,
        temperature=settings.temperature,
        max_turn_tokens=settings.max_turn_tokens,
        **{**fields, **trainer_kwargs_for(run.method, settings.trainer_kwargs)},
    )


def as_columns(entries: Sequence[Mapping[str, Any]]) -> dict[str, list[float | None]]:
    """The trainer's log as column → one value per entry; None where an entry lacks it or it is not finite."""
    names = dict.fromkeys([_STEP, *(name for entry in entries for name in entry)])
    return {name: [_number(entry.get(name)) for entry in entries] for name in names}


def what_it_took(trainer: TurnGRPOTrainer, train_seconds: float, eval_seconds: float) -> Spent:
    """What a finished training run took."""
    played = trainer.experience
    sizes = [(parameter.numel(), parameter.requires_grad) for parameter in trainer.model.parameters()]
    devices = trainer.accelerator.num_processes
    return Spent(
        episodes=len(played.turns),
        env_turns=sum(played.turns),
        sampled_tokens=sum(played.sampled_tokens),
        read_tokens=sum(played.read_tokens),
        turns_per_episode=Distribution.of(played.turns),
        tokens_per_episode=Distribution.of(played.tokens),
        parameters=sum(size for size, _ in sizes),
        trained_parameters=sum(size for size, trained in sizes if trained),
        devices=devices,
        device_seconds=train_seconds * devices,
        critic_forwards=played.critic_forwards,
        restores=played.restores,
        judge_calls=played.judge_calls,
        train_seconds=train_seconds,
        eval_seconds=eval_seconds,
    )


def _number(value: Any) -> float | None:
    if not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(f"{value:.9g}")


def _tokenizer(trainer: TurnGRPOTrainer) -> PreTrainedTokenizerBase:
    tokenizer = trainer.processing_class
    assert isinstance(tokenizer, PreTrainedTokenizerBase)
    return tokenizer


class _Watcher(TrainerCallback):
    """Reports how far training is, and evaluates on the way if asked to."""

    def __init__(self, eval_every: int, tell: Callable[[int, str], None]) -> None:
        self._eval_every, self._tell = eval_every, tell
        self.held_out: HeldOut | None = None
        self.checkpoints: list[Checkpoint] = []

    def on_log(self, args: Arguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        logs: Mapping[str, float] = kwargs.get("logs") or {}
        shown = [f"{name} {logs[name]:.2f}" for name in ("return", "success", "tool_use") if name in logs]
        if shown:
            self._tell(state.global_step, " ".join(shown))

    def on_step_end(self, args: Arguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        step = state.global_step
        if self._eval_every and step % self._eval_every == 0 and step < state.max_steps and self.held_out is not None:
            model: PreTrainedModel = kwargs["model"]
            self.checkpoints.append(Checkpoint(step=step, evaluation=summarise(self.held_out.play(model))))
