"""Make or check the environments' pages, scores and golden episodes, and the table of estimators."""

from __future__ import annotations

import argparse

EXAMPLES = """\
examples:
  python -m benchmarks pages                # about two minutes: every agent plays every id again
  python -m benchmarks pages --keep-scores  # seconds: after a change of words
  python -m benchmarks pages --check        # exit code 1 if something differs
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("--check", action="store_true", help="write nothing; show what differs and exit with 1")
    parser.add_argument("--keep-scores", action="store_true", help="keep the recorded scores and play nothing")


def run(given: argparse.Namespace) -> int:
    """Write, or check and return 1 if something differs from what it should be."""
    from benchmarks.environments.pages import remake

    return remake(check=given.check, keep_scores=given.keep_scores)
