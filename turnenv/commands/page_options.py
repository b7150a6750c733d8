"""What the commands that write a page share: how large it may become, what is redacted, and opening it."""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from turnenv.commands.console import Parser, note, print_json

if TYPE_CHECKING:
    from turnenv.report.packing import Packed
    from turnenv.report.redaction import Redactor

_LEAST = 2.0
_REDACT_HELP = "replace what matches in the episodes' texts by its length; may be given several times"


def add_limits(parser: argparse.ArgumentParser) -> None:
    """Add `--max-mb` and `--redact`."""
    parser.add_argument(
        "--max-mb", type=float, default=15.0, metavar="N", help="megabytes that the page may have (%(default)g)"
    )
    parser.add_argument("--redact", action="append", metavar="REGEX", help=_REDACT_HELP)


def add_page_options(parser: Parser) -> None:
    """Add `--max-mb`, `--redact`, `--open` and `--json`."""
    add_limits(parser)
    parser.add_argument("--open", action="store_true", help="open it in the browser")
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def max_mb_of(given: argparse.Namespace) -> float:
    """What `--max-mb` allows.

    Raises:
        ValueError: if no page is so small, or it is no number.
    """
    if not _LEAST <= given.max_mb < math.inf:
        raise ValueError(f"--max-mb takes a number of megabytes, at least {_LEAST:g}; got {given.max_mb:g}")
    return float(given.max_mb)


def redactor_of(given: argparse.Namespace) -> Redactor | None:
    """What `--redact` asks for; None if it was not given.

    Raises:
        ValueError: if it is no regular expression that can be used.
    """
    from turnenv.report.redaction import Redactor, pattern_of

    return Redactor([pattern_of(text) for text in given.redact]) if given.redact else None


def opened(path: Path, given: argparse.Namespace, packed: Packed, redactor: Redactor | None) -> int:
    """Print the path and what was left out, open the page if that was asked for, and return the exit code."""
    for sentence in packed.left_out:
        note(sentence)
    if redactor is not None:
        print(redactor.said(), file=sys.stderr)
    if given.json:
        print_json({"page": str(path), "bytes": path.stat().st_size})
    else:
        print(path)
    if given.open:
        import webbrowser

        webbrowser.open(path.resolve().as_uri())
    return 0
