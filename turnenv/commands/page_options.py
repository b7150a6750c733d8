"""What the commands that write a page share: how large it may become, and opening it."""

from __future__ import annotations

import argparse
from pathlib import Path

from turnenv.commands.console import MistakeError, Parser, print_json

_LEAST = 2.0


def add_size(parser: Parser) -> None:
    """Add `--max-mb`, `--open` and `--json`."""
    parser.add_argument("--max-mb", type=_megabytes, default=15.0, metavar="N", help="how large it may become (15)")
    parser.add_argument("--open", action="store_true", help="open it in the browser")
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def opened(path: Path, given: argparse.Namespace) -> int:
    """Print the path, open the page if that was asked for, and return the exit code."""
    if given.json:
        print_json({"page": str(path), "bytes": path.stat().st_size})
    else:
        print(path)
    if given.open:
        import webbrowser

        webbrowser.open(path.resolve().as_uri())
    return 0


def _megabytes(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not number >= _LEAST:
        raise MistakeError(f"--max-mb is a number of megabytes, at least {_LEAST:g}; got {text!r}")
    return number
