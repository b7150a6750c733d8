"""`turnenv report`: the page of an evaluation."""

from __future__ import annotations

import argparse
from pathlib import Path

from turnenv.commands.console import Commands, MistakeError, Parser
from turnenv.commands.page_options import add_page_options, max_mb_of, opened, redactor_of

_HELP = """
examples:
  turnenv evaluate GuessNumber GridQuest-easy --model random --episodes 20 --out runs/random
  turnenv report runs/random
  turnenv report runs/random --redact 'sk-\\w+' --redact '(?i)acme'

The page is one file that asks the network for nothing. That of a comparison is written by: python -m benchmarks report
"""


def add_parser(commands: Commands[Parser]) -> Parser:
    """Add the command."""
    parser = commands.add_parser("report", help="write an evaluation's page: report.html", epilog=_HELP)
    parser.description = "Write report.html into an evaluation's folder: the result, and the episodes turn by turn."
    parser.add_argument("folder", type=Path, metavar="DIR", help="what turnenv evaluate was given as --out")
    add_page_options(parser)
    parser.set_defaults(run=run)
    return parser


def run(given: argparse.Namespace) -> int:
    """Write it and print its path.

    Raises:
        MistakeError: if the folder holds no evaluation, or an option cannot be used.
    """
    from turnenv.report.evaluation_page import write_evaluation_page

    try:
        redactor = redactor_of(given)
        path, packed = write_evaluation_page(given.folder, max_mb=max_mb_of(given), redactor=redactor)
    except ValueError as error:
        raise MistakeError(str(error)) from error
    return opened(path, given, packed, redactor)
