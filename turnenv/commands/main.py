"""The command line `turnenv`: finds the command, and turns what it raises into one line and an exit code."""

from __future__ import annotations

import io
import json
import os
import re
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module

from turnenv.commands.console import SCHEMA, Commands, Mistake, Parser, Unavailable, did_you_mean, visible
from turnenv.version import __version__

COMMANDS = {
    "list": "list_ids",
    "show": "show",
    "play": "play",
    "check": "check",
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
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        return _run(arguments)
    except (Mistake, Unavailable) as error:
        _print_error(str(error), arguments)
        return 2 if isinstance(error, Mistake) else 3
    except KeyboardInterrupt:
        print("\nturnenv: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # Whoever read the output (head, less) has enough; the interpreter's last flush must not fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        _print_error(str(error), arguments)
        return 3
    except Exception:  # noqa: BLE001 (an unforeseen failure is no answer, and Python's own exit code 1 would say "no")
        traceback.print_exc()
        return 3


def make_parser() -> tuple[Parser, dict[str, Parser]]:
    """The whole command line, and the parser of each command."""
    parser = Parser(
        prog="turnenv",
        usage="turnenv [--version] COMMAND …",
        description="Multi-turn text environments for LLM agents that report a reward for every turn.",
        epilog=_HELP,
    )
    parser.add_argument("--version", action="version", version=f"turnenv {__version__}")
    commands: Commands[Parser] = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    made = {name: import_module(f"turnenv.commands.{module}").add_parser(commands) for name, module in COMMANDS.items()}
    return parser, made


def _run(arguments: Sequence[str]) -> int:
    parser, made = make_parser()
    command = next((word for word in arguments if not word.startswith("-")), None)
    if command is None and not {"-h", "--help", "--version"}.intersection(arguments):
        parser.print_help(sys.stderr)
        return 2
    if command is not None and command not in COMMANDS:
        raise Mistake(f"there is no command {command!r}{did_you_mean(command, COMMANDS)} see: turnenv --help")
    if command == "train":
        # Its arguments are TRL's too, which only TRL can read.
        return import_module("turnenv.commands.train").main(arguments[arguments.index("train") + 1 :])
    given, unknown = parser.parse_known_args(arguments)
    if unknown:
        options = re.findall(r"--[\w-]+", made[given.command].format_usage())
        raise Mistake(
            f"{given.command} takes no {unknown[0]!r}{did_you_mean(unknown[0], options)} "
            f"see: turnenv {given.command} --help"
        )
    # As with `python -m`, so that the console script finds the modules of ids such as module:ns/Name-v0.
    if not sys.flags.safe_path and "" not in sys.path and os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    return int(given.run(given))


def _print_error(message: str, arguments: Sequence[str]) -> None:
    if "--json" in arguments:
        print(json.dumps({"schema": SCHEMA, "error": message}), file=sys.stderr)
    else:
        print(f"turnenv: error: {visible(message)}", file=sys.stderr)
