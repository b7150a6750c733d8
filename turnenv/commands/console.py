"""What the commands share on the terminal: mistakes, JSON documents, colours, and escapes in foreign text."""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any, TextIO

from turnenv.report.visible import visible as visible

SCHEMA = 1
"""Of every JSON document that a command prints; it grows when a field is renamed or removed."""

_CODES = {"bold": "1", "dim": "2", "red": "31", "green": "32"}


class MistakeError(Exception):
    """The command was mistaken: one line on stderr, exit code 2."""


class UnavailableError(Exception):
    """Something outside turnenv failed (a server, a model, a disk): one line on stderr, exit code 3."""


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are mistakes, and whose help keeps its line breaks."""

    def __init__(self, **kwargs: Any) -> None:
        fixed = {"allow_abbrev": False, "formatter_class": argparse.RawDescriptionHelpFormatter}
        super().__init__(**{**kwargs, **fixed})

    def error(self, message: str) -> Any:
        """Raise instead of exiting.

        Raises:
            MistakeError: always.
        """
        raise MistakeError(f"{message}; see: {self.prog} --help")


Commands = argparse._SubParsersAction
"""What each command's `add_parser` adds itself to."""


def print_json(fields: Mapping[str, Any]) -> None:
    """Print one JSON document; what is not a number in JSON (NaN, infinities) is null."""
    print(json.dumps(_jsonable({"schema": SCHEMA, **fields}), allow_nan=False))


def _jsonable(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {str(name): _jsonable(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_jsonable(part) for part in value]
    return value


def note(text: str) -> None:
    """Say something that is not the answer: on stderr, and only if a person reads it there."""
    if sys.stderr.isatty():
        print(text, file=sys.stderr)


def paint(text: str, style: str, stream: TextIO | None = None) -> str:
    """The text in a style ("bold", "dim", "red", "green") if the stream, stdout by default, shows colours.

    FORCE_COLOR turns colours on, NO_COLOR and TERM=dumb turn them off; without these, a terminal has them.
    """
    stream = stream or sys.stdout
    environment = os.environ
    shows = stream.isatty() and not environment.get("NO_COLOR") and environment.get("TERM") != "dumb"
    return f"\x1b[{_CODES[style]}m{text}\x1b[0m" if shows or environment.get("FORCE_COLOR") else text


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`"; did you mean a or b?"`, or "" if no known word is near."""
    spelt = {name.lower(): name for name in known}
    near = [spelt[name] for name in get_close_matches(word.lower(), spelt, n=2)]
    return f"; did you mean {' or '.join(near)}?" if near else ""
