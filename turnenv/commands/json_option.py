"""Options that hold a JSON object."""

from __future__ import annotations

import json
from typing import Any

from turnenv.commands.console import MistakeError

__all__ = ["read_object"]


def read_object(name: str, text: str | None) -> dict[str, Any]:
    """The object that an option holds; {} if it was not given.

    Raises:
        MistakeError: if it is no JSON object.
    """
    if text is None:
        return {}
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise MistakeError(f"{name} is not JSON ({error}): {text!r}; write '{{\"max_turns\": 4}}'") from error
    if not isinstance(value, dict):
        raise MistakeError(f"{name} must be a JSON object, such as '{{\"max_turns\": 4}}'; got {text!r}")
    return value
