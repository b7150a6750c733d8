"""`turnenv view`: episodes turn by turn, with the credit that estimators give each turn, as one page."""

from __future__ import annotations

import argparse
from pathlib import Path

from turnenv.commands.console import Commands, MistakeError, Parser
from turnenv.commands.page_options import add_page_options, max_mb_of, opened, redactor_of

_HELP = """
examples:
  turnenv evaluate GuessNumber GridQuest-easy --model random --episodes 20 --out runs/random
  turnenv view runs/random
  turnenv view runs/random --estimators grpo_mr,mt_grpo,gigpo -o credit.html --max-mb 30
  turnenv view runs/random --redact '(?s).+' -o numbers.html       # every text: what remains is numbers

Advantages are those of training where groups were recorded, and what estimators make of these groups. Episodes of one
task and seed in a file are a group, too. The page is one file that asks the network for nothing.
"""


def add_parser(commands: Commands[Parser]) -> Parser:
    """Add the command."""
    parser = commands.add_parser("view", help="write a page of episodes, turn by turn, with their credit", epilog=_HELP)
    parser.description = "Write a page of episodes, turn by turn, with the credit that estimators give each turn."
    parser.add_argument(
        "paths",
        type=Path,
        nargs="+",
        metavar="PATH",
        help="the folder of an evaluation or a comparison, or a file of episodes or groups (.jsonl, .jsonl.gz)",
    )
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="the page (default: episodes.html in DIR)")
    parser.add_argument("--estimators", metavar="NAMES", help="to choose from in the viewer, such as grpo_mr,mt_grpo")
    add_page_options(parser)
    parser.set_defaults(run=run)
    return parser


def run(given: argparse.Namespace) -> int:
    """Write it and print its path.

    Raises:
        MistakeError: if there are no episodes, no estimator of such a name, or an option cannot be used.
    """
    from turnenv.credit import spec_of
    from turnenv.report.columns import DEFAULT
    from turnenv.report.page import page
    from turnenv.report.sources import plays_of

    names = [name.strip() for name in (given.estimators or "").split(",") if name.strip()] or DEFAULT
    first = given.paths[0]
    path = given.output or (first if first.is_dir() else first.parent) / "episodes.html"
    if path.is_dir():
        raise MistakeError(f"-o names the page's file; {path} is a folder")
    try:
        methods = [(spec_of(name).name, dict[str, object]()) for name in names]
        redactor, max_mb = redactor_of(given), max_mb_of(given)
        title = f"Episodes of {first.name or first.resolve().name}"
        made = page(title, plays_of(given.paths), methods, max_mb=max_mb, redactor=redactor)
    except ValueError as error:
        raise MistakeError(str(error)) from error
    made.write(path)
    return opened(path, given, made.packed, redactor)
