"""What the commands' options share: how `--help` is written and how seeds are read."""

from __future__ import annotations

import argparse


class HelpFormatter(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """Keeps the examples' lines, and shows every default that the help does not state itself."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        return action.help if action.default is None else super()._get_help_string(action)


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
