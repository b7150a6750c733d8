"""Episodes of unequal length of which one environment may be slow, and a policy that plays them in lock-step."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import anyio
import numpy as np

from turnenv.core import Reply, TextEnv
from turnenv.net.loop import submit
from turnenv.policies import Action, Conversation, PacedPolicy, PolicyFault


class Unequal(TextEnv[int]):
    """Task t ends after t + 2 turns; a step takes `slow` seconds."""

    max_turns, num_tasks, blocking = 16, 15, True
    slow = 0.0

    def start(self, rng: np.random.Generator, options: Mapping[str, Any]) -> tuple[int, str]:
        """Begin."""
        return options["task"] + 2, "Go on."

    def respond(self, state: int, action: str, rng: np.random.Generator) -> Reply:
        """Wait, and say whether the episode is over."""
        time.sleep(self.slow)
        return Reply.final("Done.", success=True) if self._turn >= state else Reply.turn("Go on.")


class InLockstep:
    """A `PacedPolicy` played as one of batches: all requests of a turn are sent at once, and all are waited for."""

    def __init__(self, policy: PacedPolicy) -> None:
        self._policy = policy
        self._talks: list[Conversation] = []

    def begin(self, system_prompts: Sequence[str], tools: Sequence[Mapping[str, Any]]) -> None:
        """Begin a conversation for each episode."""
        self._talks = [self._policy.converse(prompt, tools, None, row) for row, prompt in enumerate(system_prompts)]

    def act(self, rows: Sequence[int], observations: Sequence[str]) -> Sequence[Action | str]:
        """Act in all episodes at once."""
        answers: dict[int, Action | str] = {}

        async def one(row: int, seen: str) -> None:
            try:
                answers[row] = await self._talks[row].act(seen)
            except PolicyFault as error:
                answers[row] = Action("", fault=str(error))

        async def everyone() -> None:
            async with anyio.create_task_group() as group:
                for row, seen in zip(rows, observations, strict=True):
                    group.start_soon(one, row, seen)

        submit(everyone()).result()
        return [answers[row] for row in rows]
