"""GEM's environments (`pip install gem-llm`) as turnenv environments."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from functools import partial
from typing import Any

from turnenv.adapters.peer import LONGEST, PeerEnv, global_generators
from turnenv.core import Reply, TextVectorEnv
from turnenv.core.arguments import checked_arguments
from turnenv.extras import needs
from turnenv.types import End

__all__ = ["GemEnv", "make_vector"]


class GemEnv(PeerEnv):
    r"""An environment that `gem.make` makes, without GEM's wrappers.

    GEM has one reward per step: the closing step's reward is the outcome's, the others are turn rewards. GEM does not
    say whether it understood an action: `valid_action` is always True. Task i is the episode that GEM plays with seed
    i. Each episode makes a fresh environment, so an environment that loads a dataset loads it every time.

    To make it by `gym.make`::

        gymnasium.register(
            "me/Mastermind-v0",
            entry_point="turnenv.adapters.gem:GemEnv",
            vector_entry_point="turnenv.adapters.gem:make_vector",
            kwargs={"gem_id": "game:Mastermind-v0-easy"},
        )

    Args:
        gem_id: GEM's id, such as "game:Mastermind-v0-easy".
        max_turns: by default GEM's own limit, or 100 where it has none.
        success_reward: the smallest closing reward that counts as solved; GEM's games pay 1.
        render_mode: "ansi" keeps the transcript for `render`; "human" prints each turn as it comes.
        **kwargs: passed to `gem.make`.

    Raises:
        ModuleNotFoundError: if GEM is not installed.
        ValueError: if GEM has no such id.
    """

    component = "gem"

    @checked_arguments
    def __init__(
        self,
        gem_id: str,
        *,
        max_turns: int | None = None,
        success_reward: float = 1.0,
        render_mode: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(render_mode=render_mode)
        self._make = partial(_make, gem_id, kwargs)
        self._success_reward = success_reward
        with global_generators(0):
            limit = getattr(self._make(), "max_turns", None)
        self.max_turns = max_turns or limit or LONGEST

    def begin(self, task: int) -> tuple[Any, str]:
        """Reset GEM's environment with the task as its seed."""
        peer = self._make()
        observation, info = peer.reset(seed=task)
        return peer, _text_of(observation, info)

    def play(self, peer: Any, action: str) -> Reply:
        """Step GEM's environment."""
        observation, reward, terminated, truncated, info = peer.step(action)
        rewards = {self.component: float(reward)}
        if not (terminated or truncated):
            return Reply.turn(_text_of(observation, info), rewards)
        success = rewards[self.component] >= self._success_reward
        # GEM's tasks of one turn, which know no limit, set both flags.
        cut = truncated and getattr(peer, "max_turns", None) is not None
        end = End.SOLVED if success else End.TURN_LIMIT if cut else End.FAILED
        # A closing turn keeps the component, so that every turn has the same names.
        return Reply.final(str(observation), {self.component: 0.0}, outcome=rewards, success=success, end=end)


def _text_of(observation: Any, info: dict[str, Any]) -> str:
    return "\n".join(str(part) for part in (observation, info.get("suffix")) if part)


def _make(gem_id: str, kwargs: dict[str, Any]) -> Any:
    with needs("gem", "GemEnv"), _logging_untouched():
        import gem

    return gem.make(gem_id, **kwargs)


@contextlib.contextmanager
def _logging_untouched() -> Iterator[None]:
    """Undo GEM's set-up of the root logger, which belongs to the application."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)


make_vector = partial(TextVectorEnv, GemEnv)
