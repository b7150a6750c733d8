"""Train an agent with TRL's stock GRPOTrainer: the baseline that turnenv did not write.

TRL plays the environment through its `environment_factory`: the model calls tools in its chat template's format, and a
message without a call ends the episode. Every token gets z(outcome + turn rewards), where z compares with the other
episodes of its group, as GRPO-MR does (arXiv 2505.11821); `--reward_weights 1 0` leaves the turn rewards out, as
GRPO-OR does. It needs a model whose chat template supports tools, such as Qwen 3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from datasets import Dataset
from trl import GRPOConfig, GRPOTrainer, ModelConfig, TrlParser, get_peft_config, get_quantization_config

from turnenv.adapters.trl import environment_factory, outcome_reward, turn_reward
from turnenv.training.seeds import seed_dataset


@dataclass
class Arguments:
    """The model to train, and the environment."""

    model: str = field(default="Qwen/Qwen3-0.6B", metadata={"help": "Folder or hub id of a model that calls tools."})
    env: str = field(default="turnenv/TriviaSearch-v0", metadata={"help": "Environment id, as gym.make takes it."})
    num_train_seeds: int = field(default=4096, metadata={"help": "The number of different seeds in training."})


def parse(argv: Sequence[str] | None = None) -> tuple[Arguments, GRPOConfig, ModelConfig]:
    """Read the command line, by default that of the process."""
    parser = TrlParser((Arguments, GRPOConfig, ModelConfig), description=str(__doc__), allow_abbrev=False)
    parser.set_defaults(output_dir="runs/trl_grpo")
    arguments, args, model_args = parser.parse_args_and_config(None if argv is None else list(argv))
    return arguments, args, model_args


def make_trainer(arguments: Arguments, args: GRPOConfig, model_args: ModelConfig) -> GRPOTrainer:
    """Make TRL's trainer for a turnenv environment."""
    args.model_init_kwargs = {"dtype": model_args.dtype, **(args.model_init_kwargs or {})}
    environment = environment_factory(arguments.env)
    return GRPOTrainer(
        model_args.model_name_or_path or arguments.model,
        [outcome_reward, turn_reward],
        args,
        train_dataset=_dataset(environment.system_prompt, arguments.num_train_seeds, args.seed),
        environment_factory=environment,
        quantization_config=get_quantization_config(model_args),
        peft_config=get_peft_config(model_args),
    )


def _dataset(system_prompt: str, num_seeds: int, seed: int) -> Dataset:
    """Seeds, and prompts to which TRL appends the first observation."""
    prompt = [{"role": "system", "content": system_prompt}, {"role": "user", "content": ""}]
    seeds = seed_dataset(num_seeds, seed=seed)["seed"]
    return Dataset.from_dict({"prompt": [prompt] * num_seeds, "seed": list(seeds)})


def main(argv: Sequence[str] | None = None) -> None:
    """Read the command line, train, save."""
    trainer = make_trainer(*parse(argv))
    trainer.train()
    trainer.save_model()
    trainer.save_state()


if __name__ == "__main__":
    main()
