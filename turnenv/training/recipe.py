"""What a recipe does: it reads ours and TRL's arguments, makes the trainer, trains, and saves."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NoReturn

from huggingface_hub.errors import RepositoryNotFoundError
from transformers.utils.hub import cached_file
from trl import ModelConfig, TrlParser, get_peft_config, get_quantization_config

from turnenv.training.config import TurnGRPOConfig
from turnenv.training.trainer import TurnGRPOTrainer

NANO = "agents/nano"
"""The policy that comes with the repository, as a path from its root."""

NANO_RUN: dict[str, Any] = {
    "per_device_train_batch_size": 32,
    "num_generations": 8,
    "learning_rate": 1e-3,
    "lr_scheduler_type": "linear",
    "max_steps": 120,
    "max_turn_tokens": 48,
    "gradient_checkpointing": False,
    "logging_steps": 1,
    "save_strategy": "no",
}
"""Defaults of a run of the nano policy, which trains from large steps and needs no memory saved."""


class _RecipeParser(TrlParser):  # type: ignore[misc]
    """TRL's parser, whose errors are raised, and whose help shows the defaults."""

    def error(self, message: str) -> NoReturn:
        raise ValueError(message)


@dataclass
class RecipeArguments:
    """What is trained, and on what."""

    model: str = field(
        default=NANO, metadata={"help": "Folder or hub id of a causal LM; the nano policy has defaults of its own."}
    )
    env: str = field(default="turnenv/TriviaSearch-v0", metadata={"help": "Environment id, as gym.make takes it."})
    env_kwargs: str | None = field(
        default=None, metadata={"help": "Arguments of the environment, as JSON: '{\"max_searches\": 2}'."}
    )
    eval_env_kwargs: str | None = field(
        default=None, metadata={"help": 'The same for evaluations (--eval_strategy): \'{"split": "validation"}\'.'}
    )


def parse(argv: Sequence[str], **defaults: Any) -> tuple[RecipeArguments, TurnGRPOConfig, ModelConfig]:
    """Read a command line of ours and TRL's arguments.

    Args:
        argv: the arguments.
        **defaults: which the command line and `--config` overrule; `credit_kwargs` one by one, unless another `credit`
            is named.

    Raises:
        ValueError: if an argument is unknown (the message holds the nearest one) or has a bad value.
    """
    parser = make_parser()
    names_a_model = any(word.split("=")[0] in ("--model", "--model_name_or_path", "--config") for word in argv)
    options = defaults.pop("credit_kwargs", None) or {}
    parser.set_defaults(**(defaults if names_a_model else {**NANO_RUN, **defaults}))
    recipe, args, model_args, unknown = parser.parse_args_and_config(list(argv), return_remaining_strings=True)
    if unknown:
        near = get_close_matches(unknown[0], parser._option_string_actions, n=2)
        hint = f"did you mean {' or '.join(near)}?" if near else "--help-all lists all arguments"
        raise ValueError(f"there is no argument {unknown[0]!r}; {hint}")
    if args.credit == defaults.get("credit"):
        args.credit_kwargs = {**options, **args.credit_options}
    recipe.model = model_args.model_name_or_path or recipe.model
    return recipe, args, model_args


def make_parser() -> TrlParser:
    """The parser of our and TRL's arguments."""
    return _RecipeParser(
        (RecipeArguments, TurnGRPOConfig, ModelConfig),
        usage="%(prog)s [any argument below] [--config FILE.yaml]",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        allow_abbrev=False,
    )


def check_hub(model: str, model_args: ModelConfig) -> None:
    """Ask the hub for a model's description, which is small, before anything large is loaded.

    Raises:
        ValueError: if the hub has no such model.
        OSError: if the hub cannot be asked.
    """
    if Path(model).expanduser().is_dir():
        return
    try:
        cached_file(model, "config.json", revision=model_args.model_revision)
    except OSError as error:
        problem = f"the model {model} cannot be loaded: {str(error).partition(chr(10))[0]}"
        raise (ValueError if isinstance(error.__cause__, RepositoryNotFoundError) else OSError)(problem) from error


def make_trainer(recipe: RecipeArguments, args: TurnGRPOConfig, model_args: ModelConfig) -> TurnGRPOTrainer:
    """The trainer that a command line describes."""
    args.model_init_kwargs = {
        "revision": model_args.model_revision,
        "attn_implementation": model_args.attn_implementation,
        "dtype": model_args.dtype,
        **(args.model_init_kwargs or {}),
    }
    return TurnGRPOTrainer(
        recipe.model,
        recipe.env,
        args,
        env_kwargs=_read(recipe.env_kwargs),
        eval_env_kwargs=_read(recipe.eval_env_kwargs),
        quantization_config=get_quantization_config(model_args),
        peft_config=get_peft_config(model_args),
    )


def train_and_save(trainer: TurnGRPOTrainer) -> Path:
    """Train, evaluate if asked to, save model, tokenizer and metrics, and return the folder."""
    args = trainer.args
    result = trainer.train(resume_from_checkpoint=args.resume_from_checkpoint)
    trainer.save_metrics("train", result.metrics)
    if args.eval_strategy != "no":
        trainer.save_metrics("eval", trainer.evaluate())
    trainer.save_model()
    trainer.save_state()
    return Path(args.output_dir)


def _read(text: str | None) -> dict[str, Any] | None:
    return None if text is None else dict(json.loads(text))
