"""`turnenv list`: the ids, what their task is, and how often an expert and a random agent succeed."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from turnenv.commands.catalogue import Entry, read_catalogue
from turnenv.commands.console import Commands, MistakeError, Parser, did_you_mean, paint, print_json
from turnenv.commands.ids import short_name

_HELP = """
examples:
  turnenv list
  turnenv list search
  turnenv list --family GridQuest
  turnenv list --solved-exactly --json

The other commands take these names, with or without `turnenv/` in front and `-v0` behind.
"""


def add_parser(commands: Commands[Parser]) -> Parser:
    """Add the command."""
    parser = commands.add_parser(
        "list", help="the ids, their task, and how often an expert and a random agent succeed", epilog=_HELP
    )
    parser.description = "List the environments that come with turnenv."
    parser.add_argument("word", nargs="?", help="only ids whose name or task has this word in it")
    parser.add_argument("--family", help="only this family, such as GridQuest")
    parser.add_argument("--solved-exactly", action="store_true", help="only those that turnenv.exact solves")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.set_defaults(run=run)
    return parser


def run(given: argparse.Namespace) -> int:
    """Print them; 1 if none fits."""
    entries = read_catalogue()
    if given.family is not None:
        families = sorted({entry["family"] for entry in entries})
        if given.family not in families:
            hint = did_you_mean(given.family, families) or ";"
            raise MistakeError(f"there is no family {given.family!r}{hint} families: {', '.join(families)}")
        entries = [entry for entry in entries if entry["family"] == given.family]
    if given.word is not None:
        word = given.word.lower()
        entries = [entry for entry in entries if word in f"{entry['id']} {entry['summary']}".lower()]
    if given.solved_exactly:
        entries = [entry for entry in entries if entry["solved_exactly"]]
    if given.json:
        print_json({"environments": entries})
    elif entries:
        print(_table(entries))
    return 0 if entries else 1


def _table(entries: Sequence[Entry]) -> str:
    width = max(len(short_name(entry["id"])) for entry in entries)
    lines = [paint(f"{'id':{width}}  {'turns':>5}  {'expert':>7}  {'random':>7}  task", "bold")]
    before = ""
    for entry in entries:
        told = entry["summary"] if entry["family"] != before else ""
        before = entry["family"]
        shares = f"{entry['expert_success']:7.1%}  {entry['random_success']:7.1%}"
        lines.append(f"{short_name(entry['id']):{width}}  {entry['max_turns']:>5}  {shares}  {told}".rstrip())
    return "\n".join(lines)
