"""A JSON object on a command line, as a type for argparse."""

from __future__ import annotations

import argparse
import json
from typing import Any


def json_object(text: str) -> dict[str, Any]:
    """Read keyword arguments, e.g. `{"length": 8}`.

    Raises:
        argparse.ArgumentTypeError: if the text is no JSON, or no object.
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
