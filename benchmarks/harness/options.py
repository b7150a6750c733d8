"""What the commands' options share: how `--help` is written, the options that several have, how seeds are read."""

from __future__ import annotations

import argparse
from pathlib import Path


class HelpFormatter(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """Keeps the lines of the examples, and shows the default of every option that has one."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        if action.default is False or action.default in (None, "", [], {}):
            return action.help
        return super()._get_help_string(action)


def add_folder(parser: argparse.ArgumentParser) -> None:
    """Add the folder of a comparison, for the commands that read one."""
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="what compare was given as --out")


def add_methods(parser: argparse.ArgumentParser, order: str) -> None:
    """Add `--methods`; `order` says what the command does with their order."""
    from benchmarks.harness.methods import HELP

    parser.add_argument("--methods", default="grpo_or,grpo_mr,mt_grpo", help=f"{HELP}; {order}")


def add_seeds(parser: argparse.ArgumentParser, default: str) -> None:
    """Add `--seeds`, which `parse_seeds` reads."""
    parser.add_argument(
        "--seeds", default=default, help="how many (3 means 0,1,2), or which (0,1,7; one alone is written 5,)"
    )


def add_ray(parser: argparse.ArgumentParser) -> None:
    """Add `--ray`, for the commands whose runs are jobs."""
    parser.add_argument(
        "--ray",
        metavar="ADDRESS",
        help="run on Ray, one CPU or one GPU per run: local starts it here, auto takes the cluster that runs here, "
        "else host:port or ray://host:port; every machine needs turnenv's clone, this folder and a --model folder at "
        "the same path, and the packages of turnenv[bench,ray]",
    )


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add `--json`, for the commands whose answer is a table."""
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of the table")


def parse_seeds(text: str) -> tuple[int, ...]:
    """`3` → 0, 1, 2; `0,1,7` → those; `5,` → 5 alone.

    Raises:
        ValueError: if it is neither, or a seed is negative or named twice.
    """
    try:
        numbers = [int(part) for part in text.split(",") if part.strip()]
    except ValueError:
        numbers = []
    seeds = numbers if "," in text else list(range(numbers[0])) if numbers else []
    if not seeds or min(seeds) < 0 or len(set(seeds)) < len(seeds):
        raise ValueError(f"--seeds takes a number of seeds (3) or different seeds of 0 and up (0,1,7); got {text!r}")
    return tuple(seeds)


def check_steps(rows: int, steps: int) -> None:
    """Check the size of a measurement that leaves its first training step out.

    Raises:
        ValueError: if there are too few steps, or the rows are no whole groups of 8.
    """
    if rows < 8 or rows % 8:
        raise ValueError(f"--rows must be a multiple of 8, the size of a group; got {rows}")
    if steps < 2:
        raise ValueError(f"--steps must be at least 2, since the first is not counted; got {steps}")
