"""`turnenv train`: the recipe, with all arguments of TRL; the recipes of agents and baselines call it too."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from turnenv.commands.console import Commands, MistakeError, Parser, print_json
from turnenv.commands.exits import exit_code
from turnenv.commands.ids import ID_HELP, resolve_id
from turnenv.commands.json_option import read_object

if TYPE_CHECKING:
    from turnenv.training import TurnGRPOConfig
    from turnenv.training.recipe import RecipeArguments

_ABOUT = (
    "Train a model on an environment with turn-level GRPO. Every argument of TRL's GRPOConfig and ModelConfig is taken "
    "as it is, such as --learning_rate 1e-5; --help-all lists them."
)
_HELP = """
examples:
  turnenv train --model agents/nano --env TriviaSearch --credit mt_grpo --max_steps 2 --dry-run
  turnenv train --model agents/nano --env TriviaSearch --credit grpo_or --max_steps 2 --use_cpu
  turnenv train --model Qwen/Qwen2.5-1.5B-Instruct --use_peft --learning_rate 1e-5 --max_steps 300
  turnenv train --model Qwen/Qwen2.5-1.5B-Instruct --env_kwargs '{"max_searches": 3}' --credit_kwargs '{"lam": 0.2}'
  accelerate launch --num_processes 8 -m turnenv train --model Qwen/Qwen2.5-7B-Instruct

Credit: mt_grpo scores a turn on its own reward plus the outcome; grpo_or and grpo_mr, the baselines, score all turns on
the outcome, or on the sum of all rewards. turnenv.credit.ESTIMATORS has all names; module:function or file.py:function
is your own. turn_gae is turn-level PPO, which learns values with a critic. Progress is on stderr, the report at the end
on stdout.
"""
_NEEDED = ("torch", "transformers", "trl", "accelerate", "peft")
_OURS = ("--dry-run", "--json", "--help-all")


def add_parser(commands: Commands[Parser]) -> Parser:
    """Add the command."""
    parser = commands.add_parser("train", help="train a model with MT-GRPO or a baseline, on TRL", epilog=_HELP)
    _add_arguments(parser, _ABOUT)
    return parser


def _add_arguments(parser: Parser, description: str) -> None:
    parser.description = description
    parser.usage = f"{parser.prog} [--model MODEL] [--env ID] [--credit NAME] [any argument of TRL]"
    parser.add_argument("--model", help="folder or hub id of a causal language model (in a clone: agents/nano)")
    parser.add_argument("--env", metavar="ID", help=f"{ID_HELP} (default: TriviaSearch)")
    parser.add_argument("--credit", metavar="NAME", help="estimator of the advantages (default: mt_grpo)")
    parser.add_argument("--credit_kwargs", metavar="JSON", help="options of the estimator: '{\"lam\": 0.2}'")
    parser.add_argument("--critic", metavar="NAME", help="probe or model, for an estimator that needs values")
    parser.add_argument("--critic_kwargs", metavar="JSON", help="options of the critic: '{\"warmup_batches\": 5}'")
    parser.add_argument("--env_kwargs", metavar="JSON", help="arguments of the environment: '{\"max_searches\": 2}'")
    parser.add_argument("--eval_env_kwargs", metavar="JSON", help="the same for evaluations (--eval_strategy)")
    parser.add_argument("--max_turns", help="turns after which an episode is cut (default: the environment's)")
    parser.add_argument("--max_turn_tokens", help="tokens that the model may write in one turn (default: 256)")
    parser.add_argument("--output_dir", help="where the trained model goes (default: runs/ and the estimator's name)")
    parser.add_argument("--config", metavar="FILE", help="a YAML file of arguments, by name")
    parser.add_argument("--dry-run", action="store_true", help="print what would be done, and do nothing")
    parser.add_argument("--json", action="store_true", help="print the report as one JSON document")
    parser.add_argument("--help-all", action="store_true", help="list TRL's arguments too")


def recipe(description: str | None, argv: Sequence[str] | None = None, **defaults: Any) -> int:
    """Run `turnenv train` under another name and with other defaults, as the files of agents and baselines do.

    Args:
        description: what `--help` begins with.
        argv: the arguments; those of the process by default.
        **defaults: which the command line and `--config` overrule.

    Returns:
        The exit code.
    """
    main_module = sys.modules["__main__"].__spec__
    prog = f"python -m {main_module.name.removesuffix('.__main__')}" if main_module else Path(sys.argv[0]).name
    given = sys.argv[1:] if argv is None else list(argv)
    return exit_code(lambda: main(given, prog, description or "", **defaults), prog, as_json="--json" in given)


def main(argv: Sequence[str], prog: str = "turnenv train", description: str = _ABOUT, **defaults: Any) -> int:
    """Train; the exit code.

    Raises:
        MistakeError: if an argument is unknown, or names a model, environment or estimator that is not there.
        OSError: if the hub cannot be asked for the model.
    """
    parser = Parser(prog=prog, epilog=_HELP)
    _add_arguments(parser, description)
    given, _ = parser.parse_known_args(argv)
    # Known before TRL is imported, which takes seconds.
    options = read_object("--credit_kwargs", given.credit_kwargs)
    _check_env(given.env or "TriviaSearch", given)
    if given.critic_kwargs is not None:
        _check_critic(given.critic, read_object("--critic_kwargs", given.critic_kwargs))
    if given.credit is not None:
        _check_credit(given.credit, options, given.critic)
    if given.model is not None:
        _check_model(given.model)
    _check_extra()
    if given.help_all:
        from turnenv.training.recipe import make_parser

        make_parser().print_help()
        return 0
    settings = _settings([word for word in argv if word not in _OURS], defaults)
    if given.dry_run:
        if settings[1].process_index == 0:
            _print_plan(*settings[:2], as_json=given.json)
        return 0
    return _train(*settings, as_json=given.json)


def _settings(argv: Sequence[str], defaults: Mapping[str, Any]) -> tuple[RecipeArguments, TurnGRPOConfig, Any]:
    """All arguments, those of a `--config` file included, checked."""
    from turnenv.training.recipe import NANO, check_hub, parse

    try:
        arguments, args, model_args = parse(argv, **{"output_dir": "", **defaults})
    except (ValueError, TypeError, OSError) as error:
        raise MistakeError(str(error)) from error
    args.output_dir = args.output_dir or f"runs/{args.credit.rpartition(':')[2]}"
    if arguments.model == NANO and not Path(NANO, "config.json").is_file():
        raise MistakeError(f"there is no model in {NANO}: run from the root of a clone of turnenv, or pass --model")
    _check_model(arguments.model)
    try:
        check_hub(arguments.model, model_args)
    except ValueError as error:
        raise MistakeError(str(error)) from error
    _check_credit(args.credit, args.credit_options, args.critic)
    arguments.env = _check_env(arguments.env, arguments)
    return arguments, args, model_args


def _train(arguments: RecipeArguments, args: TurnGRPOConfig, model_args: Any, *, as_json: bool) -> int:
    from turnenv.training.recipe import make_trainer, train_and_save

    # transformers prints its log to stdout, which is for the report.
    with contextlib.redirect_stdout(sys.stderr):
        try:
            trainer = make_trainer(arguments, args, model_args)
        except (TypeError, ValueError) as error:
            raise MistakeError(str(error)) from error
        folder = train_and_save(trainer)
    if trainer.accelerator.is_main_process:
        _print_report(folder, trainer.state.log_history, as_json=as_json)
    return 0


def _print_plan(arguments: RecipeArguments, args: TurnGRPOConfig, *, as_json: bool) -> None:
    plan = {
        "model": arguments.model,
        "env": arguments.env,
        "env_kwargs": read_object("env_kwargs", arguments.env_kwargs),
        "credit": args.credit,
        "credit_kwargs": args.credit_options,
        "critic": _check_credit(args.credit, args.credit_options, args.critic),
        "critic_kwargs": args.critic_kwargs,
        "max_turns": args.max_turns,
        "max_turn_tokens": args.max_turn_tokens,
        "episodes_per_batch": int(args.generation_batch_size),
        "num_generations": args.num_generations,
        "max_steps": args.max_steps if args.max_steps > 0 else None,
        "num_train_epochs": None if args.max_steps > 0 else args.num_train_epochs,
        "learning_rate": args.learning_rate,
        "processes": args.world_size,
        "output_dir": args.output_dir,
    }
    if as_json:
        print_json({"plan": plan})
        return
    for name, value in plan.items():
        if value is not None:
            print(f"{name:18} {json.dumps(value) if isinstance(value, dict) else value}")


def _print_report(folder: Path, history: Sequence[Mapping[str, Any]], *, as_json: bool) -> None:
    names = ("return", "turn_reward", "outcome", "success", "tool_use")
    logged = [entry for entry in history if "return" in entry]
    steps = [{name: entry[name] for name in names if name in entry} for entry in logged[:1] + logged[-1:]]
    if as_json:
        first, last = steps or (None, None)
        print_json({"output_dir": str(folder), "first_step": first, "last_step": last})
        return
    if steps:
        print(f"{'':12} {'first step':>12} {'last step':>12}")
        for name in steps[1]:
            print(f"{name:12} {steps[0].get(name, float('nan')):12.3f} {steps[1][name]:12.3f}")
    print(f"model and tokenizer: {folder}  (play it: turnenv.training.ChatPolicy; load it: from_pretrained)")
    print(f"metrics of every logged step: {folder / 'trainer_state.json'}; of the run: {folder / 'all_results.json'}")


def _check_credit(credit: str, options: Mapping[str, Any], critic: str | None) -> str | None:
    """The critic that an estimator is trained with, if it needs one."""
    from turnenv.credit import CRITIC_FIELDS, TRAINING_FIELDS, check_estimator, critic_for, spec_of

    try:
        needed = critic_for(spec_of(credit), options, critic)
        check_estimator(credit, options, CRITIC_FIELDS if needed else TRAINING_FIELDS)
    except ValueError as error:
        raise MistakeError(str(error)) from error
    return needed


def _check_critic(critic: str | None, options: Mapping[str, Any]) -> None:
    from turnenv.credit.critic_options import CriticOptions

    try:
        CriticOptions.read(critic, options)
    except ValueError as error:
        raise MistakeError(str(error)) from error


def _check_env(env: str, given: Any) -> str:
    """The resolved id of an environment whose arguments, those of `given`, fit it."""
    from turnenv.adapters import load_env
    from turnenv.core.arguments import check_arguments

    env_id = resolve_id(env)
    for name in ("env_kwargs", "eval_env_kwargs"):
        chosen = read_object(f"--{name}", getattr(given, name))
        try:
            check_arguments(load_env(env_id), chosen, f"--{name}")
        except ValueError as error:
            raise MistakeError(str(error)) from error
    return env_id


def _check_model(model: str) -> None:
    from turnenv.policies.model_names import check_model_name

    try:
        check_model_name(model)
    except ValueError as error:
        raise MistakeError(str(error)) from error


def _check_extra() -> None:
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise MistakeError(f"training needs {', '.join(missing)}: pip install 'turnenv[train]'")
