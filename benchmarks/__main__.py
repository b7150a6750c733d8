"""`python -m benchmarks`: the harness's commands."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, NamedTuple, Protocol, cast

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace


class Entry(NamedTuple):
    """A command as `python -m benchmarks --help` lists it; its module is imported only when the command is given."""

    module: str
    help: str


class CommandModule(Protocol):
    """What a command's module offers; its docstring is the description of `COMMAND --help`."""

    EXAMPLES: str
    """The end of `--help`: examples that run as printed, and notes."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the command's arguments; cheap, since `--help` waits for it."""

    def run(self, given: Namespace) -> int:
        """Do what the parsed arguments say and return the exit code: 0 done, 1 the answer is no or a run failed."""


COMMANDS = {
    "compare": Entry("benchmarks.compare.command", "train by several methods and seeds, and report with intervals"),
    "evidence": Entry("benchmarks.compare.evidence", "compare from every starting point, and sum up over them"),
    "report": Entry(
        "benchmarks.compare.report", "make report.html, table.md and curves.png again from what a comparison recorded"
    ),
    "transcripts": Entry("benchmarks.compare.transcripts", "show a few held-out episodes of each run of a comparison"),
    "evaluate": Entry("benchmarks.compare.evaluate", "let a model or the scripted experts play held-out tasks"),
    "credit": Entry("benchmarks.credit.command", "measure how estimators assign credit, against exact truth"),
    "agreement": Entry("benchmarks.credit.agreement", "does the credit lab predict what training gave?"),
    "small": Entry("benchmarks.small.command", "compare methods on tabular and MLP policies, exactly evaluated"),
    "pages": Entry("benchmarks.environments.command", "write a page for each family of environments, from its code"),
    "drawings": Entry("benchmarks.drawings.command", "make the drawings of the documentation"),
    "throughput": Entry("benchmarks.speed.throughput", "steps per second of every environment id"),
    "search-throughput": Entry("benchmarks.speed.search_throughput", "search families against the bare index"),
    "search-latency": Entry("benchmarks.speed.search_latency", "how long a batch waits for a live search server"),
    "endpoint-speed": Entry("benchmarks.speed.endpoint_speed", "what is added to the waits for a model's server"),
    "generation-speed": Entry("benchmarks.speed.generation_speed", "rollouts with the KV cache kept and without"),
    "trainer-overhead": Entry("benchmarks.speed.trainer_overhead", "TRL's trainer against a bare loop"),
    "critic-cost": Entry("benchmarks.speed.critic_cost", "time and memory of a step with a critic and without"),
    "estimator-cost": Entry("benchmarks.speed.estimator_cost", "CPU time of every estimator on a large batch"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Returns:
        0 if it is done, 1 if its answer is no or a run failed, 2 if the command was mistaken, 3 if a server could not
        be reached, 130 if it was interrupted.
    """
    words = sys.argv[1:] if arguments is None else list(arguments)
    parser = _parser(words[0] if words else "")
    given = parser.parse_args(words)
    try:
        return cast(int, given.run(given))
    except BrokenPipeError:
        # Whoever read the output (head, less) has enough; the interpreter's last flush must not fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (ValueError, OSError, ModuleNotFoundError) as error:
        print(f"{parser.prog}: error: {error}", file=sys.stderr)
        return 3 if isinstance(error, ConnectionError) else 2
    except KeyboardInterrupt:
        print("\ninterrupted: finished runs are kept; the same command goes on from there", file=sys.stderr)
        return 130


def _parser(chosen: str) -> ArgumentParser:
    """All commands by name; only the chosen one has its arguments."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Train agents, compare how credit is assigned, measure speed. `COMMAND --help` has examples.",
        epilog="exit codes: 0 done, 1 the answer is no or a run failed, 2 mistaken command, 3 a server could not be "
        "reached, 130 interrupted",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, entry in COMMANDS.items():
        if name == chosen:
            _describe(commands, name, entry)
        else:
            commands.add_parser(name, help=entry.help)
    if chosen and not chosen.startswith("-") and chosen not in COMMANDS:
        close = get_close_matches(chosen, COMMANDS, n=1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        parser.error(f"no command is named {chosen!r}; {hint}commands: {', '.join(COMMANDS)}")
    return parser


def _describe(commands: argparse._SubParsersAction[ArgumentParser], name: str, entry: Entry) -> None:
    from benchmarks.harness.options import HelpFormatter

    module = importlib.import_module(entry.module)
    command = cast(CommandModule, module)
    parser = commands.add_parser(
        name, help=entry.help, description=module.__doc__, epilog=command.EXAMPLES, formatter_class=HelpFormatter
    )
    command.add_arguments(parser)
    parser.set_defaults(run=command.run)


if __name__ == "__main__":
    sys.exit(main())
