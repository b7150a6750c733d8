"""What the recipes share: their command line, the model they load, and the report of what was saved where."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trl import ModelConfig, TrlParser, get_peft_config, get_quantization_config

from turnenv.core.arguments import check_arguments
from turnenv.credit import check_estimator
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

_EPILOG = """examples (from the root of a clone; name another recipe for another method):
  the bundled nano policy, a few minutes on two cores
    python -m agents.mt_grpo
  any Hugging Face model, one GPU, LoRA
    python -m agents.mt_grpo --model Qwen/Qwen2.5-1.5B-Instruct --use_peft --learning_rate 1e-5 --max_steps 300
  harder: four turns, a weaker outcome in earlier turns
    python -m agents.mt_grpo --env_kwargs '{"max_searches": 3}' --max_turns 4 --credit_kwargs '{"lam": 0.2}'
  many processes or machines
    accelerate launch --num_processes 8 -m agents.mt_grpo --model Qwen/Qwen2.5-7B-Instruct

Every other argument is TRL's GRPOConfig or ModelConfig; --config FILE.yaml reads them from a file.
"""


class _HelpFormatter(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """Shows the defaults, and leaves the examples as they are written."""


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


def parse(
    description: str, argv: Sequence[str] | None = None, **defaults: Any
) -> tuple[RecipeArguments, TurnGRPOConfig, ModelConfig]:
    """Read a recipe's command line.

    Args:
        description: what `--help` begins with.
        argv: the arguments; those of the process by default.
        **defaults: the recipe's own, which the command line and `--config` overrule.

    Raises:
        SystemExit: if an argument is unknown or cannot work, or the nano policy is not here.
    """
    argv = sys.argv[1:] if argv is None else list(argv)
    parser = TrlParser(
        (RecipeArguments, TurnGRPOConfig, ModelConfig),
        usage="%(prog)s [--model MODEL] [--env ID] [--env_kwargs JSON] [--config YAML] [any argument below]",
        description=description,
        epilog=_EPILOG,
        allow_abbrev=False,
    )
    parser.formatter_class = _HelpFormatter
    names_a_model = any(word.split("=")[0] in ("--model", "--model_name_or_path", "--config") for word in argv)
    parser.set_defaults(**(defaults if names_a_model else {**NANO_RUN, **defaults}))
    try:
        recipe, args, model_args = parser.parse_args_and_config(argv)
        check_estimator(args.credit, args.credit_options)
        for name in ("env_kwargs", "eval_env_kwargs"):
            check_arguments(recipe.env, _as_mapping(name, getattr(recipe, name)) or {}, f"--{name}")
    except ValueError as error:
        parser.error(str(error))
    recipe.model = model_args.model_name_or_path or recipe.model
    if recipe.model == NANO and not Path(NANO, "config.json").is_file():
        parser.error(f"there is no model in {NANO}: run from the root of a clone of turnenv, or pass --model")
    return recipe, args, model_args


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
        env_kwargs=_as_mapping("env_kwargs", recipe.env_kwargs),
        eval_env_kwargs=_as_mapping("eval_env_kwargs", recipe.eval_env_kwargs),
        quantization_config=get_quantization_config(model_args),
        peft_config=get_peft_config(model_args),
    )


def train_and_save(trainer: TurnGRPOTrainer) -> Path:
    """Train, evaluate if asked to, save model, tokenizer and metrics, and say where."""
    args = trainer.args
    result = trainer.train(resume_from_checkpoint=args.resume_from_checkpoint)
    trainer.save_metrics("train", result.metrics)
    if args.eval_strategy != "no":
        trainer.save_metrics("eval", trainer.evaluate())
    trainer.save_model()
    trainer.save_state()
    folder = Path(args.output_dir)
    if trainer.accelerator.is_main_process:
        _say_where(folder, trainer.state.log_history)
    return folder


def _say_where(folder: Path, history: Sequence[dict[str, Any]]) -> None:
    logged = [entry for entry in history if "return" in entry]
    if logged:
        names = [name for name in ("return", "turn_reward", "outcome", "success", "tool_use") if name in logged[-1]]
        print(f"{'':12} {'first step':>12} {'last step':>12}")
        for name in names:
            print(f"{name:12} {logged[0].get(name, float('nan')):12.3f} {logged[-1][name]:12.3f}")
    print(f"model and tokenizer: {folder}  (play it: turnenv.training.ChatPolicy; load it: from_pretrained)")
    print(f"metrics of every logged step: {folder / 'trainer_state.json'}; of the run: {folder / 'all_results.json'}")


def _as_mapping(name: str, text: str | None) -> dict[str, Any] | None:
    if text is None:
        return None
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"--{name} is not JSON ({error}): {text!r}; write '{{\"max_turns\": 4}}'") from error
    if not isinstance(value, dict):
        raise ValueError(f"--{name} must be a JSON object, such as '{{\"max_turns\": 4}}'; got {text!r}")
    return value
