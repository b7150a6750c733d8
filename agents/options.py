"""Types of command-line options, for the commands of agents and of the benchmarks: text in, value or error out."""

from __future__ import annotations

import argparse
import json
from typing import Any


def json_object(text: str) -> dict[str, Any]:
    """Read keyword arguments, e.g. `{"length": 8}`.

    Raises:
        argparse.ArgumentTypeError: if the text is not JSON or not an object.
    """
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise argparse.ArgumentTypeError(
            f"takes a JSON object: write an object such as '{{\"length\": 4}}'; got {text!r}"
        )
    return value


def count(text: str) -> int:
    """Read a whole number of at least 1.

    Raises:
        argparse.ArgumentTypeError: if it is not one.
    """
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"takes a whole number of at least 1; got {text!r}")
    return value


def positive(text: str) -> float:
    """Read a number above 0.

    Raises:
        argparse.ArgumentTypeError: if it is not one.
    """
    if not 0.0 < (value := _number(text)) < float("inf"):
        raise argparse.ArgumentTypeError(f"takes a number above 0; got {text!r}")
    return value


def share(text: str) -> float:
    """Read a number from 0 to 1.

    Raises:
        argparse.ArgumentTypeError: if it is not one.
    """
    if not 0.0 <= (value := _number(text)) <= 1.0:
        raise argparse.ArgumentTypeError(f"a share is from 0 to 1; got {text!r}")
    return value


def _number(text: str) -> float:
    """NaN, which is in no range, if it is not a number."""
    try:
        return float(text)
    except ValueError:
        return float("nan")
