"""Policies without a model: plain functions from observation to action."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from turnenv.policies.protocol import Action


class Scripted:
    """A policy of one plain function per episode: `make_agent()` returns a function from observation to action text."""

    def __init__(self, make_agent: Callable[[], Callable[[str], str]]) -> None:
        self._make_agent = make_agent
        self._agents: list[Callable[[str], str]] = []

    def begin(self, system_prompts: Sequence[str], tools: Sequence[Mapping[str, Any]]) -> None:
        """Make a fresh agent for each episode."""
        self._agents = [self._make_agent() for _ in system_prompts]

    def act(self, rows: Sequence[int], observations: Sequence[str]) -> Sequence[Action]:
        """Each agent answers its own observation."""
        return [Action(self._agents[row](text)) for row, text in zip(rows, observations, strict=True)]
