"""Makes an environment for a command, and turns what is wrong with it into a mistake."""

from __future__ import annotations

import gymnasium

from turnenv.adapters import as_text_env
from turnenv.commands.console import MistakeError
from turnenv.core.contract import TextEnvironment


def make(name: str) -> TextEnvironment:
    """The environment of a name that `resolve_id` returned, adapted to turnenv's contract if it is another library's.

    Raises:
        MistakeError: if it needs a package that is not installed, or is no text environment.
    """
    try:
        return as_text_env(name)
    except (ImportError, TypeError, ValueError, gymnasium.error.Error) as error:
        raise MistakeError(f"{name} cannot be made: {error}") from error
