"""What the commands that write a page share: how large it may become, what is redacted, and opening it."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from turnenv.commands.console import MistakeError, Parser, note, print_json

if TYPE_CHECKING:
    from turnenv.report.packing import Packed
    from turnenv.report.redaction import Redactor

_LEAST = 2.0
REDACT_HELP = "replace what matches in the episodes' texts by its length; may be given several times"


def add_page_options(parser: Parser) -> None:
    """Add `--max-mb`, `--redact`, `--open` and `--json`."""
    parser.add_argument("--max-mb", type=_megabytes, default=15.0, metavar="N", help="how large it may become (15)")
    parser.add_argument("--redact", action="append", metavar="REGEX", help=REDACT_HELP)
    parser.add_argument("--open", action="store_true", help="open it in the browser")
    parser.add_argument("--json", action="store_true", help="print one JSON document")


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


def _megabytes(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not number >= _LEAST:
        raise MistakeError(f"--max-mb is a number of megabytes, at least {_LEAST:g}; got {text!r}")
    return number
