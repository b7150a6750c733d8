"""Makes an environment for a command, and turns what an id or a task gets wrong into a mistake."""

from __future__ import annotations

from typing import Any

import gymnasium

from turnenv.commands.console import Mistake


def make(env_id: str) -> gymnasium.Env[Any, Any]:
    """`gymnasium.make`, for text environments.

    Raises:
        Mistake: if it needs a package that is not installed, or its actions are not text.
    """
    try:
        env = gymnasium.make(env_id)
    except (ImportError, gymnasium.error.DependencyNotInstalled) as error:
        raise Mistake(f"{env_id} cannot be made: {error}") from error
    if not isinstance(env.action_space, gymnasium.spaces.Text):
        raise Mistake(f"{env_id} is no text environment: its actions are {env.action_space}")
    return env
