"""The command line `turnenv`: its help, its commands, and which of them was meant."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from importlib import import_module

from turnenv.commands.console import Commands, MistakeError, Parser, did_you_mean
from turnenv.commands.exits import exit_code
from turnenv.version import __version__

COMMANDS = {
    "list": "list_ids",
    "show": "show",
    "play": "play",
    "check": "check",
    "evaluate": "evaluate",
    "report": "report",
    "view": "view",
    "train": "train",
    "probe-judge": "probe_judge",
    "completion": "completion",
}
"""Of each command the module that has it: `add_parser(commands)` sets `run`, from parsed arguments to the exit code."""

_HELP = """
examples:
  turnenv list grid
  turnenv show GuessNumber
  printf '25\\n37\\n30\\n' | turnenv play GuessNumber --task 29 --seed 0
  turnenv check GuessNumber --no-parallel
  turnenv evaluate GuessNumber GridQuest-easy --model random --episodes 20 --out runs/random
  turnenv report runs/random
  turnenv view runs/random
  turnenv train --model agents/nano --env TriviaSearch --credit mt_grpo --max_steps 2

in Python:
  import gymnasium, turnenv
  env = gymnasium.make("turnenv/GuessNumber-v0")
  observation, info = env.reset(seed=0)
  observation, reward, terminated, truncated, info = env.step("25")   # info["turn_reward"], info["outcome_reward"]

The answer goes to stdout; --json makes it one JSON document. Exit codes: 0 done, 1 the answer is no, 2 the command
was mistaken, 3 something outside turnenv failed (a model, a server, a disk), 130 interrupted.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code.

    Args:
        arguments: those of the process by default.
    """
    given = sys.argv[1:] if arguments is None else list(arguments)
    return exit_code(lambda: _run(given), "turnenv", as_json="--json" in given)


def make_parser() -> tuple[Parser, dict[str, Parser]]:
    """The whole command line, and the parser of each command."""
    parser = Parser(
        prog="turnenv",
        usage="turnenv [--version] COMMAND …",
        description="Multi-turn text environments for LLM agents that report a reward for every turn.",
        epilog=_HELP,
    )
    parser.add_argument("--version", action="version", version=f"turnenv {__version__}")
    commands: Commands[Parser] = parser.add_subparsers(
        dest="command", metavar="COMMAND", title="commands", prog="turnenv"
    )
    made = {name: import_module(f"turnenv.commands.{module}").add_parser(commands) for name, module in COMMANDS.items()}
    return parser, made


def _run(arguments: Sequence[str]) -> int:
    parser, made = make_parser()
    command = next((word for word in arguments if not word.startswith("-")), None)
    if command is None and not {"-h", "--help", "--version"}.intersection(arguments):
        parser.print_help(sys.stderr)
        return 2
    if command is not None and command not in COMMANDS:
        raise MistakeError(
            f"there is no command {command!r}{did_you_mean(command, COMMANDS) or ';'} see: turnenv --help"
        )
    # As with `python -m`, so that the console script finds the modules of ids such as module:ns/Name-v0.
    if not sys.flags.safe_path and "" not in sys.path and os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    if command == "train":
        # Its arguments are TRL's too, which only TRL can read.
        return int(import_module("turnenv.commands.train").main(arguments[arguments.index("train") + 1 :]))
    given, unknown = parser.parse_known_args(arguments)
    if unknown:
        options = re.findall(r"--[\w-]+", made[given.command].format_usage())
        raise MistakeError(
            f"{given.command} takes no {unknown[0]!r}{did_you_mean(unknown[0], options) or ';'} "
            f"see: turnenv {given.command} --help"
        )
    return int(given.run(given))
