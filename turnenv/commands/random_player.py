"""Texts at random that an environment may understand: of any family, knowing nothing of it but prompt and tools."""

from __future__ import annotations

import random
import re

from turnenv.core.contract import TextEnvironment

_WORD = re.compile(r"[A-Za-z][\w'-]+|\d+")
_ANSWERS = 0.2
"""The share of turns that answer, where there are tools to call."""


class RandomPlayer:
    """Picks one of the actions that the environment lists, or calls a tool or answers with words that it has read.

    Args:
        env: the environment, adapted.
        seed: of its choices.
    """

    def __init__(self, env: TextEnvironment, seed: int) -> None:
        self._random = random.Random(seed)
        # Environments that turnenv.exact solves list their actions.
        self._actions: tuple[str, ...] = tuple(getattr(env, "action_texts", ()))
        self._tools = env.tools
        self._grammar = env.grammar
        self._words: list[str] = _WORD.findall(env.system_prompt)

    def __call__(self, observation: str) -> str:
        """The next action."""
        words: list[str] = _WORD.findall(observation) or self._words or ["hello"]
        if self._actions:
            return self._random.choice(self._actions)
        if not self._tools or self._grammar is None:
            return self._random.choice([*words, *self._words])
        if self._random.random() < _ANSWERS:
            return self._grammar.answer(self._random.choice(words))
        function = self._random.choice(self._tools)["function"]
        names = function["parameters"].get("properties", {})
        return self._grammar.call(function["name"], {name: self._random.choice(words) for name in names})
