"""`python -m benchmarks`: the harness's commands."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from benchmarks.compare import command as compare
from benchmarks.compare import report, transcripts
from benchmarks.credit import command as credit
from benchmarks.environments import pages
from benchmarks.speed import search_latency, search_throughput, throughput

COMMANDS = (compare, report, transcripts, throughput, search_throughput, search_latency, pages, credit)
"""Modules with `add_parser(commands)`, each of which sets `run`: parsed arguments → exit code (or None for 0)."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; a mistake of the user's is one line and exit code 2."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="Train agents, compare how credit was assigned, report with intervals."
    )
    commands = parser.add_subparsers(required=True, metavar="command")
    for command in COMMANDS:
        command.add_parser(commands)
    given = parser.parse_args(arguments)
    try:
        return given.run(given) or 0
    except BrokenPipeError:
        # Whoever read the output (head, less) has enough; the interpreter's last flush must not fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (ValueError, OSError) as error:
        print(f"{parser.prog}: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\ninterrupted: finished runs are kept; the same command goes on from there", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
